"""Models with a finite horizon as the session runs out: nothing explodes, nothing is left out, the next one begins."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from tests.quoting_case import BARE, UNITS, Case
from trading.quoting.config import QuotingConfig

FINE = UNITS._replace(tick_size=0.01)
END_S = 1020  # 00:17 UTC; a case begins 20 s before it
SESSION = BARE.with_values(
    {"horizon": "session_end", "session_end_utc": "00:17", "horizon_s": 15.0, "order_size_base": 0.5,
     "position_soft_base": 5.0, "position_hard_base": 5.0, "table_tolerance": 0.001, "levels": 1}
)  # fmt: skip
TERMINAL = 0.2  # $ per base²
CONFIGS = {
    "avellaneda_stoikov": SESSION.with_values({"model": "avellaneda_stoikov"}),
    "avellaneda_stoikov_exact": SESSION.with_values({"model": "avellaneda_stoikov_exact"}),
    "cartea_jaimungal": SESSION.with_values({"model": "cartea_jaimungal"}),
    "terminal penalty": SESSION.with_values(
        {"model": "cartea_jaimungal", "terminal_penalty_usd_per_base2": TERMINAL}
    ),
}  # fmt: skip


def to_the_end(config: QuotingConfig, position_lots: int) -> list[dict[str, Any]]:
    """Quote every 0.1 s from 20 s before the session's end to 5 s after it."""
    case = Case(config, FINE)
    case.hold(position_lots)
    views = []
    for _ in range(251):
        views.append(case.quote())
        case.now_ns += 100 * NS_PER_MS
    assert views[-1]["computed_time_ns"] == (END_S + 5) * NS_PER_S
    return views


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("position_lots", [0, 1500, -1500])
def test_every_quote_on_the_way_is_sane(name: str, position_lots: int) -> None:
    views = to_the_end(CONFIGS[name], position_lots)
    widest = max(view["half_spread_model"] for view in views[:10])
    for view in views:
        assert 1.0 <= view["horizon_s"] <= 15.0
        assert view["bids"], view["computed_time_ns"]
        assert view["asks"]
        assert view["bids"][0] < view["asks"][0]
        # never wider than at the horizon, never below what is paid for being filled: nearly 1/κ = 2 $
        assert 0.99 * 1.99 < view["half_spread_model"] <= 1.001 * widest
        assert view["skew"] * position_lots <= 0.0
        assert abs(view["reservation_price"] - view["fair_price"]) < 20.0


@pytest.mark.parametrize("name", CONFIGS)
def test_towards_the_end_the_half_spread_comes_down_to_the_price_of_liquidity(name: str) -> None:
    halves = [view["half_spread_model"] for view in to_the_end(CONFIGS[name], 0)][50:200]  # the last 15 s
    assert all(later <= earlier * 1.001 for earlier, later in pairwise(halves))
    if name == "terminal penalty":
        # ln of exp(−αΔκ·1²): one order more costs αΔ more on either side
        assert halves[-1] == pytest.approx(2.0 + TERMINAL * 0.5, abs=0.2)
    else:
        assert halves[-1] == pytest.approx(2.0, abs=0.1)


def test_what_a_position_shifts_runs_out_with_the_session_unless_what_is_left_over_costs() -> None:
    for name, config in CONFIGS.items():
        skews = [-view["skew"] for view in to_the_end(config, 1500)]
        begin, end, after = skews[50], skews[199], skews[210]
        assert begin > 0.0
        if name == "terminal penalty":
            # 2·(α + φτ)·q with τ = 1 s, less what is expected to be sold meanwhile
            assert end == pytest.approx(2 * (TERMINAL + 0.5 * 0.01 * 5.0**2) * 1.5, rel=0.1)
        else:
            assert 0.0 < end < 0.25 * begin
        # the next session has its whole horizon before it
        assert after == pytest.approx(begin, rel=0.02)
