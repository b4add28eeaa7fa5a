"""Steps 6 to 9: wider after a move, on one side, after fills; and away in a trend."""

from __future__ import annotations

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import ClampFlag, OffReason
from domain.errors import ConfigError
from tests.quoting_case import BARE, Case

GUARD = BARE.with_values({"shaping.displacement_guard": True})
ASYMMETRIC = BARE.with_values({"shaping.asymmetric_widening": True})
FILLS = BARE.with_values({"shaping.fill_imbalance": True})
PAUSE = BARE.with_values({"shaping.post_fill_pause": True})
REGIME = BARE.with_values({"shaping.regime_filter": True, "signals.is_enabled": True})


@pytest.mark.parametrize(
    ("move_bps", "factor"), [(9.9, 1.0), (12.0, 1.4), (15.0, 2.0), (20.0, 3.0), (100.0, 3.0), (-15.0, 2.0)]
)
def test_both_sides_widen_by_the_excess_of_a_move_over_the_window(move_bps: float, factor: float) -> None:
    case = Case(GUARD)
    case.set_book(99_999.0, 100_001.0)
    for _ in range(40):
        case.tick(NS_PER_S)
    plain = case.decide()["half_spread"]
    case.set_book(99_999.0 + 10 * move_bps, 100_001.0 + 10 * move_bps)
    view = case.quote(NS_PER_S)
    assert view["displacement_factor"] == pytest.approx(factor, rel=1e-6)
    assert view["half_spread"] == pytest.approx(plain * factor)
    assert bool(view["clamp_flags"] & ClampFlag.DISPLACED) == (factor > 1.0)


def test_a_move_is_forgotten_when_the_window_has_passed() -> None:
    case = Case(GUARD)
    for _ in range(40):
        case.tick(NS_PER_S)
    case.set_book(100_200.0, 100_201.0)
    case.tick(NS_PER_S)
    factors = []
    for _ in range(40):
        case.tick(NS_PER_S)
        factors.append(case.decide()["displacement_factor"])
    assert factors[:28] == [pytest.approx(3.0, rel=1e-2)] * 28
    assert factors[31:] == [1.0] * 9


def test_a_market_that_was_quiet_for_longer_than_the_window_starts_a_new_one() -> None:
    case = Case(GUARD)
    case.tick()
    case.set_book(100_200.0, 100_201.0)
    assert case.quote(60 * NS_PER_S)["displacement_factor"] == 1.0


@pytest.mark.parametrize(("step", "factors"), [(5.0, (1.0, 1.2)), (-5.0, (1.2, 1.0)), (3.0, (1.0, 1.0))])
def test_the_side_against_the_last_moves_widens(step: float, factors: tuple[float, float]) -> None:
    # Given 21 changes of the mid, so 20 of them make $100 or $60: 10 bps or 6
    case = Case(ASYMMETRIC)
    for i in range(22):
        case.set_book(100_000.0 + step * i, 100_001.0 + step * i)
        case.tick(10 * NS_PER_MS)
        case.tick(10 * NS_PER_MS)  # the same mid again is no move
    view = case.decide()
    assert (view["bid_asymmetry_factor"], view["ask_asymmetry_factor"]) == factors
    assert view["bid_price"] == pytest.approx(view["reservation_price"] - view["half_spread"] * factors[0])
    assert view["ask_price"] == pytest.approx(view["reservation_price"] + view["half_spread"] * factors[1])


def filled(sides: list[int], age_s: int = 0) -> tuple[float, float]:
    case = Case(FILLS)
    for side in sides:
        case.fill(side, NS_PER_S)
    case.now_ns += age_s * NS_PER_S
    view = case.quote()
    return view["bid_fill_factor"], view["ask_fill_factor"]


def test_many_fills_of_one_side_widen_it() -> None:
    assert filled([1] * 5) == (1.3, 1.0)
    assert filled([-1] * 5) == (1.0, 1.3)
    assert filled([1] * 4) == (1.0, 1.0)  # too few
    assert filled([1] * 7 + [-1] * 3) == (1.3, 1.0)  # 70 % exactly
    assert filled([1] * 6 + [-1] * 4) == (1.0, 1.0)
    assert filled([1] * 50 + [-1] * 10) == (1.0, 1.3)  # only the last ten count
    assert filled([1] * 10, age_s=601) == (1.0, 1.0)  # too old


def test_a_side_rests_after_its_fill_and_the_other_does_not() -> None:
    case = Case(PAUSE)
    case.quote()
    case.fill(1)
    view = case.quote(NS_PER_S)
    assert (view["bid_off_reason"], view["ask_off_reason"]) == (OffReason.POST_FILL, OffReason.QUOTED)
    assert view["asks"]
    assert not view["bids"]
    case.fill(-1, NS_PER_S)
    assert case.quote(NS_PER_S // 2)["ask_off_reason"] == OffReason.POST_FILL
    assert case.quote(NS_PER_S)["bid_off_reason"] == OffReason.QUOTED  # 3.5 s after its own
    assert case.quote(2 * NS_PER_S)["ask_off_reason"] == OffReason.QUOTED


@pytest.mark.parametrize(
    ("adx", "trend", "reason"),
    [
        (37.5, 1.0, OffReason.QUOTED),
        (37.6, 0.2, OffReason.REGIME),
        (60.0, -0.5, OffReason.REGIME),
        (60.0, 0.1, OffReason.QUOTED),
    ],
)
def test_a_trend_takes_both_sides_away(adx: float, trend: float, reason: OffReason) -> None:
    case = Case(REGIME)
    case.tick()
    case.signal(adx=adx, trend=trend)
    case.decide()
    assert case.quoter.off_reasons == (reason, reason)


def test_what_looks_at_the_signals_asks_for_them() -> None:
    for name, value in (
        ("shaping.regime_filter", True),
        ("shaping.flow_widening_max", 0.1),
        ("drift_momentum_usd_per_s", 1.0),
    ):
        with pytest.raises(ConfigError, match=f"{name} needs the signals: set signals.is_enabled = true"):
            BARE.with_values({name: value})
