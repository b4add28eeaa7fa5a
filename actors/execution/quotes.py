"""From the newest wish to messages at the venue: reconcile, gate, throttle, send.

This is the tick's last mile, so it does nothing that can be done later. A refused amend cancels its order: the
wish no longer wants it where it is.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.execution.desk import Desk, LiveView, Wish
from actors.execution.journal import Journal
from actors.execution.permission import HALTED, WISH_EARLIER, WISH_OLD, Permission
from actors.execution.ports import Ports
from domain.codes import RiskReason
from domain.errors import ConnectivityError
from domain.order import Side
from domain.records import LIMITS
from shm.errors import RecordBusyError
from trading.orders.breaker import Breaker
from trading.orders.config import ExecutionConfig
from trading.orders.manager import OrderManager
from trading.orders.order import Order
from trading.orders.reconcile import Step, StepKind, reconcile
from trading.orders.throttle import Throttle
from trading.risk import gate
from venues.gateway import NewOrder, OrderGateway

_RATE_MAX = LIMITS.word("order_rate_max")
# They pass by themselves: the order stays where it is meanwhile.
_WAITING_REASONS = frozenset({RiskReason.ORDER_RATE, RiskReason.OPEN_ORDERS, RiskReason.SELF_CROSS})
REFUSALS_KEPT_MAX = 64
# Bound once: Python 3.11 takes ten times as long to find a member in its enum class as a name in its module.
_CANCEL, _AMEND = StepKind.CANCEL, StepKind.AMEND
_BUY, _SELL = Side.BUY, Side.SELL

Denied = Callable[[Desk, Step, gate.Refused], None]


class QuoteSender:
    """Brings the venue to the wishes.

    Attributes:
        holds: the permission's own: reasons for which nothing is quoted at all.
        throttle: None before the first connection.
    """

    def __init__(
        self,
        config: ExecutionConfig,
        ports: Ports,
        gateway: OrderGateway,
        manager: OrderManager,
        permission: Permission,
        journal: Journal,
        next_order_id: Callable[[], int],
        label: str,
        on_denied: Denied,
    ) -> None:
        self._config = config
        self._clock = ports.clock
        self._shared = ports.shared
        self._measures = ports.measures
        self._gateway = gateway
        self._manager = manager
        self._journal = journal
        self.next_order_id = next_order_id
        self._label = label
        self._on_denied = on_denied
        self.permission = permission
        self.holds = permission.holds
        self._size_tolerance_permille = round(config.size_tolerance_ratio * 1000)
        self.throttle: Throttle | None = None
        self.breaker = Breaker()
        self.desks: list[Desk] = []

    # ---- what is wanted ------------------------------------------------------------------------------

    def look(self, desk: Desk, now_ns: int) -> int:
        """Bring one instrument's orders to its newest wish, if anything changed; return messages sent."""
        is_new = self._read_wish(desk)
        blocked_by = self.permission.blocked_by(desk, now_ns)
        if blocked_by is None:
            desk.is_dirty |= is_new
            return 0
        if blocked_by != desk.blocked_by:
            desk.blocked_by = blocked_by
            desk.is_dirty = True
            if blocked_by in (WISH_OLD, WISH_EARLIER):
                self._measures.counts.add("wishes_stale")
        if not (is_new or desk.is_dirty):
            return 0
        desk.is_dirty = False
        is_timed = is_new and desk.wish is not None and not desk.throttled_since_ns
        return self._bring(desk, desk.wish.source_time_ns if is_timed and desk.wish else 0, now_ns)

    def _read_wish(self, desk: Desk) -> bool:
        """Read a wish that is newer than the last; return whether it says anything else."""
        table = self._shared.wishes
        sequence = table.sequence(desk.row)
        if sequence == desk.wish_sequence or sequence & 1:
            return False
        try:
            desk.wish_sequence = table.load(desk.row)
        except RecordBusyError:
            return False
        previous = desk.wish
        wish = desk.take_wish(table)
        now_ns = self._clock.monotonic_ns()
        self._measures.wish.record(now_ns - wish.computed_time_ns)
        self._measures.counts.add("wishes")
        desk.quoted_time.begin(now_ns)
        return previous is None or wish.terms != previous.terms

    # ---- bringing it about ---------------------------------------------------------------------------

    def _bring(self, desk: Desk, source_time_ns: int, now_ns: int) -> int:
        """Reconcile and send. `source_time_ns` is the tick that caused it; 0 when none did."""
        view = desk.view(self._manager.live(desk.row))
        bids, asks = self._wanted(desk, view)
        plan = reconcile(
            bids,
            asks,
            view.bids,
            view.asks,
            amend_threshold_ticks=self._config.amend_threshold_ticks,
            size_tolerance_permille=self._size_tolerance_permille,
        )
        if not plan.steps:
            desk.throttled_since_ns = 0
            return 0
        return self._send_all(desk, plan.steps, source_time_ns, now_ns)

    def _wanted(self, desk: Desk, view: LiveView) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        wish: Wish | None = desk.wish
        if wish is not None and not desk.blocked_by:
            return desk.bounded(wish, self._shared.limits, view)
        if wish is not None:
            # A halt takes the sides away; whatever else blocks does not excuse us from quoting.
            desk.is_allowed = (False, False) if desk.blocked_by == HALTED else wish.is_quoted
        return [], []

    def _send_all(self, desk: Desk, steps: list[Step], source_time_ns: int, now_ns: int) -> int:
        sent = 0
        throttle = self.throttle
        if throttle is None or not self._gateway.is_ready:
            return 0
        exposure = desk.exposure
        exposure.is_position_known = "recovering" not in self.holds
        exposure.messages_last_s = throttle.messages_last_s(now_ns)
        throttle.order_rate_max = min(throttle.allowance, self._shared.limits.ints[_RATE_MAX])
        exposure.other_notional = sum(other.added_notional for other in self.desks if other is not desk)
        try:
            for step in steps:
                if step.kind is _CANCEL:
                    sent += self._cancel(desk, step.client_order_id, now_ns)
                    continue
                outcome = self._order(desk, step, throttle, source_time_ns)
                if outcome < 0:
                    break
                sent += outcome
            else:
                desk.throttled_since_ns = 0
        except ConnectivityError:
            desk.is_dirty = True
        return sent

    def _order(self, desk: Desk, step: Step, throttle: Throttle, source_time_ns: int) -> int:
        """Send one insert or amend; 1 = sent, 0 = refused, -1 = nothing more can be sent now."""
        monotonic_ns = self._clock.monotonic_ns
        order = self._manager.get(step.client_order_id) if step.kind is _AMEND else None
        began_ns = monotonic_ns()
        if order is None and not self.breaker.may_insert(began_ns):
            desk.is_dirty = True
            return 0
        if throttle.wait_ns(began_ns):
            return self._wait(desk, began_ns)
        verdict = self._check(desk, step, order, began_ns)
        checked_ns = monotonic_ns()
        self._measures.gate.record(checked_ns - began_ns)
        if isinstance(verdict, gate.Refused):
            return self._refused(desk, step, verdict, began_ns)
        is_free = throttle.take_order(checked_ns)
        assert is_free, "the throttle had a token a moment ago"
        sent_ns = self._send(desk, step, order, verdict, checked_ns)
        self._measures.send.record(sent_ns - checked_ns)
        if desk.throttled_since_ns:
            self._measures.throttle_wait.record(sent_ns - desk.throttled_since_ns)
            desk.throttled_since_ns = 0
        elif source_time_ns:
            self._measures.tick_to_order.record(sent_ns - source_time_ns)
        return 1

    def _wait(self, desk: Desk, now_ns: int) -> int:
        """No token: nothing is queued. When one is free again, the newest wish is priced."""
        desk.is_dirty = True
        if not desk.throttled_since_ns:
            desk.throttled_since_ns = now_ns
            self._measures.counts.add("throttled")
        return -1

    def _check(self, desk: Desk, step: Step, order: Order | None, now_ns: int) -> gate.Approved | gate.Refused:
        """Ask the gate, the amended order left out of what works already."""
        exposure = desk.exposure
        own_lots = order.exposed_lots if order is not None else 0
        if step.is_buy:
            exposure.buy_lots -= own_lots
        else:
            exposure.sell_lots -= own_lots
        exposure.open_orders -= order is not None
        wanted = gate.Order(_BUY if step.is_buy else _SELL, step.price_ticks, step.open_lots)
        verdict = gate.check(self._shared.limits, wanted, exposure, now_ns)
        if isinstance(verdict, gate.Refused):
            counted_lots = own_lots
        else:
            counted_lots = max(own_lots, step.open_lots)
            exposure.messages_last_s += 1
            if step.is_buy:
                exposure.own_best_bid_ticks = max(exposure.own_best_bid_ticks, step.price_ticks)
            else:
                exposure.own_best_ask_ticks = min(exposure.own_best_ask_ticks, step.price_ticks)
        if step.is_buy:
            exposure.buy_lots += counted_lots
        else:
            exposure.sell_lots += counted_lots
        exposure.open_orders += order is not None or isinstance(verdict, gate.Approved)
        return verdict

    def _send(self, desk: Desk, step: Step, order: Order | None, approved: gate.Approved, now_ns: int) -> int:
        """Send what the gate approved; only that can leave. Return the monotonic ns after the write."""
        instrument = desk.instrument
        allowed = approved.order
        assert (allowed.price_ticks, allowed.size_lots) == (step.price_ticks, step.open_lots), "not what was approved"
        price, size = instrument.price(step.price_ticks), instrument.size(step.size_lots)
        wish_id = desk.wish.wish_id if desk.wish is not None else 0
        if order is not None:
            self._manager.amend_sent(order, (step.price_ticks, step.size_lots), wish_id, now_ns)
            try:
                sent_ns = self._gateway.amend(order.client_order_id, price, size)
            except ConnectivityError:
                self._manager.send_failed(order, now_ns)
                raise
        else:
            side = Side(allowed.side)
            order = Order(
                client_order_id=self.next_order_id(),
                instrument=desk.row,
                side=side,
                price_ticks=step.price_ticks,
                size_lots=step.size_lots,
                wish_id=wish_id,
            )
            new_order = NewOrder(
                client_order_id=order.client_order_id,
                instrument_name=desk.name,
                side=side,
                price=price,
                size=size,
                post_only=self._config.post_only,
                label=self._label,
            )
            self._manager.insert_sent(order, now_ns)
            self.breaker.on_sent(now_ns)
            try:
                sent_ns = self._gateway.insert(new_order)
            except ConnectivityError:
                self._manager.send_failed(order, now_ns)
                raise
        self._journal.note(
            self._clock.realtime_ns(), step.kind.name, order.client_order_id, desk.name, step.is_buy,
            step.price_ticks, step.size_lots, wish_id,
        )  # fmt: skip
        return sent_ns

    def _refused(self, desk: Desk, step: Step, verdict: gate.Refused, now_ns: int) -> int:
        seen = (verdict.reason, step.is_buy, step.price_ticks, step.open_lots)
        if seen not in desk.refusals:
            if len(desk.refusals) >= REFUSALS_KEPT_MAX:
                desk.refusals.clear()
            desk.refusals.add(seen)
            self._on_denied(desk, step, verdict)
        if verdict.reason in _WAITING_REASONS:
            desk.is_dirty = True
        elif step.kind is _AMEND:
            self._cancel(desk, step.client_order_id, now_ns)
        return 0

    def _cancel(self, desk: Desk, client_order_id: int, now_ns: int) -> int:
        """Cancel one order; the gate is never asked."""
        order = self._manager.get(client_order_id)
        assert order is not None, f"order {client_order_id} is not in the book"
        return self.cancel(order, desk, now_ns)

    def cancel(self, order: Order, desk: Desk, now_ns: int) -> int:
        """Send the cancel of an order that may be cancelled; 0 when the venue's own limit on cancels is reached."""
        if self.throttle is None or not self.throttle.take_cancel(now_ns):
            desk.is_dirty = True
            return 0
        self._manager.cancel_sent(order, now_ns)
        try:
            self._gateway.cancel(order.client_order_id)
        except ConnectivityError:
            self._manager.send_failed(order, now_ns)
            raise
        self._journal.note(self._clock.realtime_ns(), "CANCEL", order.client_order_id, desk.name)
        return 1
