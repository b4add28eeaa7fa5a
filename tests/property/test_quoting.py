"""What holds for every quote, whatever the book, the position and the parameters; and that JIT changes nothing."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.clock import NS_PER_MS
from domain.codes import OffReason
from domain.order import TradingState
from tests.quoting_case import BARE, Case
from trading.quoting.config import QuotingConfig
from trading.quoting.models.glft import glft
from trading.quoting.params import Units

positive = st.floats(1e-6, 1e4, allow_nan=False)
any_float = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def configs(draw: st.DrawFn) -> QuotingConfig:
    hard = draw(st.floats(0.001, 10.0))
    return BARE.with_values(
        {
            "model": draw(st.sampled_from(["glft", "avellaneda_stoikov"])),
            "fair_price": draw(st.sampled_from(["mid", "micro"])),
            "risk_aversion_per_usd": draw(positive),
            "xi_per_usd": draw(st.one_of(st.none(), st.just(0.0), positive)),
            "sigma_prior_usd_per_sqrt_s": draw(positive),
            "arrival_rate_prior_per_s": draw(positive),
            "arrival_decay_prior_per_usd": draw(positive),
            "order_size_base": draw(st.floats(0.001, 1.0)),
            "requote_ticks_min": draw(st.integers(1, 20)),
            "levels": draw(st.integers(1, 8)),
            "level_spacing_ticks": draw(st.integers(1, 50)),
            "level_size_factor": draw(st.floats(0.1, 3.0)),
            "inventory_weight": draw(st.floats(0.0, 5.0)),
            "fee_floor": draw(st.booleans()),
            "half_spread_min_usd": draw(st.floats(0.0, 10.0)),
            "position_hard_base": hard,
            "position_soft_base": draw(st.floats(0.0, hard)),
        }
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    tick = draw(st.sampled_from([0.01, 0.05, 0.1, 0.5, 1.0, 5.0]))
    case = Case(draw(configs()), Units(tick, 0.001, 1.0, draw(st.integers(1, 5))))
    bid_ticks = draw(st.integers(20, 10**6))
    gap = draw(st.integers(1, 200))
    sizes = st.floats(0.001, 100.0)
    levels = draw(st.integers(1, 10))
    case.set_book(bid_ticks * tick, (bid_ticks + gap) * tick, draw(sizes), draw(sizes), levels)
    case.hold(draw(st.integers(-20_000, 20_000)))
    case.limits["state"] = draw(st.sampled_from([TradingState.ACTIVE, TradingState.REDUCING, TradingState.RECOVERING]))
    case.limits["mark_price"] = bid_ticks * tick
    case.limits["position_lots_max"] = draw(st.integers(0, 20_000))
    case.limits["order_lots_max"] = draw(st.integers(0, 2000))
    case.limits["gross_notional_room"] = draw(st.floats(0.0, 1e9))
    if draw(st.booleans()):
        case.work("bid", (bid_ticks, draw(st.integers(1, 100))))
    return case


@settings(max_examples=150, deadline=None)
@given(cases())
def test_every_ladder_is_sane(case: Case) -> None:
    check(case, case.quote())
    # a moment later and elsewhere: what was held from before must be as sane
    shift = case.units.tick_size * 3
    case.set_book(case.book["bid_price"][0, 0] + shift, case.book["ask_price"][0, 0] + shift)
    check(case, case.quote(50 * NS_PER_MS))


def check(case: Case, view: dict[str, Any]) -> None:
    bids, asks = view["bids"], view["asks"]
    # bid below ask, whole ladder, and neither reaches the other side of the book
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    if bids and asks:
        assert bids[0] < asks[0]
    assert all(0 < bid < view["best_ask_ticks"] for bid in bids)
    assert all(ask > view["best_bid_ticks"] for ask in asks)
    # sizes: whole lots, none below the venue's smallest
    smallest = case.units.order_lots_min
    assert all(lots >= smallest for lots in view["bid_lots"] + view["ask_lots"])
    # a side is quoted, or says why not
    assert (view["bid_off_reason"] == OffReason.QUOTED) == bool(bids)
    assert (view["ask_off_reason"] == OffReason.QUOTED) == bool(asks)
    # the worst case stays within the limits of strategy and risk
    params = case.quoter.record["params"][0]
    position, limit = view["position_lots"], int(case.limits["position_lots_max"][0])
    hard = min(int(params["position_hard_lots"]), limit)
    assert not bids or position + sum(view["bid_lots"]) <= hard
    assert not asks or position - sum(view["ask_lots"]) >= -hard
    if case.limits["state"][0] == TradingState.REDUCING:
        assert sum(view["bid_lots"]) <= max(0, -position)
        assert sum(view["ask_lots"]) <= max(0, position)


@settings(max_examples=100, deadline=None)
@given(cases(), any_float, st.sampled_from(["bid_price", "bid_size", "ask_price", "ask_size"]))
def test_a_book_of_nonsense_never_gives_a_nonsense_price(case: Case, nonsense: float, field: str) -> None:
    case.book[field][0, 0] = nonsense
    view = case.quote()
    assert all(isinstance(ticks, int) and 0 < ticks < 10**15 for ticks in view["bids"] + view["asks"])
    if view["bids"] and view["asks"]:
        assert view["bids"][0] < view["asks"][0]


@settings(max_examples=200, deadline=None)
@given(st.tuples(*[any_float] * 6))
def test_the_model_gives_positive_finite_numbers_or_none(inputs: tuple[float, ...]) -> None:
    half, skew = glft(*inputs)
    assert math.isnan(half) or (half > 0 and skew >= 0)
    assert math.isnan(half) == math.isnan(skew)


@settings(max_examples=200, deadline=None)
@given(sigma=positive, rate=positive, decay=positive, gamma=positive, size=st.floats(1e-4, 10.0), up=st.floats(1, 10))
def test_the_half_spread_grows_with_sigma_and_with_scarcity_of_trades(
    sigma: float, rate: float, decay: float, gamma: float, size: float, up: float
) -> None:
    def half(**changes: float) -> float:
        inputs = {"sigma": sigma, "rate": rate, "decay": decay, "gamma": gamma, "order_size": size, **changes}
        return glft(xi=1e-3, **inputs)[0]

    base = half() * (1 - 1e-12)
    assert not half(sigma=sigma * up) < base
    assert not half(rate=rate / up) < base
    assert not half(gamma=gamma * up) < base  # at a given ξ: alone, γ only makes holding dearer


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9000), st.floats(1e-3, 10.0))
def test_the_skew_is_against_the_position_and_grows_with_it(position: int, gamma: float) -> None:
    shifts = []
    for held in (-position, 0, position, position + 500):
        case = Case(BARE.with_values({"risk_aversion_per_usd": gamma}))
        case.hold(held)
        shifts.append(case.quote()["skew"])
    short, flat, long, longer = shifts
    assert short > 0 == flat > long > longer
    assert short == -long


# ---- compiled and interpreted --------------------------------------------------------------------------------

_COMPILED = "import json; from tests.property.test_quoting import walk; print(json.dumps(walk()))"
COMPARED = (
    "bids", "bid_lots", "asks", "ask_lots", "bid_off_reason", "ask_off_reason", "clamp_flags", "wish_id",
    "arrivals_are_measured",
)  # fmt: skip


def walk() -> list[Any]:
    """Quote along a random market with every feature on, and return what came of it."""
    import numpy as np

    rng = np.random.default_rng(11)
    config = {"fit_arrivals": True, "sigma_samples_min": 5, "fit_intervals_min": 10.0, "fee_floor": True,
              "fee_maker_bps": 0.1, "fit_every_s": 2.0, "level_size_factor": 1.7, "position_hard_base": 1.0,
              "position_soft_base": 0.3, "fit_interval_ms": 300, "requote_ticks_min": 3,
              "fit_depth_step_ticks": 2}  # fmt: skip
    case = Case(BARE.with_values(config), Units(0.5, 0.001))
    mid, out = 50_000.0, []
    for i in range(1500):
        mid = 0.5 * round(2 * (mid + rng.normal(0.0, 2.0)))
        case.set_book(mid - 0.5 * rng.integers(1, 6), mid + 0.5 * rng.integers(1, 6), *rng.exponential(1.0, 2) + 0.002)
        case.book["is_valid"] = rng.random() > 0.01
        case.hold(int(rng.integers(-1100, 1100)))
        case.work("bid", (round(2 * mid) - 2, int(rng.integers(1, 500))))
        if i % 3 == 0:
            case.trade(mid + rng.normal(0.0, 4.0), int(rng.choice([-1, 1])), 10 * NS_PER_MS)
        view = case.quote(int(rng.integers(1, 200)) * NS_PER_MS)
        out.append([view[key] for key in COMPARED])
    return out


@pytest.fixture(scope="module")
def compiled_walk() -> list[Any]:
    here = Path(__file__).resolve()
    result = subprocess.run(
        [sys.executable, "-c", _COMPILED], capture_output=True, text=True, timeout=100, cwd=here.parents[2],
        env={**os.environ, "RINGMAKER_JIT": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_compiled_and_interpreted_kernels_give_the_same_quotes(compiled_walk: list[Any]) -> None:
    interpreted = walk()
    assert interpreted == compiled_walk
    # and the walk has seen what it should: both sides, refusals, fits
    assert {entry[4] for entry in interpreted} >= {OffReason.QUOTED, OffReason.NO_BOOK, OffReason.POSITION_LIMIT}
    assert any(entry[8] for entry in interpreted)
