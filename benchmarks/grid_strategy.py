"""A grid of ten post-only quotes a side around a skewed mid, its step following volatility: what both engines run.

The half-spread is `spread_factor` standard deviations of the mid over a decision, the centre moves against the
inventory by `skew` half-spreads at the largest position. benchmarks/backtest_theirs.py holds the same for hftbacktest.
"""

import math

from domain.jit import Record
from trading.quoting.standard import on_book, on_fill, on_trade  # noqa: F401  what a strategy file has to have

LEVELS = 10
parameters = {"spread_factor": (2.0, 0.1, 100.0), "skew": (1.0, 0.0, 10.0), "position_lots_max": (20.0, 1.0, 1e6)}
state = {"last_mid": 0.0, "variance": 0.0}


def quote(q: Record) -> None:
    """Write the grid."""
    user = q["user"]
    bid_ticks = q["state"]["best_bid_ticks"]
    ask_ticks = q["state"]["best_ask_ticks"]
    mid = 0.5 * (bid_ticks + ask_ticks)
    if user["last_mid"] != 0.0:
        move = mid - user["last_mid"]
        user["variance"] += (move * move - user["variance"]) / 100.0
    user["last_mid"] = mid
    position = q["account"]["position_lots"]
    half_spread = max(1.0, user["spread_factor"] * math.sqrt(user["variance"]))
    step = max(1, int(half_spread + 0.5))
    centre = mid - user["skew"] * half_spread * position / user["position_lots_max"]
    bid = min(math.floor((centre - half_spread) / step) * step, bid_ticks)
    ask = max(math.ceil((centre + half_spread) / step) * step, ask_ticks)
    ladder = q["ladder"]
    bids = int(min(LEVELS, max(0, user["position_lots_max"] - position)))
    asks = int(min(LEVELS, max(0, user["position_lots_max"] + position)))
    for i in range(bids):
        ladder["bid_price_ticks"][i] = bid - i * step
        ladder["bid_size_lots"][i] = 1
    for i in range(asks):
        ladder["ask_price_ticks"][i] = ask + i * step
        ladder["ask_size_lots"][i] = 1
    ladder["bid_count"] = bids
    ladder["ask_count"] = asks
