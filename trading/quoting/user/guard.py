"""What stands between a user's strategy and the wish: nothing goes out that the standard one could not have sent.

Before it is asked: pause, halt, a stale book and whatever else takes both sides away. After: each side is held to the
book, to itself and to every limit, and is off as a whole, with its reason, when it does not keep them. The risk gate
in execution is a second, independent check of every order.
"""

from __future__ import annotations

from domain.codes import OffReason
from domain.jit import Array, Record, inlined_kernel, kernel
from domain.records import QUOTE_LEVELS_MAX
from trading.quoting.kernels import both_sides_off, explain_ladder
from trading.quoting.ladder import clear, largest_order_lots, room_of_risk
from trading.quoting.shaping.signal_use import explain_signals
from trading.quoting.touch import TICKS_MAX, update_touch

_QUOTED = int(OffReason.QUOTED)
_NOT_FINITE = int(OffReason.NOT_FINITE)
_POSITION_LIMIT = int(OffReason.POSITION_LIMIT)
_RISK = int(OffReason.RISK)
_SIZE_MIN = int(OffReason.SIZE_MIN)
_NOT_WANTED = int(OffReason.NOT_WANTED)
_CROSSED = int(OffReason.CROSSED)
_TICKS_MAX = int(TICKS_MAX)


@kernel
def may_quote(q: Record) -> bool:
    """Return whether anything may be quoted now; empties the ladder, with the reason why not."""
    if q["moment"]["is_touch_known"] != 1:
        update_touch(q["params"], q["state"], q["book"], q["account"], q["moment"]["now_ns"])
    reason = both_sides_off(q["params"], q["state"], q["moment"], q["account"], q["limits"], 1.0)
    clear(q["ladder"], _NOT_WANTED if reason == _QUOTED else reason)
    q["ladder"]["clamp_flags"] = 0
    q["explanation"]["clamp_flags"] = 0
    q["explanation"]["position_lots"] = q["account"]["position_lots"]
    q["explanation"]["position"] = q["account"]["position_lots"] * q["params"]["lot_base"]
    explain_signals(q["signals"], q["explanation"])
    _take_over(q)
    return bool(reason == _QUOTED)


@kernel
def check_ladder(q: Record) -> None:
    """Take a side away that does not keep the book, itself or the limits."""
    ladder = q["ladder"]
    state = q["state"]
    position_lots = int(q["account"]["position_lots"])
    ladder["bid_count"], ladder["bid_off_reason"] = check_side(
        q["params"], q["limits"], ladder["bid_price_ticks"], ladder["bid_size_lots"], ladder["bid_count"],
        ladder["bid_off_reason"], position_lots, state["best_ask_ticks"], -1,
    )  # fmt: skip
    ladder["ask_count"], ladder["ask_off_reason"] = check_side(
        q["params"], q["limits"], ladder["ask_price_ticks"], ladder["ask_size_lots"], ladder["ask_count"],
        ladder["ask_off_reason"], -position_lots, state["best_bid_ticks"], 1,
    )  # fmt: skip
    has_both = ladder["bid_count"] > 0 and ladder["ask_count"] > 0
    if has_both and ladder["bid_price_ticks"][0] >= ladder["ask_price_ticks"][0]:
        clear(ladder, _CROSSED)
    _empty_above(ladder["bid_price_ticks"], ladder["bid_size_lots"], ladder["bid_count"])
    _empty_above(ladder["ask_price_ticks"], ladder["ask_size_lots"], ladder["ask_count"])
    _take_over(q)


@inlined_kernel
def check_side(
    params: Record,
    limits: Record,
    prices: Array,
    sizes: Array,
    count: int,
    off_reason: int,
    held: int,
    opposite_ticks: int,
    direction: int,
) -> tuple[int, int]:
    """Return (levels, OffReason) of one side: as many as risk allows, or (0, why it is refused).

    `held` is the position in lots as the side sees it (positive: the side adds to it), `opposite_ticks` the best price
    of the book's other side, `direction` -1 for bids, +1 for asks: where worse prices lie.
    """
    if count == 0:
        return 0, int(off_reason) if off_reason != _QUOTED else _NOT_WANTED
    if count < 0 or count > QUOTE_LEVELS_MAX:
        return 0, _NOT_FINITE
    if limits["levels_max"] <= 0:
        return 0, _RISK
    total = _sound_lots(params, limits, prices, sizes, count, opposite_ticks, direction)
    if total == 0:
        total, reason = _lots_level_by_level(params, limits, prices, sizes, count, opposite_ticks, direction)
        if reason != _QUOTED:
            return 0, reason
    if total > room_of_risk(params, limits, held, direction):
        return 0, _RISK
    if total > params["position_hard_lots"] - held:
        return 0, _POSITION_LIMIT
    return min(int(count), int(limits["levels_max"])), _QUOTED


@inlined_kernel
def _sound_lots(
    params: Record, limits: Record, prices: Array, sizes: Array, count: int, opposite_ticks: int, direction: int
) -> int:
    """Return the lots of a side if its extremes show that all its levels are sound; 0 = look level by level.

    The loop asks nothing, so that the processor takes several levels in one step: this is on the way of every quote.
    """
    low_ticks = high_ticks = int(prices[0])
    least_lots = most_lots = total = int(sizes[0])
    step = 1  # to the next level, the smallest
    for i in range(1, count):
        ticks = int(prices[i])
        lots = int(sizes[i])
        low_ticks = min(low_ticks, ticks)
        high_ticks = max(high_ticks, ticks)
        step = min(step, (ticks - int(prices[i - 1])) * direction)
        least_lots = min(least_lots, lots)
        most_lots = max(most_lots, lots)
        total += lots
    if low_ticks <= 0 or high_ticks > _TICKS_MAX or least_lots <= 0 or most_lots > _TICKS_MAX or step <= 0:
        return 0
    tick_size = params["tick_size"]
    is_sound = (
        (int(prices[0]) - int(opposite_ticks)) * direction > 0
        and least_lots >= params["order_lots_min"]
        and most_lots <= largest_order_lots(params, limits, high_ticks)  # it falls as prices rise
        and limits["collar_low"] <= low_ticks * tick_size
        and high_ticks * tick_size <= limits["collar_high"]
    )
    return int(total) if is_sound else 0


@kernel
def _lots_level_by_level(
    params: Record, limits: Record, prices: Array, sizes: Array, count: int, opposite_ticks: int, direction: int
) -> tuple[int, int]:
    """Return (lots, QUOTED) of a side whose levels are sound, or (0, OffReason) of the first that is not."""
    better_ticks = int(opposite_ticks)
    total = 0
    for i in range(count):
        ticks = int(prices[i])
        lots = int(sizes[i])
        if ticks <= 0 or ticks > _TICKS_MAX or lots <= 0 or lots > _TICKS_MAX:
            return 0, _NOT_FINITE  # a NaN that was made an integer is far below 0
        if (ticks - better_ticks) * direction <= 0:
            return 0, _CROSSED
        price = ticks * params["tick_size"]
        if (
            lots > largest_order_lots(params, limits, ticks)
            or not limits["collar_low"] <= price <= limits["collar_high"]
        ):
            return 0, _RISK
        if lots < params["order_lots_min"]:
            return 0, _SIZE_MIN
        total += lots
        better_ticks = ticks
    return total, _QUOTED


@inlined_kernel
def _empty_above(prices: Array, sizes: Array, count: int) -> None:
    """Set the levels that are not in use to 0: the wish is compared and shown with them."""
    prices[count:] = 0
    sizes[count:] = 0


@kernel
def _take_over(q: Record) -> None:
    q["state"]["quote_bid_ticks"] = q["ladder"]["bid_price_ticks"][0]
    q["state"]["quote_ask_ticks"] = q["ladder"]["ask_price_ticks"][0]
    explain_ladder(q["state"], q["ladder"], q["explanation"])
