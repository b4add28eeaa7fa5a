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

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import ClampFlag, OffReason
from domain.order import TradingState
from tests.quoting_case import BARE, Case
from trading.quoting.config import TABLE_MODELS, QuotingConfig
from trading.quoting.models.glft import glft
from trading.quoting.params import Units

positive = st.floats(1e-6, 1e4, allow_nan=False)
any_float = st.floats(allow_nan=True, allow_infinity=True)


SWITCHES = (
    "tick_filter", "dynamic_gamma", "market_stress", "market_impact", "measure_impact", "inventory_cost",
    "displacement_guard", "asymmetric_widening", "fill_imbalance", "post_fill_pause",
)  # fmt: skip


@st.composite
def configs(draw: st.DrawFn) -> QuotingConfig:
    hard = draw(st.floats(0.001, 10.0))
    model = draw(st.sampled_from(["glft", "avellaneda_stoikov", "avellaneda_stoikov_exact", "cartea_jaimungal"]))
    return BARE.with_values(
        {
            "model": model,
            "fair_price": draw(st.sampled_from(["mid", "micro", "vamp", "mark", "index"])),
            "funding_in_fair_price": draw(st.booleans()),
            "risk_aversion_per_usd": draw(positive),
            "xi_per_usd": draw(st.one_of(st.none(), st.just(0.0), positive)),
            "horizon_s": draw(positive),
            "drift_usd_per_s": draw(st.floats(-10.0, 10.0)),
            "sigma_prior_usd_per_sqrt_s": draw(positive),
            "arrival_rate_prior_per_s": draw(positive),
            "arrival_decay_prior_per_usd": draw(positive),
            "depth_proxy": draw(st.booleans()),
            "order_size_base": hard / draw(st.integers(1, 8)) if model in TABLE_MODELS else draw(st.floats(0.001, 1.0)),
            "requote_ticks_min": draw(st.integers(1, 20)),
            "levels": draw(st.integers(1, 8)),
            "level_spacing_ticks": draw(st.integers(1, 50)),
            "level_size_factor": draw(st.floats(0.1, 3.0)),
            "inventory_weight": draw(st.floats(0.0, 5.0)),
            "fee_floor": draw(st.booleans()),
            "half_spread_min_usd": draw(st.floats(0.0, 10.0)),
            "position_hard_base": hard,
            "position_soft_base": draw(st.floats(0.0, hard)),
            "signals.is_enabled": True,
            "shaping.flow_widening_max": draw(st.floats(0.0, 5.0)),
            "shaping.ladder_spacing": draw(st.sampled_from(["linear", "fibonacci"])),
            **{f"shaping.{name}": draw(st.booleans()) for name in SWITCHES},
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
    reference = st.one_of(any_float, st.just(bid_ticks * tick))
    case.refer(draw(reference), draw(reference), draw(st.one_of(any_float, st.just(1e-4))))
    for side in draw(st.lists(st.sampled_from([-1, 1]), max_size=8)):
        case.fill(side, 5 * NS_PER_S)
    part = st.floats(0.0, 1.0)
    case.signal(
        shift_half_spreads=draw(st.floats(-1.0, 1.0)), gamma_added=draw(part), sigma_added=draw(part),
        decay_cut=draw(st.floats(0.0, 0.9)), bid_size_cut=0.3 * draw(part), ask_size_cut=0.3 * draw(part),
        flow_imbalance=draw(st.floats(-1.0, 1.0)),
    )  # fmt: skip
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
    # terms: every number is finite as soon as a side is quoted, but for what nobody has said
    if bids or asks:
        unknown = {"mark_price", "index_price", "net_delta", "trade_intensity_per_s"}
        assert all(math.isfinite(value) for name, value in view.items() if type(value) is float and name not in unknown)
        assert view["bid_price"] < view["reservation_price"] < view["ask_price"]
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


@settings(max_examples=100, deadline=None)
@given(configs(), st.sampled_from(["mid", "micro", "vamp"]), st.integers(1, 40))
def test_a_symmetric_book_and_no_position_give_symmetric_quotes(
    config: QuotingConfig, fair_price: str, gap: int
) -> None:
    case = Case(config.with_values({"drift_usd_per_s": 0.0, "fair_price": fair_price, "funding_in_fair_price": False}))
    case.set_book(100_000.0, 100_000.0 + 2 * gap)
    view = case.quote()
    if view["bids"] and view["asks"]:
        centre = 100_000.0 + gap
        assert view["bid_price"] + view["ask_price"] == pytest.approx(2 * centre, rel=1e-12)
        assert centre - view["bids"][0] == view["asks"][0] - centre
        assert view["bid_lots"] == view["ask_lots"]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["avellaneda_stoikov_exact", "cartea_jaimungal"]),
    st.sampled_from(["sigma_prior_usd_per_sqrt_s", "arrival_rate_prior_per_s", "risk_aversion_per_usd"]),
    st.floats(0.1, 10.0), st.floats(0.01, 10.0), st.floats(0.05, 5.0), st.floats(1e-4, 0.1), st.floats(1.2, 10.0),
)  # fmt: skip
def test_solved_half_spreads_grow_with_sigma_gamma_and_scarcity_of_trades(
    model: str, name: str, sigma: float, rate: float, decay: float, gamma: float, up: float
) -> None:
    # Given a horizon that is far: near its end scarce trades may as well narrow the spread
    values = {
        "model": model, "order_size_base": 0.5, "position_hard_base": 4.0, "position_soft_base": 4.0,
        "xi_per_usd": 1e-3, "horizon_s": 1e5, "sigma_prior_usd_per_sqrt_s": sigma, "arrival_rate_prior_per_s": rate,
        "arrival_decay_prior_per_usd": decay, "risk_aversion_per_usd": gamma,
    }  # fmt: skip
    more = values | {name: values[name] / up if name == "arrival_rate_prior_per_s" else values[name] * up}  # type: ignore[operator]
    narrow, wide = (Case(BARE.with_values(changes)).quote()["half_spread_model"] for changes in (values, more))
    assert wide > narrow * (1 - 1e-3)


# ---- compiled and interpreted --------------------------------------------------------------------------------

_COMPILED = "import json; from tests.property.test_quoting import walk; print(json.dumps(walk()))"
COMPARED = (
    "bids", "bid_lots", "asks", "ask_lots", "bid_off_reason", "ask_off_reason", "clamp_flags", "wish_id",
    "arrivals_are_measured", "impact_is_measured",
)  # fmt: skip


def walk() -> list[Any]:
    """Quote along a random market with every feature on, and return what came of it."""
    import numpy as np

    rng = np.random.default_rng(11)
    config = {"fit_arrivals": True, "sigma_samples_min": 5, "fit_intervals_min": 10.0, "fee_floor": True,
              "fee_maker_bps": 1.0, "fit_every_s": 2.0, "level_size_factor": 1.7, "position_hard_base": 1.0,
              "position_soft_base": 0.3, "fit_interval_ms": 300, "requote_ticks_min": 3,
              "fit_depth_step_ticks": 2, "order_size_base": 0.05, "sigma_estimator": "two_scale",
              "fair_price": "index", "funding_in_fair_price": True, "signals.is_enabled": True,
              "signals.candle_volume_base": 0.05, "signals.bar_s": 2.0, "shaping.flow_widening_max": 0.3,
              "shaping.tick_filter_move_bps_max": 5.0, "shaping.regime_filter": True,
              "drift_momentum_usd_per_s": 0.5, "shaping.gamma_sigma_base_usd_per_sqrt_s": 2.0,
              "shaping.stress_fast_s": 1.0, "shaping.asymmetry_ticks": 5, "shaping.asymmetry_move_bps_min": 1.0,
              "shaping.fill_imbalance_share_min": 0.6, "shaping.regime_adx_max": 45.0,
              "shaping.tick_filter_average_s": 1.0, "shaping.impact_error_usd_per_base": 100.0,
              "horizon": "session_end", "session_end_utc": "00:18"}  # fmt: skip
    config |= {f"shaping.{name}": True for name in SWITCHES}
    case = Case(BARE.with_values(config), Units(0.5, 0.001))
    models = ("glft", "avellaneda_stoikov", "avellaneda_stoikov_exact", "cartea_jaimungal")
    mid, out = 50_000.0, []
    for i in range(1500):
        if i % 100 == 0:
            case.quoter.configure(BARE.with_values(config | {"model": models[i // 100 % 4]}), case.units)
        mid = 0.5 * round(2 * (mid + rng.normal(0.0, 2.0) + 15.0 * rng.choice([-1, 0, 1], p=[0.01, 0.98, 0.01])))
        gap = 0.5 * rng.integers(1, 6, 2) * (8 if 700 < i < 800 else 1)
        case.set_book(mid - gap[0], mid + gap[1], *rng.exponential(1.0, 2) + 0.002)
        case.book["is_valid"] = rng.random() > 0.01
        case.refer(index=mid - 20.0 + rng.normal(), funding=1e-4)
        case.hold(int(rng.integers(-1100, 1100)))
        case.work("bid", (round(2 * mid) - 2, int(rng.integers(1, 500))))
        if i % 3 == 0:
            case.trade(mid + rng.normal(0.0, 4.0), int(rng.choice([-1, 1])), 10 * NS_PER_MS, size=0.01)
        if i % 50 == 0:
            case.fill(int(rng.choice([-1, 1])))
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
    assert any(entry[9] for entry in interpreted)
    flags = 0
    for entry in interpreted:
        flags |= entry[6]
    wanted = ClampFlag.FEE_FLOOR | ClampFlag.DISPLACED | ClampFlag.BID_FILLED_OFTEN | ClampFlag.ASK_FILLED_OFTEN
    wanted |= ClampFlag.STRESSED | ClampFlag.SIGNALS_USED | ClampFlag.ASK_ASYMMETRIC | ClampFlag.GAMMA_BOUNDED
    assert flags & wanted == wanted
    assert {OffReason.POST_FILL, OffReason.TICK_REFUSED} <= {entry[4] for entry in interpreted}
