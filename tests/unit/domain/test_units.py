from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.instrument import Instrument, InstrumentKind
from domain.units import (
    ask_ticks,
    bid_ticks,
    decimal_number,
    exact_steps,
    lots_down,
    nearest_ticks,
)

ticks = st.integers(min_value=1, max_value=10**7)
tick_sizes = st.sampled_from([1.0, 0.5, 0.1, 0.01, 5.0])


@given(ticks, tick_sizes)
def test_a_price_on_the_grid_is_its_own_tick_on_both_sides(n: int, tick_size: float) -> None:
    price = n * tick_size
    assert bid_ticks(price, tick_size) == ask_ticks(price, tick_size) == nearest_ticks(price, tick_size) == n


@given(st.floats(min_value=1, max_value=1e7), tick_sizes)
def test_rounding_never_makes_a_quote_more_aggressive(price: float, tick_size: float) -> None:
    tolerance = tick_size * 1e-6
    assert bid_ticks(price, tick_size) * tick_size <= price + tolerance
    assert ask_ticks(price, tick_size) * tick_size >= price - tolerance


@pytest.mark.parametrize("price", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(price: float) -> None:
    for rounding in (bid_ticks, ask_ticks, nearest_ticks, lots_down):
        with pytest.raises(ValueError, match="finite"):
            rounding(price, 1.0)


def test_sizes_round_towards_zero() -> None:
    assert lots_down(0.0129, 0.001) == 12
    assert lots_down(-0.0129, 0.001) == -12
    assert lots_down(0.003, 0.001) == 3


def test_money_is_never_rounded() -> None:
    assert exact_steps(Decimal("0.3"), Decimal("0.1")) == 3
    with pytest.raises(ValueError, match="not a multiple"):
        exact_steps(Decimal("0.35"), Decimal("0.1"))


@pytest.mark.parametrize(("value", "text"), [("1E+2", "100"), ("0.100", "0.1"), ("5", "5"), ("1E-8", "0.00000001")])
def test_numbers_are_written_as_plain_digits(value: str, text: str) -> None:
    assert decimal_number(Decimal(value)) == text


def test_an_instrument_counts_in_ticks_and_lots() -> None:
    perpetual = Instrument(
        "BTC-PERPETUAL", InstrumentKind.PERPETUAL, "BTCUSD", Decimal("0.1"), Decimal("0.001"), Decimal("0.0015")
    )
    assert perpetual.price_ticks(Decimal("28145.2")) == 281_452
    assert perpetual.price(281_452) == Decimal("28145.2")
    assert perpetual.size_lots(Decimal("0.02")) == 20
    assert perpetual.order_lots_min == 2
    with pytest.raises(ValueError, match="tick_size must be positive"):
        Instrument("X", InstrumentKind.SPOT, "X", Decimal(0), Decimal(1), Decimal(1))
