"""The limits in words: which of them an order breaks, by looking at every way in which things may turn out.

Independent of the gate: no worst-case formula, no order of checks, no floats. The futures of an instrument are spelt
out (either count of the position may be right; each side's orders fill or do not), and a limit is broken when a
future in which the order fills breaks it. Money is Decimal, as the limits were stated.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from domain.codes import RiskReason
from domain.order import TradingState
from tests.gate_cases import Case

# Where numbers are not exact in binary the gate may err by its rounding, and by no more.
ROUNDING = Decimal("1e-12")

_BY_FAULT = {
    "stale": RiskReason.LIMITS_STALE,
    "from the future": RiskReason.LIMITS_STALE,
    "never written": RiskReason.LIMITS_STALE,
    "halted": RiskReason.HALTED,
    "unknown state": RiskReason.HALTED,
    "risk knows no position": RiskReason.POSITION_UNKNOWN,
    "mark is NaN": RiskReason.STALE_PRICE,
    "mark is infinite": RiskReason.STALE_PRICE,
    "order notional is NaN": RiskReason.ORDER_NOTIONAL,
    "net room is NaN": RiskReason.NET_NOTIONAL,
    "collar is NaN": RiskReason.PRICE_COLLAR,
    "others are NaN": RiskReason.NOT_FINITE,
    "others' net is NaN": RiskReason.NET_NOTIONAL,
}
_OF_THE_ORDER_ITSELF = {
    "tick is NaN": RiskReason.NOT_FINITE,
    "tick is infinite": RiskReason.NOT_FINITE,
    "lot is NaN": RiskReason.NOT_FINITE,
    "lot is negative": RiskReason.NOT_FINITE,
    "lot is 0": RiskReason.NOT_FINITE,
    "size is 0": RiskReason.ORDER_SIZE,
    "size is negative": RiskReason.ORDER_SIZE,
    "side is 0": RiskReason.ORDER_SIZE,
    "we know no position": RiskReason.POSITION_UNKNOWN,
}


class Broken(NamedTuple):
    """Limits that the order breaks, and those so near that rounding decides."""

    surely: set[RiskReason]
    perhaps: set[RiskReason]

    @property
    def must_be_refused(self) -> bool:
        return bool(self.surely)

    @property
    def must_pass(self) -> bool:
        return not self.surely and not self.perhaps


def broken_limits(case: Case) -> Broken:
    """Return every limit that the order of the case breaks."""
    broken = Broken(set(), set())
    if case.fault in _OF_THE_ORDER_ITSELF:
        broken.surely.add(_OF_THE_ORDER_ITSELF[case.fault])
        return broken
    if case.is_operator and case.is_reduce_only:
        if any(_opens(case, position) for position in _futures(case, (case.position_own,), is_filled=True)):
            broken.surely.add(RiskReason.REDUCE_ONLY)
        return broken
    if case.fault in _BY_FAULT:
        broken.surely.add(_BY_FAULT[case.fault])
    _judge_order(case, broken)
    _judge_position(case, broken)
    _judge_account(case, broken)
    return broken


def _futures(case: Case, positions: tuple[int, ...], *, is_filled: bool) -> list[int]:
    """Return every position that may come about, with the order filled or without it."""
    return [
        position + bought - sold + (case.side * case.size if is_filled else 0)
        for position in positions
        for bought in (0, case.buys)
        for sold in (0, case.sells)
    ]


def _opens(case: Case, position: int) -> bool:
    """Whether a reducing order has led to a position of its own side."""
    return case.side * position > 0


def _judge_order(case: Case, broken: Broken) -> None:
    price = case.price_ticks * case.tick_size
    if case.size > case.order_lots_max:
        broken.surely.add(RiskReason.ORDER_SIZE)
    _note(case, broken, RiskReason.ORDER_NOTIONAL, case.size * price * case.base_per_lot, case.order_notional_max)
    _note(case, broken, RiskReason.PRICE_COLLAR, price, case.collar_high)
    _note(case, broken, RiskReason.PRICE_COLLAR, case.collar_low, price)
    if case.open_orders + 1 > case.open_orders_max:
        broken.surely.add(RiskReason.OPEN_ORDERS)
    if case.messages + 1 > case.rate_max:
        broken.surely.add(RiskReason.ORDER_RATE)
    if case.duplicate_age_ns < case.duplicate_window_ns:
        broken.surely.add(RiskReason.DUPLICATE)
    meets = case.best_ask <= case.price_ticks if case.side > 0 else case.best_bid >= case.price_ticks
    if meets:
        broken.surely.add(RiskReason.SELF_CROSS)


def _judge_position(case: Case, broken: Broken) -> None:
    futures = _futures(case, (case.position_own, case.position_risk), is_filled=True)
    must_reduce = case.is_reduce_only or case.state == TradingState.REDUCING
    if must_reduce and any(_opens(case, position) for position in futures):
        broken.surely.add(RiskReason.REDUCE_ONLY)
    if any(case.side * position > case.position_lots_max for position in futures):
        broken.surely.add(RiskReason.POSITION_LIMIT)


def _judge_account(case: Case, broken: Broken) -> None:
    per_lot = case.mark * case.base_per_lot
    positions = (case.position_own, case.position_risk)
    before, after = (_futures(case, positions, is_filled=is_filled) for is_filled in (False, True))
    largest_before, largest_after = max(map(abs, before)), max(map(abs, [*before, *after]))
    others_gross, others_long, others_short = case.others
    if largest_after > largest_before:
        reason = RiskReason(case.room_reason or RiskReason.NOTIONAL_LIMIT)
        if case.fault == "gross room is NaN":
            broken.surely.add(reason)
        _note(case, broken, reason, case.gross_held + largest_after * per_lot + others_gross, case.gross_max)
    if case.side > 0:
        net = case.net_held + max(after) * per_lot + others_long
    else:
        net = -(case.net_held + min(after) * per_lot - others_short)
    _note(case, broken, RiskReason.NET_NOTIONAL, net, case.net_max)


def _note(case: Case, broken: Broken, reason: RiskReason, value: Decimal, limit: Decimal) -> None:
    """Note a value above its limit; within rounding of it, perhaps."""
    scale = Decimal(0) if case.is_exact else ROUNDING * max(abs(value), abs(limit), case.mark * 100)
    if value > limit + scale:
        broken.surely.add(reason)
    elif value > limit - scale:
        broken.perhaps.add(reason)
