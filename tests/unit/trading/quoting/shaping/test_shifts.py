"""Steps 2 and 3: what moves the reservation price or widens both sides before the bounds."""

from __future__ import annotations

import pytest

from domain.clock import NS_PER_S
from domain.codes import ClampFlag
from tests.quoting_case import BARE, UNITS, Case, quote
from trading.quoting.models.glft import glft

SIGNALS = BARE.with_values({"signals.is_enabled": True})
COST = BARE.with_values({"shaping.inventory_cost": True})


def test_signals_change_each_term_by_as_much_as_they_say() -> None:
    # Given what trading/signals/use.py makes of them
    case = Case(SIGNALS)
    case.tick()
    plain = case.decide()
    case.signal(
        shift_half_spreads=0.3, gamma_added=0.5, sigma_added=0.2, decay_cut=0.2, bid_size_cut=0.3, ask_size_cut=0.1
    )
    view = case.decide()
    # I expect γ, σ, κ, sizes and the reservation price to follow
    assert view["risk_aversion"] == pytest.approx(0.015)
    assert view["sigma"] == pytest.approx(6.0)
    assert view["arrival_decay"] == pytest.approx(0.4)
    half, _ = glft(6.0, 1.0, 0.4, 0.015, 0.015, 0.01)
    assert view["half_spread"] == pytest.approx(half)
    assert view["signal_shift"] == pytest.approx(0.3 * half)
    assert view["reservation_price"] == pytest.approx(plain["reservation_price"] + 0.3 * half)
    assert (view["bid_lots"][0], view["ask_lots"][0]) == (7, 9)
    assert view["clamp_flags"] & ClampFlag.SIGNALS_USED
    assert not plain["clamp_flags"] & ClampFlag.SIGNALS_USED


def test_one_sided_flow_widens_both_sides_alike() -> None:
    case = Case(SIGNALS.with_values({"shaping.flow_widening_max": 0.5}))
    case.tick()
    plain = case.decide()
    widths = []
    for imbalance in (-0.8, 0.8):
        case.signal(flow_imbalance=imbalance)
        view = case.decide()
        assert view["reservation_price"] == plain["reservation_price"]
        widths.append(view["half_spread"] / plain["half_spread"])
    assert widths == [pytest.approx(1.4), pytest.approx(1.4)]


def test_market_impact_adds_half_of_the_move_of_a_fill_and_strengthens_the_skew() -> None:
    # Given a mid that moves by $200 for each unit filled, orders of 0.01: ζ = 2
    config = BARE.with_values({"shaping.market_impact": True, "shaping.impact_usd_per_base": 200.0})
    view, plain = quote(config, 2000), quote(BARE, 2000)
    assert view["market_impact"] == 1.0
    assert view["skew"] / plain["skew"] == pytest.approx(2.718281828 ** (0.5 * 2.0 / 4))
    assert view["half_spread"] > plain["half_spread"] + 1.0


@pytest.mark.parametrize(("lots", "sign"), [(500, -1), (-500, 1)])
def test_a_position_costs_more_the_longer_it_is_held(lots: int, sign: int) -> None:
    case = Case(COST)
    case.hold(lots)
    case.quote()
    seen = []
    for _ in range(3):
        case.now_ns += 30 * NS_PER_S
        view = case.quote()
        seen.append(view["inventory_cost"])
    # 0.01 · 0.5 base · 30 s · 5 $/√s = 0.75 $, then twice, then held to one half-spread
    assert seen[:2] == [pytest.approx(sign * 0.75), pytest.approx(sign * 1.5)]
    assert seen[2] == pytest.approx(sign * view["half_spread"])
    assert view["clamp_flags"] & ClampFlag.INVENTORY_COST_BOUNDED


def test_the_time_starts_anew_when_the_position_changes_its_sign_but_not_its_size() -> None:
    case = Case(COST)
    for lots in (100, 200, 50):
        case.hold(lots)
        case.now_ns += 10 * NS_PER_S
        held = case.quote()["inventory_cost"]
    assert held == pytest.approx(-0.01 * 0.05 * 20 * 5)
    case.hold(-50)
    assert case.quote(10 * NS_PER_S)["inventory_cost"] == 0.0
    case.hold(0)
    assert case.quote(10 * NS_PER_S)["inventory_cost"] == 0.0


def test_a_drift_shifts_both_quotes_within_its_bound() -> None:
    plain = quote(BARE)
    view = quote(BARE.with_values({"drift_usd_per_s": 0.02}))
    assert view["drift_shift"] == pytest.approx(plain["skew_per_unit"] * 0.02 / (0.01 * 25.0))
    bounded = quote(BARE.with_values({"drift_usd_per_s": -5.0}))
    assert bounded["drift_shift"] == pytest.approx(-plain["half_spread_model"])
    assert bounded["clamp_flags"] & ClampFlag.DRIFT_BOUNDED
    rolling = quote(BARE.with_values({"model": "avellaneda_stoikov", "drift_usd_per_s": 0.01}))
    assert rolling["drift_shift"] == pytest.approx(0.01 * 60.0)


def test_a_cut_by_signals_never_takes_a_side_away() -> None:
    # Given orders of the smallest size that the venue takes
    case = Case(SIGNALS.with_values({"order_size_base": 0.002}), UNITS._replace(order_lots_min=2))
    case.tick()
    # If the signals want them smaller
    case.signal(bid_size_cut=0.3, ask_size_cut=0.3)
    view = case.decide()
    # I expect them to stay
    assert (view["bid_lots"], view["ask_lots"]) == ([2, 2, 2], [2, 2, 2])
