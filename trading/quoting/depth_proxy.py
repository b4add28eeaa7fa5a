"""κ from the shape of the order book, for a market in which too few trades are seen to fit it.

If the size that rests at distance δ from the mid falls as exp(−κδ), its mean distance is 1/κ. So κ = Σ size / Σ size·δ
over the visible levels of both sides, ours left out: 1/$, as κ must be. A proxy: it tells where others quote, not
where trades reach.
"""

from __future__ import annotations

from domain.jit import Array, Record, kernel
from trading.quoting.averages import moved_average
from trading.quoting.touch import own_size_at


@kernel
def update_depth_proxy(params: Record, state: Record, book: Record, account: Record, elapsed_s: float) -> None:
    """Take the book's shape into the average of κ."""
    mid = state["mid"]
    bid_size, bid_moment = _moments(
        params, mid, book["bid_count"], book["bid_price"], book["bid_size"],
        account["bid_count"], account["bid_price_ticks"], account["bid_size_lots"],
    )  # fmt: skip
    ask_size, ask_moment = _moments(
        params, mid, book["ask_count"], book["ask_price"], book["ask_size"],
        account["ask_count"], account["ask_price_ticks"], account["ask_size_lots"],
    )  # fmt: skip
    size = bid_size + ask_size
    moment = bid_moment + ask_moment
    if size > 0.0 and moment > 0.0:
        decay = moved_average(state["depth_decay"], size / moment, elapsed_s, params["depth_proxy_average_s"])
        state["depth_decay"] = decay


@kernel
def _moments(
    params: Record, mid: float, count: int, prices: Array, sizes: Array, own_count: int, own_prices: Array,
    own_sizes: Array,
) -> tuple[float, float]:  # fmt: skip
    """Return (Σ size, Σ size·distance from the mid) of one side; levels without a usable number do not count."""
    total = 0.0
    moment = 0.0
    for i in range(min(count, len(prices))):
        size = sizes[i] - own_size_at(params, prices[i], own_count, own_prices, own_sizes)
        distance = abs(prices[i] - mid)
        if 0.0 < size < 1e15 and distance < 1e15:
            total += size
            moment += size * distance
    return total, moment
