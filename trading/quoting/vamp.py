"""VAMP, the volume-adjusted mid price: the micro-price of several levels.

    vamp = (bid_average·ask_size + ask_average·bid_size) / (bid_size + ask_size)

where bid_average ($) is the average price of the first `vamp_levels` bids, weighted by their sizes, and bid_size the
sum of these sizes; likewise for asks. Our own orders are left out, and their levels do not count. With one level it is
the micro-price. It leans to the thinner side as that does, but a small order at the touch moves it less.
"""

from __future__ import annotations

from domain.jit import Array, Record, kernel
from trading.quoting.touch import others_at


@kernel
def update_vamp(params: Record, state: Record, book: Record, account: Record, time_ns: int) -> None:
    """Set `vamp` ($) of `state` from a usable book."""
    bid_moment, bid_size = _side(
        params, time_ns, book["bid_count"], book["bid_price"], book["bid_size"],
        account["bid_count"], account["bid_price_ticks"], account["bid_size_lots"],
        state["own_bid_ticks"], state["own_bid_lots"], state["own_bid_until_ns"],
    )  # fmt: skip
    ask_moment, ask_size = _side(
        params, time_ns, book["ask_count"], book["ask_price"], book["ask_size"],
        account["ask_count"], account["ask_price_ticks"], account["ask_size_lots"],
        state["own_ask_ticks"], state["own_ask_lots"], state["own_ask_until_ns"],
    )  # fmt: skip
    ticks = (bid_moment / bid_size * ask_size + ask_moment / ask_size * bid_size) / (bid_size + ask_size)
    state["vamp"] = ticks * params["tick_size"]


@kernel
def _side(
    params: Record,
    time_ns: int,
    count: int,
    prices: Array,
    sizes: Array,
    own_count: int,
    own_prices: Array,
    own_sizes: Array,
    past_prices: Array,
    past_sizes: Array,
    past_until_ns: Array,
) -> tuple[float, float]:
    """Return (Σ size·ticks, Σ size) of one side's first levels that are not ours alone, up to one of nonsense."""
    moment = 0.0
    total = 0.0
    taken = 0
    for i in range(min(count, len(prices))):
        ticks, size = others_at(
            params, time_ns, prices[i], sizes[i], own_count, own_prices, own_sizes, past_prices, past_sizes,
            past_until_ns,
        )  # fmt: skip
        if ticks == 0 or taken == params["vamp_levels"]:
            break
        if size > 0.0:
            moment += size * ticks
            total += size
            taken += 1
    return moment, total
