"""The formulas of docs/signals.md by hand, and a test for each fault that predecessors had in them."""

from __future__ import annotations

import math

import pytest

from tests.signals_case import Signals

RISE = (100.0, 100.1, 100.2, 100.3, 100.4, 100.5)  # ΔP = 0.5 %


def after(*prices: float, deltas: tuple[float, ...], **changes: object) -> Signals:
    signals = Signals(**changes)
    signals.candles(*prices, deltas=deltas)
    return signals


# ---- momentum ----------------------------------------------------------------------------------------


def test_momentum_is_the_price_change_weighted_by_the_flow() -> None:
    # ΔP 0.5 %, flow 0.4: 100 · 0.005 · 0.4 · sensitivity 1.5 = 0.3
    signals = after(*RISE, deltas=(0.4,) * 5)
    assert signals["momentum"] == pytest.approx(0.3)


def test_a_fall_on_selling_gives_negative_momentum() -> None:
    """Agreement taken as direction gives + here."""
    rise = after(*RISE, deltas=(0.4,) * 5)["momentum"]
    fall = after(*RISE[::-1], deltas=(-0.4,) * 5)["momentum"]
    assert rise > 0.0
    assert fall == pytest.approx(-rise, rel=0.01)


@pytest.mark.parametrize(("prices", "delta"), [(RISE, -0.4), (RISE[::-1], 0.4), (RISE, 0.0), ((100.0,) * 6, 0.4)])
def test_momentum_is_zero_where_price_and_flow_disagree(prices: tuple[float, ...], delta: float) -> None:
    assert after(*prices, deltas=(delta,) * 5)["momentum"] == 0.0


def test_momentum_is_held_within_one() -> None:
    assert after(100, 102, 104, 106, 108, 110, deltas=(0.9,) * 5)["momentum"] == 1.0
    assert after(110, 108, 106, 104, 102, 100, deltas=(-0.9,) * 5)["momentum"] == -1.0


def test_flow_is_weighted_by_volume_and_is_no_price() -> None:
    """A "VAMP" of buys minus sells over volume had the unit of a price."""
    # Given four small candles of buying and a large one of selling
    signals = Signals()
    for i in range(4):
        signals.candle(RISE[i], RISE[i + 1], delta=1.0)
    signals.trade(RISE[5], 0.8, -1)
    # I expect selling: (0.4 − 0.8)/1.2, against the price: no momentum; and a number without a unit
    assert signals["momentum"] == 0.0
    assert signals["flow_imbalance"] == pytest.approx(-1 / 3, abs=1e-6)


# ---- reversal ----------------------------------------------------------------------------------------


def test_reversal_is_the_flow_turned_against_the_price() -> None:
    # Given a rise of 0.5 % in which buying dries up at last
    signals = after(*RISE, deltas=(0.5, 0.5, 0.5, 0.5, -0.4))
    # EMA8 and EMA55 of δ start at 0.5 and take one −0.4: 0.5 − 0.9·2/9 = 0.3 and 0.5 − 0.9·2/56 = 0.467857
    turn = 0.3 - (0.5 - 0.9 * 2 / 56)
    # I expect min(1, 0.005·50) · min(1, 0.167857·10) · 1.2, downwards
    assert abs(turn) * 10 > 1.0
    assert signals["reversal"] == pytest.approx(0.25 * 1.0 * 1.2)
    assert signals["reversal_direction"] == -1.0


def test_a_small_turn_is_a_small_reversal() -> None:
    signals = after(*RISE[::-1], deltas=(0.0, 0.0, 0.0, 0.0, 0.5))
    turn = 0.5 * 2 / 9 - 0.5 * 2 / 56
    change = 1.0 - 100.0 / 100.5
    assert signals["reversal"] == pytest.approx(change * 50.0 * turn * 10.0 * 1.2)
    assert signals["reversal_direction"] == 1.0


def test_there_is_no_reversal_while_price_and_flow_agree() -> None:
    signals = after(*RISE, deltas=(0.0, 0.1, 0.2, 0.3, 0.4))
    assert signals["reversal"] == 0.0
    assert signals["reversal_direction"] == 0.0


def test_reversal_is_held_below_one() -> None:
    signals = after(100, 102, 104, 106, 108, 110, deltas=(0.9, 0.9, 0.9, 0.9, -0.9))
    assert signals["reversal"] == 1.0


# ---- volatility --------------------------------------------------------------------------------------


def test_volatility_averages_ranges_and_the_unevenness_of_volume_and_flow() -> None:
    # Given five candles of 0.1 and 0.3 in turn, each 1 % from low to high, δ 0.5 and −0.5 in turn
    signals = Signals()
    volumes, deltas = (0.1, 0.3, 0.1, 0.3, 0.1), (0.5, -0.5, 0.5, -0.5, 0.5)
    for i in range(5):
        signals.candle(*((100.0, 101.0) if i % 2 == 0 else (101.0, 100.0)), delta=deltas[i], volume=volumes[i])
    # By hand: range 0.01·50 = 0.5; volumes 0.18 ± 0.09798, cv 0.54433; δ mean 0.1, std 0.48990
    expected = (0.5 + 0.0979795897 / 0.18 + 0.4898979486) / 3 * 1.3
    assert signals["volatility"] == pytest.approx(expected, rel=1e-9)
    assert 0.0 < expected < 1.0


def test_a_market_that_stands_still_has_no_volatility() -> None:
    assert after(*(100.0,) * 6, deltas=(0.2,) * 5)["volatility"] == pytest.approx(0.0, abs=1e-9)


def test_volatility_is_held_below_one() -> None:
    assert after(100, 150, 100, 150, 100, 150, deltas=(1.0, -1.0, 1.0, -1.0, 1.0))["volatility"] == 1.0


# ---- exhaustion --------------------------------------------------------------------------------------


def test_exhaustion_is_a_rise_that_loses_its_buyers() -> None:
    # δ falls by 0.15 from the first candle to the last: 0.15·5
    signals = after(*RISE, deltas=(0.5, 0.5, 0.5, 0.4, 0.35))
    assert signals["exhaustion"] == pytest.approx(0.75)
    assert signals["exhaustion_direction"] == -1.0
    mirrored = after(*RISE[::-1], deltas=(-0.5, -0.5, -0.5, -0.4, -0.35))
    assert mirrored["exhaustion"] == pytest.approx(0.75)
    assert mirrored["exhaustion_direction"] == 1.0


@pytest.mark.parametrize("deltas", [(0.5, 0.5, 0.5, 0.5, 0.41), (0.1, 0.2, 0.3, 0.4, 0.9)])
def test_a_small_fall_of_flow_or_one_with_the_price_is_no_exhaustion(deltas: tuple[float, ...]) -> None:
    signals = after(*RISE, deltas=deltas)
    assert signals["exhaustion"] == 0.0
    assert signals["exhaustion_direction"] == 0.0


# ---- all ---------------------------------------------------------------------------------------------


def test_nothing_is_foretold_before_five_candles() -> None:
    signals = Signals()
    for i in range(4):
        signals.candle(100.0 + i, 101.0 + i, delta=0.9)
    assert signals["is_warm"] == 0
    assert [signals[name] for name in ("momentum", "reversal", "volatility", "exhaustion")] == [0.0] * 4
    signals.candle(104.0, 105.0, delta=0.9)
    assert signals["is_warm"] == 1
    assert signals["momentum"] > 0.0


def test_what_quoting_takes_over_does_not_compound() -> None:
    """γ ← γ·(1 + adj) every ten seconds grows for ever."""
    # Given a market that is the same for a thousand candles
    signals = Signals()
    seen = set()
    for i in range(1000):
        signals.candle(100.0, 100.5, delta=0.5 if i % 2 else -0.5)
        signals.candle(100.5, 100.0, delta=0.5 if i % 2 else -0.5)
        if i > 900:  # δ's averages have settled
            seen.add(
                (round(signals["gamma_added"], 6), round(signals["sigma_added"], 6), round(signals["decay_cut"], 6))
            )
    # I expect the same few bounded numbers, again and again
    assert len(seen) <= 4
    assert all(0.0 <= gamma <= 0.5 and 0.0 <= sigma <= 0.2 and 0.0 <= decay <= 0.2 for gamma, sigma, decay in seen)


@pytest.mark.parametrize("changes", [{"delta_fast_candles": 55}, {"trend_fast_bars": 21}])
def test_an_ema_pair_needs_a_fast_and_a_slow_one(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be below"):
        Signals(**changes)


def test_outputs_stay_in_their_ranges_whatever_trades() -> None:
    # Given wild but finite trades
    signals = Signals(
        candle_volume_base=0.01, candles_min=1, adx_bars=2, trend_fast_bars=1, trend_slow_bars=2, bar_s=0.1
    )
    state = 12345
    for _ in range(3000):
        state = (state * 1103515245 + 12345) % 2**31
        price = 10.0 ** (state % 13 - 6)
        signals.trade(price, 10.0 ** (state % 9 - 6), 1 if state % 2 else -1)
        signals.book(price * 1.001, state % 300_000_000)
        assert all(math.isfinite(signals[name]) for name in signals.record.dtype.names[:31])
        assert abs(signals["momentum"]) <= 1.0
        assert abs(signals["trend"]) <= 1.0
        assert abs(signals["mean_reversion"]) <= 1.0
        assert abs(signals["flow_imbalance"]) <= 1.0
        assert 0.0 <= signals["adx"] <= 100.0
        for name in ("reversal", "volatility", "exhaustion"):
            assert 0.0 <= signals[name] <= 1.0
        assert abs(signals["shift_half_spreads"]) <= 0.3
        assert max(signals["bid_size_cut"], signals["ask_size_cut"]) <= 0.3
