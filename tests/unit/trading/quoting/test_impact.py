"""Market impact as measured: of known markets, over outages, restarts and quiet times, and of nonsense."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import ClampFlag
from tests.quoting_case import BARE, UNITS, Case
from trading.quoting.config import QuotingConfig
from trading.quoting.impact import impact_on_book, impact_on_trade, known_impact
from trading.quoting.params import Units, write_params
from trading.quoting.quoter import Quoter
from trading.quoting.records import PARAMS, STATE

FINE = UNITS._replace(tick_size=0.01)
SEEDS = 20


def measuring(**changes: object) -> QuotingConfig:
    """A configuration that hardly trusts what is configured: nearly all of what is used is measured."""
    usual = {"measure_impact": True, "impact_halflife_s": 3600.0, "impact_error_usd_per_base": 1e6}
    return BARE.with_values({f"shaping.{name}": value for name, value in {**usual, **changes}.items()})


class Market:
    """A mid that flow moves: by `now` $ a unit within the interval of 1 s, by `later` more in the next."""

    def __init__(self, case: Case, now: float, later: float = 0.0, noise: float = 0.0, seed: int = 1) -> None:
        self.case = case
        self.now, self.later, self.noise = now, later, noise
        self.rng = np.random.default_rng(seed)
        self.mid = 100_000.0
        self.flow_before = 0.0
        self._book()

    def run(self, intervals: int, multiplier: float = 1.0) -> None:
        """Let takers trade in every interval, on average five units, and the mid answer."""
        for _ in range(intervals):
            flow = float(self.rng.normal(0.0, 5.0))
            self.case.trade(self.mid, 1 if flow > 0 else -1, 400 * NS_PER_MS, size=abs(flow) / multiplier)
            self.mid += self.now * flow + self.later * self.flow_before + self.rng.normal(0.0, self.noise)
            self.flow_before = flow
            self._book(500 * NS_PER_MS)
            self.case.tick(100 * NS_PER_MS)  # the grid's point: the mid of the book before is in force

    def _book(self, after_ns: int = 0) -> None:
        self.case.set_book(round(self.mid - 0.5, 2), round(self.mid + 0.5, 2), levels=1)
        self.case.tick(after_ns)


def test_a_known_impact_is_found_within_the_stated_error() -> None:
    # Given noise of 3 $ an interval and flow that moves the mid by 0.8 $ a unit for a while, 0.5 for good
    covered = 0
    for seed in range(SEEDS):
        case = Case(measuring(), FINE)
        Market(case, now=0.8, later=-0.3, noise=3.0, seed=seed).run(300)
        view = case.decide()
        state = case.quoter.record["state"][0]
        assert view["impact_is_measured"] == 1
        assert abs(view["impact_per_base"] - 0.5) < 4 * view["impact_error"] < 0.4
        assert abs(state["impact_now"] - 0.8) < 0.2
        # 4 $² of 13 are the flow's (0.8² + 0.3², times 25, of that and 9)
        assert state["impact_r2"] == pytest.approx(0.67, abs=0.12)
        covered += abs(view["impact_per_base"] - 0.5) < 1.96 * view["impact_error"]
    print(f"{covered} of {SEEDS} intervals of 95 % hold the truth")
    assert covered >= 16


def test_noise_alone_is_no_impact() -> None:
    case = Case(measuring(), FINE)
    Market(case, now=0.0, noise=3.0).run(300)
    view = case.decide()
    assert view["impact_per_base"] < 3 * view["impact_error"]


def test_impact_is_of_a_base_unit_whatever_a_contract_holds() -> None:
    # Given contracts of 0.01 base units, and a market in which a base unit moves the mid by $2
    case = Case(measuring(), Units(0.01, 1.0, 0.01))
    Market(case, now=2.0).run(70, multiplier=0.01)
    assert case.decide()["impact_per_base"] == pytest.approx(2.0, rel=0.02)


def test_it_counts_as_measured_from_the_least_number_of_intervals_with_trades() -> None:
    case = Case(measuring(impact_samples_min=20, impact_usd_per_base=7.0), FINE)
    market = Market(case, now=2.0)
    market.run(20)  # the first interval has none before it
    view = case.decide()
    assert (view["impact_is_measured"], view["impact_per_base"]) == (0, 7.0)
    assert view["impact_error"] == 1e6
    market.run(1)
    view = case.decide()
    assert (view["impact_is_measured"], view["impact_per_base"]) == (1, pytest.approx(2.0, rel=0.05))


def test_the_configured_one_counts_by_how_well_each_is_known() -> None:
    # Given a configured 10 ± e
    found = {}
    for error in (1e-6, 0.05, 1e6):
        case = Case(measuring(impact_usd_per_base=10.0, impact_error_usd_per_base=error), FINE)
        Market(case, now=0.5, noise=3.0).run(200)
        view, state = case.decide(), case.quoter.record["state"][0]
        measured, measured_error = state["impact_now"] + state["impact_later"], state["impact_error"]
        # I expect the mean weighted by 1/error², by hand
        weights = 1 / error**2, 1 / measured_error**2
        expected = (10.0 * weights[0] + measured * weights[1]) / sum(weights)
        assert view["impact_per_base"] == pytest.approx(expected)
        assert view["impact_error"] == pytest.approx(1 / math.sqrt(sum(weights)))
        found[error] = view["impact_per_base"]
    assert found[1e-6] == pytest.approx(10.0)
    assert found[1e6] == pytest.approx(0.5, abs=0.2)
    assert found[1e6] < found[0.05] < 10.0


def test_while_nothing_is_traded_it_goes_back_to_the_configured_one() -> None:
    case = Case(measuring(impact_halflife_s=60.0, impact_error_usd_per_base=1.0), FINE)
    Market(case, now=0.5, noise=3.0).run(200)
    errors, impacts = [], []
    for _ in range(5):
        view = case.decide()
        errors.append(view["impact_error"])
        impacts.append(view["impact_per_base"])
        for _ in range(150):
            case.tick(2 * NS_PER_S)
    assert errors == sorted(errors)
    assert impacts == sorted(impacts)
    assert impacts[0] < 1.0
    assert impacts[-1] == pytest.approx(10.0, abs=0.1)


@pytest.mark.parametrize("outage", ["silence", "invalid", "resumed", "switched off"])
def test_an_outage_is_no_move_and_tears_no_flow_apart(outage: str) -> None:
    case = Case(measuring(), FINE)
    market = Market(case, now=2.0)
    market.run(80)
    before = case.decide()["impact_per_base"]
    # If trades come and the mid jumps by $500 while nobody looks
    case.trade(market.mid, -1, 100 * NS_PER_MS, size=3.0)
    if outage == "invalid":
        case.book["is_valid"] = 0
        case.tick(100 * NS_PER_MS)
        case.book["is_valid"] = 1
    elif outage == "resumed":
        case.quoter.take_outage()
    elif outage == "switched off":
        case.quoter.configure(BARE, FINE)
        case.tick(100 * NS_PER_MS)
        case.quoter.configure(measuring(), FINE)
    market.mid += 500.0
    case.set_book(round(market.mid - 0.5, 2), round(market.mid + 0.5, 2), levels=1)
    case.tick(11 * NS_PER_S if outage == "silence" else 0)
    market.flow_before = 0.0
    market.run(40)
    assert before == pytest.approx(2.0, rel=0.02)
    assert case.decide()["impact_per_base"] == pytest.approx(before, rel=0.02)


def test_an_impact_beyond_its_bounds_is_held_and_says_so() -> None:
    for now, expected in ((2.0, 1.5), (-2.0, 0.3)):
        case = Case(measuring(impact_usd_per_base_min=0.3, impact_usd_per_base_max=1.5), FINE)
        Market(case, now=now).run(80)
        view = case.decide()
        assert view["impact_per_base"] == expected
        assert view["clamp_flags"] & ClampFlag.IMPACT_BOUNDED
    # but what is configured is what somebody wanted
    configured = Case(measuring(impact_usd_per_base=7.0, impact_usd_per_base_max=1.5)).quote()
    assert configured["impact_per_base"] == 7.0
    assert not configured["clamp_flags"] & ClampFlag.IMPACT_BOUNDED


def test_quotes_pay_for_the_measured_impact_only_when_they_are_to() -> None:
    # Given a market that moves by $2 for each unit, and orders of 0.01
    halves = []
    for pays in (False, True):
        case = Case(measuring(market_impact=pays), FINE)
        Market(case, now=2.0).run(80)
        view = case.decide()
        assert view["impact_per_base"] == pytest.approx(2.0, rel=0.02)
        assert view["market_impact"] == pytest.approx(0.5 * 0.01 * view["impact_per_base"] if pays else 0.0)
        halves.append(view["half_spread"])
    assert halves[1] > halves[0]


def test_it_survives_a_restart_and_goes_on() -> None:
    old = Case(measuring(), FINE)
    market = Market(old, now=2.0)
    market.run(80)
    new = Case(measuring(), FINE)
    new.quoter.restore_state(old.quoter.state)
    new.now_ns = old.now_ns
    assert new.decide()["impact_per_base"] == old.decide()["impact_per_base"]
    samples = int(new.quoter.record["state"]["impact_samples"][0])
    market.case = new
    market.run(10)
    assert int(new.quoter.record["state"]["impact_samples"][0]) >= samples + 8


def test_sizes_that_are_no_sizes_do_not_count() -> None:
    case = Case(measuring(), FINE)
    case.tick()
    for size in (math.nan, math.inf, -1.0, 0.0):
        case.trade(100_000.0, 1, NS_PER_MS, size=size)
    assert float(case.quoter.record["state"]["impact_flow"][0]) == 0.0


anything = st.floats(allow_nan=False, allow_infinity=False)
steps = st.lists(
    st.tuples(st.integers(1, 5 * NS_PER_S), anything, anything, st.sampled_from([-1, 1])), min_size=15, max_size=60
)


@settings(max_examples=150, deadline=None)
@given(steps, st.integers(10, 5000), st.floats(1e-6, 1e9), st.floats(1e-3, 86_400.0))
def test_any_finite_input_leaves_finite_numbers(
    walk: list[tuple[int, float, float, int]], interval_ms: int, prior_error: float, halflife_s: float
) -> None:
    params, state = np.zeros(1, PARAMS), np.zeros(1, STATE)
    config = measuring(
        impact_interval_ms=interval_ms, impact_error_usd_per_base=prior_error, impact_halflife_s=halflife_s,
        impact_samples_min=10,
    )  # fmt: skip
    write_params(params, config, UNITS)
    time_ns = NS_PER_S
    for after_ns, mid, size, side in walk:
        time_ns += after_ns
        state["mid"] = mid
        impact_on_book(params[0], state[0], time_ns)
        impact_on_trade(params[0], state[0], time_ns, size, side)
        impact, error, _ = known_impact(params[0], state[0])
        assert math.isfinite(impact)
        assert 0.0 <= error <= prior_error
        assert all(np.all(np.isfinite(state[name])) for name in STATE.names or () if name.startswith("impact_"))
        assert 0.0 <= state["impact_r2"][0] <= 1.0


def test_a_quoter_that_knows_nothing_uses_what_is_configured() -> None:
    quoter = Quoter(instrument=0)
    quoter.configure(measuring(), UNITS)
    assert known_impact(quoter.record["params"][0], quoter.record["state"][0]) == (10.0, 1e6, False)
