"""What one instrument needs of a mass quote: sides within the room that the limits leave, each level past the gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from actors.execution.desk import Desk, trimmed
from domain.codes import RiskReason
from domain.order import Side
from domain.records import LIMITS
from shm.record import TableReader
from trading.orders.manager import OrderManager
from trading.orders.mass_quote import SideQuote, against_live, quote_side
from trading.orders.reconcile import Level, LiveOrder, Step, StepKind, Tolerances
from trading.risk import gate

_ORDER_MAX = LIMITS.word("order_lots_max")
# They pass by themselves.
_WAITING_REASONS = frozenset({RiskReason.ORDER_RATE, RiskReason.SELF_CROSS, RiskReason.DUPLICATE})


class Item(NamedTuple):
    """What a message is to do with one instrument."""

    desk: Desk
    sides: list[tuple[Side, SideQuote]]
    source_time_ns: int

    @property
    def clears(self) -> bool:
        """Whether something must go, whatever the throttle says."""
        return any(not quote.levels for _, quote in self.sides)

    def without_new(self) -> Item:
        """Return what may be done while no new quote may be placed."""
        return self._replace(sides=[(side, quote) for side, quote in self.sides if not quote.levels])


class QuotePlanner:
    """Plans one side at a time; the desk's exposure must be of now, and grows with each level that passes.

    Args:
        limits: holds the row of the desk's instrument.
        tell_refusal, tell_passed: told what the gate refused, and what it let pass.
    """

    def __init__(
        self,
        manager: OrderManager,
        limits: TableReader,
        tell_refusal: Callable[[Desk, Step, gate.Refused], None],
        tell_passed: Callable[[Desk, bool, int, int], None],
        amend_threshold_ticks: int,
        tolerances: Tolerances,
    ) -> None:
        self._manager = manager
        self._limits = limits
        self._tell_refusal = tell_refusal
        self._tell_passed = tell_passed
        self.use_thresholds(amend_threshold_ticks, tolerances)

    def use_thresholds(self, amend_threshold_ticks: int, tolerances: Tolerances) -> None:
        """Compare by these from now on."""
        self._amend_threshold_ticks = amend_threshold_ticks
        self._size_tolerance_permille, self._fill_threshold_permille = tolerances

    def side(self, desk: Desk, side: Side, wanted: list[Level], live: list[LiveOrder], now_ns: int) -> SideQuote | None:
        """Return what to send of a side; None when nothing is to be sent, or not yet."""
        quotes = [order for order in live if self._is_quote(order)]
        quote = quote_side(
            wanted,
            quotes,
            is_buy=side is Side.BUY,
            amend_threshold_ticks=self._amend_threshold_ticks,
            size_tolerance_permille=self._size_tolerance_permille,
            fill_threshold_permille=self._fill_threshold_permille,
        )
        if quote is None or not quote.levels:
            return quote
        exposure, best_ticks = desk.exposure, quote.levels[0][0]
        if side is Side.BUY:
            room_lots = desk.room_lots[0] - exposure.buy_lots
            meets_own = best_ticks >= exposure.own_best_ask_ticks
        else:
            room_lots = desk.room_lots[1] - exposure.sell_lots
            meets_own = best_ticks <= exposure.own_best_bid_ticks
        if meets_own:
            return None  # our own other side must be out of the way first; its report brings us back here
        lots_min, lots_max = desk.instrument.order_lots_min, self._limits.ints[_ORDER_MAX]
        exposure.open_orders -= len(quotes)
        replaced = {order.client_order_id for order in quotes}
        approved = self._approved(desk, side, trimmed(quote.levels, room_lots, lots_min, lots_max), replaced, now_ns)
        if approved is None:
            return None
        quote = against_live(approved, quotes)
        return quote if quote.fresh or quote.leaving else None

    def _is_quote(self, order: LiveOrder) -> bool:
        """Whether a wish moves the order: what flattens or hedges lies beside the quotes."""
        known = self._manager.get(order.client_order_id)
        return known is not None and known.is_quote

    def _approved(
        self, desk: Desk, side: Side, levels: list[Level], replaced: set[int], now_ns: int
    ) -> list[Level] | None:
        """Return the levels that the gate lets pass, on top of all that rests; None when it says to wait."""
        exposure = desk.exposure
        approved = []
        for price_ticks, lots in levels:
            exposure.duplicate_age_ns = desk.recent.age_ns(side, price_ticks, lots, replaced, now_ns)
            verdict = gate.check(self._limits, gate.Order(side, price_ticks, lots), exposure, now_ns)
            if isinstance(verdict, gate.Refused):
                step = Step(StepKind.INSERT, 0, side is Side.BUY, price_ticks, lots, lots)
                self._tell_refusal(desk, step, verdict)
                if verdict.reason in _WAITING_REASONS:
                    desk.is_dirty = True
                    return None
                if verdict.reason is RiskReason.OPEN_ORDERS:
                    break
                continue
            self._tell_passed(desk, side is Side.BUY, price_ticks, lots)
            approved.append((price_ticks, lots))
            exposure.open_orders += 1
            if side is Side.BUY:
                exposure.buy_lots += lots
                exposure.own_best_bid_ticks = max(exposure.own_best_bid_ticks, price_ticks)
            else:
                exposure.sell_lots += lots
                exposure.own_best_ask_ticks = min(exposure.own_best_ask_ticks, price_ticks)
        return approved
