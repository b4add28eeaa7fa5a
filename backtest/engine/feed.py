"""What we see: our own book from the feed as the strategy is shown it, and samples of how things stand."""

from __future__ import annotations

from backtest.engine.records import PLACE_MASK
from backtest.engine.weave import ASKS, BIDS, EMPTY_ASK, EMPTY_BID
from domain.jit import Array, Record, inlined_kernel, kernel
from domain.records import BOOK_LEVELS


@kernel
def is_usable(run: Record) -> bool:
    """Return whether both sides of what we see hold something and do not cross."""
    bid = run["market_bid_ticks"]
    ask = run["market_ask_ticks"]
    return bool(bid != EMPTY_BID and ask != EMPTY_ASK and bid < ask)


@kernel
def fill_book(run: Record, levels: Array, book: Record) -> None:
    """Write the best levels that we see into a BOOK record, with the time at which the last message came."""
    book["exchange_time_ns"] = run["data_time_ns"]
    book["receive_time_ns"] = run["data_time_ns"]
    book["receive_realtime_ns"] = run["data_time_ns"]
    book["update_count"] = run["books"]
    book["is_valid"] = 1 if is_usable(run) else 0
    book["bid_count"] = _fill_side(
        levels, BIDS, run["market_bid_ticks"], -1, run["bid_levels"], run["tick_size"], run["lot_size"],
        book["bid_price"], book["bid_size"], book["bid_count"],
    )  # fmt: skip
    book["ask_count"] = _fill_side(
        levels, ASKS, run["market_ask_ticks"], 1, run["ask_levels"], run["tick_size"], run["lot_size"],
        book["ask_price"], book["ask_size"], book["ask_count"],
    )  # fmt: skip


@inlined_kernel
def _fill_side(
    levels: Array, side: int, best: int, direction: int, kept: int, tick_size: float, lot_size: float, prices: Array,
    sizes: Array, had: int,
) -> int:  # fmt: skip
    """Write the best levels of a side, zeros where there were more before; return how many there are."""
    count = min(BOOK_LEVELS, kept)
    ticks = best
    for i in range(count):
        while levels[side, ticks & PLACE_MASK] == 0:
            ticks += direction
        prices[i] = ticks * tick_size
        sizes[i] = levels[side, ticks & PLACE_MASK] * lot_size
        ticks += direction
    for i in range(count, had):
        prices[i] = 0.0
        sizes[i] = 0.0
    return int(count)


@kernel
def take_sample(run: Record, venue: Record, explanation: Record, samples: Array) -> None:
    """Write how things stand at the exchange now, if it has a market, and set the time of the next sample."""
    now_ns = run["next_sample_ns"]
    run["next_sample_ns"] += run["sample_ns"]
    bid = venue["market_bid_ticks"]
    ask = venue["market_ask_ticks"]
    if bid == EMPTY_BID or ask == EMPTY_ASK or bid >= ask:
        return
    row = samples[run["samples"]]
    run["samples"] += 1
    row["time_ns"] = now_ns
    row["market_bid_ticks"] = bid
    row["market_ask_ticks"] = ask
    row["mid"] = 0.5 * (bid + ask) * run["tick_size"]
    row["mark"] = row["mid"]
    row["own_bid_ticks"] = venue["best_bid_ticks"] if venue["bid_since_ns"] != 0 else 0
    row["own_ask_ticks"] = venue["best_ask_ticks"] if venue["ask_since_ns"] != 0 else 0
    row["position_lots"] = venue["position_lots"]
    row["cash"] = venue["cash"]
    row["fees"] = venue["fees"]
    row["funding"] = venue["funding"]
    row["fills"] = venue["fills"]
    row["volume_lots"] = venue["volume_lots"]
    row["bid_quoted_ns"] = _quoted_ns(venue["bid_quoted_ns"], venue["bid_since_ns"], now_ns)
    row["ask_quoted_ns"] = _quoted_ns(venue["ask_quoted_ns"], venue["ask_since_ns"], now_ns)
    row["fair_price"] = explanation["fair_price"]
    row["reservation_price"] = explanation["reservation_price"]
    row["half_spread"] = explanation["half_spread"]
    row["sigma"] = explanation["sigma"]


@kernel
def _quoted_ns(before_ns: int, since_ns: int, now_ns: int) -> int:
    """Return the time in which a side was quoted: what is past, and what goes on."""
    return int(before_ns + max(0, now_ns - since_ns)) if since_ns != 0 else int(before_ns)
