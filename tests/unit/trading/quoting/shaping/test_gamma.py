from __future__ import annotations

import pytest

from domain.clock import NS_PER_S
from domain.codes import ClampFlag
from tests.quoting_case import BARE, Case, quote
from trading.quoting.config import QuotingConfig


def shaped(**changes: object) -> QuotingConfig:
    return BARE.with_values({f"shaping.{name}": value for name, value in changes.items()})


@pytest.mark.parametrize(
    ("base", "factor", "is_bounded"), [(5.0, 1.0, False), (2.5, 2.0, False), (0.5, 3.0, True), (50.0, 0.5, True)]
)
def test_gamma_follows_sigma_over_its_base_within_bounds(base: float, factor: float, is_bounded: bool) -> None:
    view = quote(shaped(dynamic_gamma=True, gamma_sigma_base_usd_per_sqrt_s=base))
    assert view["gamma_factor"] == factor
    assert view["risk_aversion"] == pytest.approx(0.01 * factor)
    assert bool(view["clamp_flags"] & ClampFlag.GAMMA_BOUNDED) == is_bounded


def test_nothing_compounds() -> None:
    case = Case(shaped(dynamic_gamma=True, gamma_sigma_base_usd_per_sqrt_s=2.5, market_stress=True))
    seen = {case.quote(NS_PER_S)["risk_aversion"] for _ in range(50)}
    assert seen == {0.02}


def test_without_a_base_the_slow_average_of_sigma_is_it() -> None:
    case = Case(shaped(dynamic_gamma=True, gamma_factor_max=100.0).with_values({"sigma_samples_min": 1}))
    for i in range(40):  # a market that shakes
        case.set_book(100_000.0 + 20.0 * (i % 2), 100_001.0 + 20.0 * (i % 2))
        case.tick(NS_PER_S)
    state = case.quoter.record["state"][0]
    view = case.decide()
    assert view["gamma_factor"] == pytest.approx(view["sigma"] / state["sigma_slow"])
    assert view["gamma_factor"] > 1.2


def stressed(bid: float, ask: float, size: float, **changes: object) -> dict[str, float]:
    """A minute of a book one dollar wide with 20 units on it, then a minute of another."""
    case = Case(shaped(market_stress=True, stress_fast_s=0.001, stress_slow_s=1e4, **changes))
    for _ in range(60):
        case.tick(NS_PER_S)
    case.set_book(bid, ask, size, size)
    for _ in range(60):
        case.tick(NS_PER_S)
    return case.decide()


def test_stress_is_the_cube_root_of_spread_depth_and_sigma_over_their_usual_values() -> None:
    # A spread eight times as wide alone: 2. A quarter of the size as well: ∛(8·4), above the bound of 3
    assert stressed(100_000.0, 100_008.0, 1.0)["market_stress"] == pytest.approx(2.0, rel=0.03)
    both = stressed(100_000.0, 100_008.0, 0.25)
    assert both["market_stress"] == 3.0
    assert stressed(100_000.0, 100_008.0, 0.25, market_stress_max=10.0)["market_stress"] == pytest.approx(
        32 ** (1 / 3), rel=0.05
    )
    assert both["risk_aversion"] == pytest.approx(0.03)
    assert both["clamp_flags"] & ClampFlag.STRESSED


def test_a_market_that_is_better_than_usual_is_no_stress() -> None:
    view = stressed(100_000.0, 100_001.0, 5.0)
    assert view["market_stress"] == 1.0
    assert not view["clamp_flags"] & ClampFlag.STRESSED


def test_our_own_orders_are_no_depth() -> None:
    case = Case(shaped(market_stress=True))
    case.work("bid", (100_000, 400), (99_999, 100))
    case.tick()
    assert float(case.quoter.record["state"]["depth_slow"][0]) == pytest.approx(20.0 - 0.5)
