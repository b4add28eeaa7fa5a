"""From a half-spread and a centre to integer ticks and lots: sizes by inventory and limits, rounding, levels.

Bids round down, asks up; no price reaches the other side of the book (our own size is not in it), nor the other
side of the ladder. A side that may not be quoted carries its OffReason.
"""

from __future__ import annotations

import math

from domain.codes import ClampFlag, OffReason
from domain.jit import Array, Record, kernel
from domain.order import TradingState
from domain.units import TICK_TOLERANCE
from trading.quoting.touch import TICKS_MAX

# Compiled kernels see plain integers.
_QUOTED = int(OffReason.QUOTED)
_POSITION_LIMIT = int(OffReason.POSITION_LIMIT)
_RISK = int(OffReason.RISK)
_NOT_FINITE = int(OffReason.NOT_FINITE)
_SIZE_MIN = int(OffReason.SIZE_MIN)
_REDUCING = int(TradingState.REDUCING)
_BID_POST_ONLY = int(ClampFlag.BID_POST_ONLY)
_ASK_POST_ONLY = int(ClampFlag.ASK_POST_ONLY)
_SIZE_TAPERED = int(ClampFlag.SIZE_TAPERED)


@kernel
def clear(ladder: Record, reason: int) -> None:
    """Take both sides away for `reason`."""
    ladder["bid_off_reason"] = reason
    ladder["ask_off_reason"] = reason
    ladder["bid_count"] = 0
    ladder["ask_count"] = 0
    ladder["bid_price_ticks"][:] = 0
    ladder["bid_size_lots"][:] = 0
    ladder["ask_price_ticks"][:] = 0
    ladder["ask_size_lots"][:] = 0


@kernel
def best_ticks(state: Record, ladder: Record, tick_size: float, bid: float, ask: float) -> tuple[int, int]:
    """Return (bid, ask) in ticks, rounded and kept apart from the book and from each other; (0, 0) when one of
    the prices is no usable number."""
    bid_steps = bid / tick_size
    ask_steps = ask / tick_size
    if not (abs(bid_steps) < TICKS_MAX and abs(ask_steps) < TICKS_MAX):  # also refuses NaN
        return 0, 0
    bid_ticks = math.floor(bid_steps + TICK_TOLERANCE)
    ask_ticks = math.ceil(ask_steps - TICK_TOLERANCE)
    if bid_ticks >= state["best_ask_ticks"]:
        bid_ticks = int(state["best_ask_ticks"]) - 1
        ladder["clamp_flags"] |= _BID_POST_ONLY
    if ask_ticks <= state["best_bid_ticks"]:
        ask_ticks = int(state["best_bid_ticks"]) + 1
        ladder["clamp_flags"] |= _ASK_POST_ONLY
    if bid_ticks >= ask_ticks:
        bid_ticks = ask_ticks - 1
    return bid_ticks, ask_ticks


@kernel
def hold(params: Record, state: Record, bid_ticks: int, ask_ticks: int) -> tuple[int, int]:
    """Return the first prices, each left where it was when it would move by less than `requote_ticks_min`.

    A price that has come too near to the book or to the other side is not held.
    """
    ticks_min = int(params["requote_ticks_min"])
    old_bid = int(state["quote_bid_ticks"])
    old_ask = int(state["quote_ask_ticks"])
    bid = old_bid if old_bid > 0 and abs(old_bid - bid_ticks) < ticks_min else bid_ticks
    ask = old_ask if old_ask > 0 and abs(old_ask - ask_ticks) < ticks_min else ask_ticks
    if bid >= ask or bid >= state["best_ask_ticks"] or ask <= state["best_bid_ticks"]:
        return bid_ticks, ask_ticks
    return bid, ask


@kernel
def inventory_lots(params: Record, ladder: Record, held: int) -> int:
    """Return the size of a first level on the side that adds to `held` lots (negative: it reduces).

    Full up to the soft limit, then falling in a straight line to nothing at the hard one.
    """
    lots = int(params["order_lots"])
    soft = int(params["position_soft_lots"])
    hard = int(params["position_hard_lots"])
    if held <= soft or held >= hard:
        return lots
    ladder["clamp_flags"] |= _SIZE_TAPERED
    return lots * (hard - held) // (hard - soft)


@kernel
def largest_order_lots(params: Record, limits: Record, price_ticks: int) -> int:
    """Return how many lots risk lets one order at `price_ticks` have."""
    notional = price_ticks * params["tick_size"] * params["lot_base"]
    lots = int(limits["order_lots_max"])
    if notional > 0.0:
        affordable = limits["order_notional_max"] / notional
        if not affordable >= lots:  # NaN: no limit is known, so nothing is allowed
            lots = int(affordable) if affordable > 0.0 else 0
    return lots


@kernel
def room_of_risk(params: Record, limits: Record, held: int, direction: int) -> int:
    """Return how many lots risk lets one side have in all, counted as its gate counts.

    The worse of execution's and risk's position counts; without a mark price the gate passes nothing.
    """
    worst_held = max(held, -direction * int(limits["position_lots"]))
    if limits["state"] == _REDUCING:
        return -worst_held
    mark_per_lot = limits["mark_price"] * params["lot_base"]
    if not mark_per_lot > 0.0:
        return 0
    room = int(limits["position_lots_max"]) - worst_held
    notional_lots = limits["gross_notional_room"] / mark_per_lot
    if not notional_lots > 0.0:
        notional_lots = 0.0
    if notional_lots < room:
        room = min(room, int(notional_lots) + abs(int(limits["position_lots"])) - worst_held)
    net_room = limits["net_long_room"] if direction < 0 else limits["net_short_room"]
    net_lots = net_room / mark_per_lot
    if not net_lots >= 0.0:
        net_lots = 0.0  # beyond its limit this side adds nothing; NaN: no limit is known
    if net_lots < room:
        room = min(room, int(net_lots) - direction * int(limits["position_lots"]) - worst_held)
    return room


@kernel
def fill_side(
    params: Record,
    limits: Record,
    ladder: Record,
    prices: Array,
    sizes: Array,
    held: int,
    best_ticks: int,
    direction: int,
    size_factor: float,
) -> tuple[int, int]:
    """Write one side's levels and return (levels, OffReason).

    `held` is the position in lots as the side sees it (positive: the side would add to it), `direction` -1 for
    bids, +1 for asks: where worse prices lie; `size_factor` is what the signals leave of the sizes. Should every
    level fill, the position stays within the limits.
    """
    hard_room = int(params["position_hard_lots"]) - held
    risk_room = room_of_risk(params, limits, held, direction)
    levels = min(int(params["levels"]), int(limits["levels_max"]))
    if risk_room <= 0 or levels <= 0:
        return 0, _RISK
    if hard_room <= 0:
        return 0, _POSITION_LIMIT
    room = min(hard_room, risk_room)
    first_lots = inventory_lots(params, ladder, held)
    order_lots_min = int(params["order_lots_min"])
    for level in range(levels):
        price_ticks = best_ticks + direction * int(params["level_offset_ticks"][level])
        allowed = largest_order_lots(params, limits, price_ticks)
        wanted = _wanted_lots(first_lots * params["level_size"][level], size_factor, order_lots_min)
        lots = min(wanted, allowed, room)
        price = price_ticks * params["tick_size"]
        outside = price < limits["collar_low"] or price > limits["collar_high"]
        if lots < order_lots_min or price_ticks <= 0 or outside:
            return level, _off_reason(params, level, price_ticks, outside, wanted, allowed, hard_room <= risk_room)
        prices[level] = price_ticks
        sizes[level] = lots
        room -= lots
    return levels, _QUOTED


@kernel
def _wanted_lots(lots: float, size_factor: float, order_lots_min: int) -> int:
    """Return the size of a level, cut by `size_factor` but not below what the venue takes."""
    cut = int(lots * size_factor + TICK_TOLERANCE)
    return max(cut, min(int(lots + TICK_TOLERANCE), order_lots_min))


@kernel
def _off_reason(
    params: Record, level: int, price_ticks: int, outside: bool, wanted: int, allowed: int, hard_binds: bool
) -> int:
    """Return why a side ends before `level`: no reason when levels before it stand."""
    if level > 0:
        return _QUOTED
    if price_ticks <= 0:
        return _NOT_FINITE
    if params["order_lots"] < params["order_lots_min"]:
        return _SIZE_MIN
    if wanted < params["order_lots_min"]:
        return _POSITION_LIMIT
    if outside or allowed < params["order_lots_min"]:
        return _RISK
    return _POSITION_LIMIT if hard_binds else _RISK
