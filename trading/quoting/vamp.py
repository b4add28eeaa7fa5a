"""VAMP, the volume-adjusted mid price: the micro-price of several levels.

    vamp = (bid_average·ask_size + ask_average·bid_size) / (bid_size + ask_size)

where bid_average ($) is the average price of the first `vamp_levels` bids, weighted by their sizes, and bid_size the
sum of these sizes; likewise for asks. Our own orders are left out, and their levels do not count. With one level it is
the micro-price. It leans to the thinner side as that does, but a small order at the touch moves it less.
"""

from __future__ import annotations

from domain.jit import Record, kernel
from trading.quoting.touch import Side, asks_of, bids_of, others_at


@kernel
def update_vamp(params: Record, state: Record, book: Record, account: Record, time_ns: int) -> None:
    """Set `vamp` ($) of `state` from a usable book."""
    bid_moment, bid_size = _moment(params, bids_of(state, book, account), time_ns)
    ask_moment, ask_size = _moment(params, asks_of(state, book, account), time_ns)
    ticks = (bid_moment / bid_size * ask_size + ask_moment / ask_size * bid_size) / (bid_size + ask_size)
    state["vamp"] = ticks * params["tick_size"]


@kernel
def _moment(params: Record, side: Side, time_ns: int) -> tuple[float, float]:
    """Return (Σ size·ticks, Σ size) of one side's first levels that are not ours alone, up to one of nonsense."""
    moment = 0.0
    total = 0.0
    taken = 0
    for level in range(min(side[0], len(side[1]))):
        ticks, size = others_at(params, side, level, time_ns)
        if ticks == 0 or taken == params["vamp_levels"]:
            break
        if size > 0.0:
            moment += size * ticks
            total += size
            taken += 1
    return moment, total
