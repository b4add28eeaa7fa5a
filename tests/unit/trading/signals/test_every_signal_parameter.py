"""Walks over every key of [strategy.signals] and shows that it changes a quote or a size in a lively market.

A new parameter without a case here fails the first test.
"""

from __future__ import annotations

import math
import random
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from domain import jit
from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import ClampFlag
from domain.records import TRADE
from tests.quoting_case import BARE, UNITS, Case
from trading.quoting.config import QuotingConfig
from trading.quoting.user.code import load_code
from trading.signals.config import SignalsConfig

FINE = UNITS._replace(tick_size=0.01)  # where an effect of a cent counts
SWITCHES = [name for name in SignalsConfig.__struct_fields__ if name.startswith("use_")]
SIGNAL_FILE = str(Path(__file__).resolve().parents[4] / "docs" / "my_signal.py")
QUICK = {
    "is_enabled": True, "candles_min": 3, "bar_s": 0.5, "adx_bars": 4, "trend_fast_bars": 3, "trend_slow_bars": 8,
    "flow_window_s": 4.0, "reservation_price_sensitivity": 0.5,
}  # fmt: skip


def only(*used: str, **changes: Any) -> dict[str, Any]:
    """Return keys of a configuration in which these signals act and no others."""
    return {**QUICK, **{name: name.removeprefix("use_") in used for name in SWITCHES}, **changes}


def deal(case: Case, price: float, size: float, side: int, after_ns: int) -> None:
    case.now_ns += after_ns
    trade = np.zeros(1, TRADE.dtype)
    trade["receive_time_ns"] = case.now_ns
    trade["price"], trade["size"], trade["aggressor_side"] = price, size, side
    case.quoter.take_trades(trade, 1)


@cache
def lively(encoded: bytes, silence_ns: int = 0) -> list[dict[str, Any]]:
    """Return quotes over half a minute in which price, volume and flow go their own ways, with a silence in it."""
    config = msgspec.json.decode(encoded, type=QuotingConfig)
    case = Case(config, FINE, load_code(config))
    case.hold(1000)
    rng = random.Random(5)
    price, lean, views = 100_000.0, 0.5, []
    for i in range(110):
        price += rng.choice((-40.0, -10.0, 0.0, 10.0, 40.0)) + (15.0 if i % 40 < 20 else -15.0)
        lean = min(max(lean + rng.choice((-0.2, 0.2)), 0.1), 0.9)
        case.set_book(price, price + 1.0)
        case.tick(rng.choice((100, 300)) * NS_PER_MS + (silence_ns if i == 70 else 0))
        for _ in range(rng.choice((1, 3))):
            side = 1 if rng.random() < lean else -1
            deal(case, price + side, rng.choice((0.01, 0.03, 0.2)), side, rng.choice((5, 50)) * NS_PER_MS)
        if i % 5 == 4:
            views.append(case.decide())
    return [{key: view[key] for key in ("bids", "asks", "bid_lots", "ask_lots")} for view in views]


def quotes(signals: dict[str, Any], silence_ns: int = 0) -> list[dict[str, Any]]:
    changes = {f"signals.{name}": value for name, value in signals.items()}
    config = BARE.with_values({"order_size_base": 1.0, "half_spread_min_usd": 20.0, **changes})
    return lively(msgspec.json.encode(config), silence_ns)


ALL = only(*(name.removeprefix("use_") for name in SWITCHES))
NONE = only()
WITH_FILE = only("user", user=SIGNAL_FILE)
# parameter: (what is configured around it, value, other value)
CASES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "is_enabled": (ALL, True, False),
    **{name: (NONE, False, True) for name in SWITCHES if name != "use_user"},
    "use_user": ({**NONE, "user": SIGNAL_FILE, "parameters": {"volume_factor_min": 1.0}}, False, True),
    "user": (only("user"), "", SIGNAL_FILE),
    "parameters": (WITH_FILE, {}, {"volume_factor_min": 3.0}),
    "candle_volume_base": (only("momentum"), 0.1, 0.4),
    "candle_age_s_max": (only("momentum"), 180.0, 0.2),
    "candles_min": (only("momentum"), 3, 15),
    "window_candles": (only("momentum"), 5, 20),
    "delta_fast_candles": (only("reversal"), 8, 2),
    "delta_slow_candles": (only("reversal"), 55, 10),
    "momentum_gain": (only("momentum"), 100.0, 50.0),
    "momentum_sensitivity": (only("momentum"), 1.5, 3.0),
    "reversal_gain": (only("reversal"), 50.0, 500.0),
    "reversal_delta_gain": (only("reversal"), 10.0, 0.5),
    "reversal_sensitivity": (only("reversal"), 1.2, 0.3),
    "volatility_range_gain": (only("volatility"), 50.0, 500.0),
    "volatility_sensitivity": (only("volatility"), 1.3, 0.3),
    "exhaustion_delta_min": (only("exhaustion"), 0.1, 2.0),
    "exhaustion_delta_gain": (only("exhaustion"), 5.0, 0.1),
    "flow_window_s": (only("flow_imbalance"), 4.0, 20.0),
    "bar_s": (only("trend"), 0.5, 1.0),
    "adx_bars": (only("trend"), 4, 7),
    "trend_fast_bars": (only("trend"), 3, 6),
    "trend_slow_bars": (only("trend"), 8, 12),
    "trend_full_atr": (only("trend"), 1.0, 10.0),
    "reversion_full_atr": (only("mean_reversion", adx_trending=100.0), 2.0, 10.0),
    "adx_trending": (only("trend"), 25.0, 100.0),
    "gap_ms_max": (only("momentum"), 10_000, 1_000),
    "reservation_price_sensitivity": (ALL, 0.5, 0.1),
    "shift_half_spreads_max": (ALL, 0.3, 0.1),
    "gamma_added_max": (ALL, 0.5, 5.0),
    "sigma_added_max": (ALL, 0.2, 5.0),
    "decay_cut_max": (ALL, 0.2, 0.9),
    "size_cut_max": (ALL, 0.3, 0.1),
}


@pytest.fixture(autouse=True, scope="module")
def _generated_modules_lie_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(jit.ENV_CACHE_DIR, str(tmp_path_factory.mktemp("cache")))
        yield


def test_every_parameter_has_a_case_and_a_description() -> None:
    assert sorted(CASES) == sorted(SignalsConfig.__struct_fields__)
    properties = msgspec.json.schema(SignalsConfig)["$defs"]["SignalsConfig"]["properties"]
    assert [name for name in CASES if not properties[name].get("description")] == []


@pytest.mark.parametrize("name", CASES)
def test_a_parameter_moves_a_quote_or_a_size(name: str) -> None:
    around, value, other = CASES[name]
    silence_ns = 3 * NS_PER_S if name == "gap_ms_max" else 0
    assert quotes({**around, name: value}, silence_ns) != quotes({**around, name: other}, silence_ns)


def test_without_a_switch_the_signals_are_measured_and_move_nothing() -> None:
    assert quotes(NONE) == quotes({**NONE, "is_enabled": False})


def test_a_quote_says_how_often_trades_come_while_the_signals_are_on() -> None:
    on, off = (Case(BARE.with_values({"signals.is_enabled": is_enabled}), FINE) for is_enabled in (True, False))
    for case in (on, off):
        case.tick()
        for _ in range(40):
            case.trade(100_000.0, 1, NS_PER_S // 8, size=0.1)
    assert on.quote()["trade_intensity_per_s"] == pytest.approx(8.0, rel=0.05)
    assert math.isnan(off.quote()["trade_intensity_per_s"])


def test_signals_move_quotes_within_their_bounds() -> None:
    # Given all signals at work
    config = BARE.with_values(
        {"order_size_base": 1.0, "half_spread_min_usd": 20.0, **{f"signals.{name}": v for name, v in ALL.items()}}
    )
    case = Case(config, FINE)
    without = Case(config.with_values({"signals.is_enabled": False}), FINE)
    for each in (case, without):
        each.quote()
    # If they say the most that they can
    case.signal(
        shift_half_spreads=0.3, gamma_added=0.5, sigma_added=0.2, decay_cut=0.2, bid_size_cut=0.3, ask_size_cut=0.3
    )
    moved, still = case.decide(), without.decide()
    # I expect the reservation price by at most that part of the half-spread, sizes by 30 %, and both said
    assert 0.0 < moved["signal_shift"] <= 0.3 * moved["half_spread"] + 1e-9
    assert moved["gamma_signal_factor"] == pytest.approx(1.5)
    assert moved["sigma_signal_factor"] == pytest.approx(1.2)
    assert moved["decay_signal_factor"] == pytest.approx(0.8)
    assert moved["bid_lots"][0] == pytest.approx(0.7 * still["bid_lots"][0], abs=1)
    assert moved["clamp_flags"] & ClampFlag.SIGNALS_USED
    assert not still["clamp_flags"] & ClampFlag.SIGNALS_USED
