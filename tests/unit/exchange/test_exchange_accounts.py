"""Money: average price, realised and unrealised, funding, fees; and that nothing is ever lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.core.accounts import ZERO, Position
from exchange.core.instrument import BTC_GRID, make_perpetual
from exchange.core.orders import SIGN, Side
from exchange.core.scheduler import NS_PER_S

PERPETUAL = make_perpetual("BTC", BTC_GRID, 0.0)

fills = st.lists(
    st.tuples(
        st.sampled_from(list(Side)),
        st.integers(90_000, 110_000),
        st.integers(1, 5_000),
        st.decimals(-50, 50, places=8),
        st.decimals(0, 100, places=9),
    ),
    max_size=40,
)


@given(fills=fills, mark=st.decimals(80_000, 120_000, places=2), funding_mark=st.decimals(-50, 50, places=8))
@settings(max_examples=200, deadline=None)
def test_the_change_of_equity_is_the_sum_of_the_cash_flows(fills: Any, mark: Decimal, funding_mark: Decimal) -> None:
    # Given any sequence of fills
    position, lots, cash, funding = Position(PERPETUAL), 0, ZERO, ZERO
    for side, price, fill_lots, fill_funding_mark, fee in fills:
        position.apply(side, Decimal(price), fill_lots, fill_funding_mark, fee)
        amount = SIGN[side] * BTC_GRID.amount(fill_lots)
        lots += SIGN[side] * fill_lots
        cash -= amount * price + fee
        funding -= amount * fill_funding_mark
    # If everything is marked at the end
    equity = position.realised + position.unrealised_pnl(mark) + position.unrealised_funding(funding_mark)
    # I expect exactly what was paid and received, plus what the position is worth
    assert position.lots == lots
    assert equity == cash + funding + BTC_GRID.amount(lots) * (mark + funding_mark)


def test_a_round_trip_realises_the_difference_and_both_fees() -> None:
    position = Position(PERPETUAL)
    position.apply(Side.BUY, Decimal(100_000), 10, ZERO, Decimal("0.1"))
    realised = position.apply(Side.SELL, Decimal(100_050), 10, ZERO, Decimal("0.1"))
    assert realised.position_pnl == Decimal("0.50")
    assert position.realised == Decimal("0.30")
    assert (position.lots, position.start_cost) == (0, ZERO)


def test_adding_averages_and_reducing_does_not_move_the_average() -> None:
    position = Position(PERPETUAL)
    position.apply(Side.BUY, Decimal(100_000), 10, ZERO, ZERO)
    position.apply(Side.BUY, Decimal(100_030), 20, ZERO, ZERO)
    assert position.average_price == 100_020
    position.apply(Side.SELL, Decimal(101_000), 15, ZERO, ZERO)
    assert position.average_price == 100_020


def test_a_flip_realises_the_old_side_and_opens_the_new_at_the_price() -> None:
    position = Position(PERPETUAL)
    position.apply(Side.BUY, Decimal(100_000), 10, ZERO, ZERO)
    position.apply(Side.SELL, Decimal(100_100), 30, ZERO, ZERO)
    assert (position.lots, position.average_price) == (-20, 100_100)
    assert position.realised_position == Decimal("1.00")
    assert position.unrealised_pnl(Decimal(100_000)) == Decimal("2.00")


def test_settlement_moves_the_session_into_cash_and_keeps_the_average_price(venue: Any) -> None:
    # Given a long position and a higher mark
    venue.rest(Side.SELL, 100_000, 10)
    venue.buy(100_000, "0.01")
    venue.index_price = Decimal(100_100)
    venue.engine.tick(1.0)
    before = venue.engine.equity(venue.a)
    # If the day settles
    venue.engine.settle()
    # I expect equity as it was, start price at the mark, average price kept, a new session
    position = venue.a.positions["BTC-PERPETUAL"]
    assert venue.engine.equity(venue.a) == before
    assert venue.a.cash == before
    assert position.start_price == venue.market.mark.mark_price
    assert position.average_price == 100_000
    assert position.realised == 0


def test_settlement_comes_at_eight_utc(venue: Any) -> None:
    # Given a long position before 08:00 UTC
    venue.rest(Side.SELL, 100_000, 10)
    venue.buy(100_000, "0.01")
    assert venue.a.cash == 100_000
    # If the clock passes it
    seconds = -(venue.scheduler.realtime_ns() // NS_PER_S - 8 * 3600) % 86_400
    venue.scheduler.advance((seconds + 2) * NS_PER_S)
    # I expect the taker fee to have left the cash
    assert venue.a.cash == Decimal("99999.5")
    assert venue.a.session_realised_pnl == 0


def test_longs_pay_shorts_while_the_mark_is_above_the_index(venue: Any) -> None:
    # Given a book of 1 BTC a side 100 USD above the index, and a long position
    venue.rest(Side.BUY, 100_099, 2_000)
    venue.rest(Side.SELL, 100_101, 2_000)
    venue.buy(100_101, "0.1")
    # If an hour passes
    venue.scheduler.advance(3_600 * NS_PER_S)
    # I expect p = 0.1 % less the dampener of 0.025 % as the rate of 8 hours, accrued for one
    mark = venue.market.mark
    assert mark.mark_price == Decimal("100100.00")
    assert mark.funding_rate == Decimal("0.00075")
    assert abs(mark.funding_mark - Decimal("-9.375")) < Decimal("0.3")
    position = venue.a.positions["BTC-PERPETUAL"]
    assert abs(position.unrealised_funding(mark.funding_mark) - Decimal("-0.9375")) < Decimal("0.03")


def test_a_premium_within_the_dampener_costs_nothing(venue: Any) -> None:
    venue.rest(Side.BUY, 100_019, 2_000)
    venue.rest(Side.SELL, 100_021, 2_000)
    venue.scheduler.advance(600 * NS_PER_S)
    assert venue.market.mark.mark_price > 100_000
    assert venue.market.mark.funding_mark == 0


def test_without_depth_the_mark_goes_to_the_index(venue: Any) -> None:
    venue.rest(Side.BUY, 100_099, 10)
    venue.rest(Side.SELL, 100_101, 10)
    venue.scheduler.advance(10 * NS_PER_S)
    assert venue.market.mark.mark_price == 100_000
