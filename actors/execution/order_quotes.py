"""Quoting with single orders: reconcile, gate, throttle, send.

An order that cannot be moved is cancelled, for the wish does not want it where it is: at once when the gate refuses
the amend, after the second refusal when the venue does, and when it should move away from the market and may not for
too long. The insert that takes its place passes the breaker.
"""

from __future__ import annotations

from actors.execution.desk import Desk, LiveView
from actors.execution.journal import JournalFailsError
from actors.execution.quotes import QuoteSender
from domain.codes import RiskReason
from domain.errors import ConnectivityError
from domain.order import Side
from trading.orders.order import Order
from trading.orders.reconcile import Step, StepKind, reconcile
from trading.orders.throttle import Throttle
from trading.risk import gate
from venues.gateway import NewOrder

AMEND_REFUSALS_MAX = 2  # by the venue, of one order; then it is cancelled
# They pass by themselves: the order stays where it is meanwhile.
_WAITING_REASONS = frozenset(
    {RiskReason.ORDER_RATE, RiskReason.OPEN_ORDERS, RiskReason.SELF_CROSS, RiskReason.DUPLICATE}
)
# Bound once: Python 3.11 takes ten times as long to find a member in its enum class as a name in its module.
_CANCEL, _AMEND, _INSERT = StepKind.CANCEL, StepKind.AMEND, StepKind.INSERT
_BUY, _SELL = Side.BUY, Side.SELL


class OrderQuotes(QuoteSender):
    """One order a level, moved by amends."""

    def _bring(self, desk: Desk, source_time_ns: int, now_ns: int) -> int:
        view = desk.view(self._manager.live(desk.row))
        bids, asks = self._wanted(desk, view)
        plan = reconcile(
            bids,
            asks,
            view.bids,
            view.asks,
            amend_threshold_ticks=self._config.amend_threshold_ticks,
            size_tolerance_permille=self._size_tolerance_permille,
            fill_threshold_permille=self._fill_threshold_permille,
        )
        if not plan.steps:
            desk.caught_up()
            return 0
        return self._send_all(desk, view, plan.steps, source_time_ns, now_ns)

    def _send_all(self, desk: Desk, view: LiveView, steps: list[Step], source_time_ns: int, now_ns: int) -> int:
        sent = 0
        throttle = self.throttle
        if throttle is None or not self._gateway.is_ready:
            return 0
        self.ready_gate(desk, throttle, now_ns)
        if desk.throttled_since_ns:
            steps = _dark_sides_first(steps, view)
        try:
            for done, step in enumerate(steps):
                if step.kind is _CANCEL or self._is_stuck(step):
                    sent += self._cancel(desk, step.client_order_id, now_ns)
                    continue
                outcome = self._order(desk, step, throttle, source_time_ns)
                if outcome < 0:
                    sent += self._take_back(desk, view, steps[done:])
                    break
                sent += outcome
            else:
                desk.caught_up()
        except (ConnectivityError, JournalFailsError):
            desk.is_dirty = True
        return sent

    def _take_back(self, desk: Desk, view: LiveView, waiting: list[Step]) -> int:
        """Cancel the orders that would stand for too long where they are no longer wanted; return messages sent.

        Each is cancelled once: what takes its place is an insert, which waits for its token and the newest wish.
        """
        now_ns = self._clock.monotonic_ns()
        leading_away = self._excess(desk, view, now_ns)
        sent = ahead = 0
        for step in waiting:
            since_ns = leading_away.get(step.client_order_id)
            if since_ns is None:
                continue
            if self._is_stuck(step) or self._waits_long(since_ns, now_ns, ahead):
                sent += self._cancel(desk, step.client_order_id, now_ns)
            else:
                ahead += 1
        return sent

    def _is_stuck(self, step: Step) -> bool:
        """Return whether the venue has refused to move the order too often."""
        order = self._manager.get(step.client_order_id)
        return order is not None and order.amend_refusals >= AMEND_REFUSALS_MAX

    def _order(self, desk: Desk, step: Step, throttle: Throttle, source_time_ns: int) -> int:
        """Send one insert or amend; 1 = sent, 0 = refused, -1 = nothing more can be sent now."""
        monotonic_ns = self._clock.monotonic_ns
        order = self._manager.get(step.client_order_id) if step.kind is _AMEND else None
        began_ns = monotonic_ns()
        if order is None and not self.breaker.may_insert(began_ns):
            desk.is_dirty = True
            return 0
        if throttle.wait_ns(began_ns):
            self._wait(desk, began_ns)
            return -1
        verdict = self._check(desk, step, order, began_ns)
        checked_ns = monotonic_ns()
        if isinstance(verdict, gate.Refused):
            self._measures.gate.record(checked_ns - began_ns)
            return self._refused(desk, step, verdict, began_ns)
        self._note_passed(desk, step.is_buy, step.price_ticks, step.open_lots)
        is_free = throttle.take_order(checked_ns)
        assert is_free, "the throttle had a token a moment ago"
        self.served = desk
        sent_ns = self._send(desk, step, order, verdict, checked_ns)
        self._measures.gate.record(checked_ns - began_ns)
        self._measures.send.record(sent_ns - checked_ns)
        if desk.throttled_since_ns:
            self._measures.throttle_wait.record(sent_ns - desk.throttled_since_ns)
            desk.throttled_since_ns = 0
        elif source_time_ns:
            self._measures.tick_to_order.record(sent_ns - source_time_ns)
        return 1

    def _check(self, desk: Desk, step: Step, order: Order | None, now_ns: int) -> gate.Approved | gate.Refused:
        """Ask the gate, the amended order left out of what works already."""
        exposure = desk.exposure
        own_lots = order.exposed_lots if order is not None else 0
        if step.is_buy:
            exposure.buy_lots -= own_lots
        else:
            exposure.sell_lots -= own_lots
        exposure.open_orders -= order is not None
        side = _BUY if step.is_buy else _SELL
        replaced = () if order is None else (order.client_order_id,)
        exposure.duplicate_age_ns = desk.recent.age_ns(side, step.price_ticks, step.open_lots, replaced, now_ns)
        wanted = gate.Order(side, step.price_ticks, step.open_lots)
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
        side = Side(allowed.side)
        if order is not None:
            if desk.excess_since_ns:
                desk.excess_since_ns.pop(order.client_order_id, None)
            self._journal.order("AMEND", order.client_order_id, desk.name, side, price, size, wish_id)
            self._manager.amend_sent(order, (step.price_ticks, step.size_lots), wish_id, now_ns)
            try:
                sent_ns = self._gateway.amend(order.client_order_id, price, size)
            except ConnectivityError:
                self._manager.doubt(order, now_ns)
                raise
        else:
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
                stp=self.stp,
            )
            self._journal.order("INSERT", order.client_order_id, desk.name, side, price, size, wish_id)
            self._manager.insert_sent(order, now_ns)
            self.breaker.on_sent(now_ns)
            try:
                sent_ns = self._gateway.insert(new_order)
            except ConnectivityError:
                self._manager.doubt(order, now_ns)
                raise
        desk.recent.note(order.side, step.price_ticks, step.open_lots, order.client_order_id, now_ns)
        return sent_ns

    def _refused(self, desk: Desk, step: Step, verdict: gate.Refused, now_ns: int) -> int:
        self._tell_refusal(desk, step, verdict)
        if verdict.reason in _WAITING_REASONS:
            desk.is_dirty = True
        elif step.kind is _AMEND:
            self._cancel(desk, step.client_order_id, now_ns)
        return 0

    def _cancel(self, desk: Desk, client_order_id: int, now_ns: int) -> int:
        order = self._manager.get(client_order_id)
        assert order is not None, f"order {client_order_id} is not in the book"
        return self.cancel(order, desk, now_ns)

    # ---- nothing outlives a message here ---------------------------------------------------------------

    def session_cancelled(self) -> None: ...

    def on_disconnected(self) -> None: ...


def _dark_sides_first(steps: list[Step], view: LiveView) -> list[Step]:
    """Return the steps with the first insert of each side on which nothing rests before all that take a token.

    Inserts come last: with one token at a time a dark side would stay dark for as long as the other one moves with each
    tick. It takes that one token once.
    """
    dark = {True: not view.bids, False: not view.asks}
    front: list[Step] = []
    rest: list[Step] = []
    for step in steps:
        is_first = step.kind is _INSERT and dark[step.is_buy]
        if is_first:
            dark[step.is_buy] = False
        (front if is_first or step.kind is _CANCEL else rest).append(step)
    return front + rest
