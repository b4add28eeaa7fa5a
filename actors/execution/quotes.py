"""The tick's last mile as both ways of quoting share it: the newest wish, leave to quote, gate, throttle, cancels.

It does nothing that can be done later. How a wish becomes messages is a subclass's: order_quotes.py, mass_quotes.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from actors.execution.desk import Desk, LiveView
from actors.execution.journal import Journal
from actors.execution.permission import HALTED, RECOVERING, WISH_EARLIER, WISH_OLD, Permission
from actors.execution.ports import Ports
from domain.clock import NS_PER_MS
from domain.codes import RiskReason
from domain.errors import ConnectivityError
from domain.order import Side, TimeInForce
from domain.records import LIMITS
from domain.reports import OrderReport
from shm.errors import RecordBusyError
from trading.orders.breaker import Breaker
from trading.orders.config import ExecutionConfig
from trading.orders.manager import CANCEL_AGAIN_NS, MOVED_BACK_NS, OrderManager
from trading.orders.order import Order
from trading.orders.reconcile import Level, Step, excess, is_wanted
from trading.orders.throttle import Throttle
from trading.risk import gate
from venues.gateway import NO_STP, OrderGateway, SelfTradePrevention

_RATE_MAX = LIMITS.word("order_rate_max")
# How long a quote may stand where the wish has left it, before it is cancelled, which needs no token, and inserted when
# there is one. The shortest pause after a `throttle exceeded` is 250 ms, in which a market can leave us behind. Tokens
# come back every 30 ms at the default rate, and an amend takes as many as an insert: to cancel for want of one brings
# nothing but a side that is dark until its turn comes, so that is for an order which its turn does not reach.
RETREAT_PAUSE_NS_MAX = 100 * NS_PER_MS
RETREAT_WAIT_NS_MAX = 500 * NS_PER_MS
REFUSALS_KEPT_MAX = 64
IMMEDIATE_CANCEL = "immediate_cancel"  # of a post-only order: it would have crossed


def self_trade_prevention(config: ExecutionConfig) -> SelfTradePrevention:
    """Return what every order of ours says about meeting another; NO_STP leaves it to the venue."""
    level, action = config.self_trade_prevention_level, config.self_trade_prevention_action
    if level == "default" and action == "default":
        return NO_STP
    return SelfTradePrevention(None if level == "default" else level, None if action == "default" else action)


Denied = Callable[[Desk, Step, gate.Refused], None]


class QuoteParts(NamedTuple):
    """What every way of quoting is made of.

    Attributes:
        next_order_id: gives a client order id, unique over restarts.
        label: marks our orders at the venue.
    """

    config: ExecutionConfig
    ports: Ports
    gateway: OrderGateway
    manager: OrderManager
    permission: Permission
    journal: Journal
    next_order_id: Callable[[], int]
    label: str
    on_denied: Denied


class QuoteSender(ABC):
    """Brings the venue to the wishes.

    Attributes:
        holds: the permission's own: reasons for which nothing is quoted at all.
        throttle: None before the first connection.
        stp: self-trade prevention of every order.
        breaker: pauses new orders that the venue refuses one after the other.
        is_short: somebody found no token since the desks last took turns.
        served: who took a token last.
    """

    def __init__(self, parts: QuoteParts) -> None:
        self._clock = parts.ports.clock
        self._shared = parts.ports.shared
        self._measures = parts.ports.measures
        self._gateway = parts.gateway
        self._manager = parts.manager
        self._journal = parts.journal
        self.next_order_id = parts.next_order_id
        self._label = parts.label
        self.stp = self_trade_prevention(parts.config)
        self._on_denied = parts.on_denied
        self.permission = parts.permission
        self.holds = parts.permission.holds
        self._take_config(parts.config)
        self.throttle: Throttle | None = None
        self.breaker = Breaker()
        self.desks: list[Desk] = []
        self.is_short = False
        self.served: Desk | None = None

    def use_config(self, config: ExecutionConfig) -> None:
        """Go by other values from now on."""
        self._take_config(config)
        self.permission.wish_age_ns_max = config.wish_age_max_ms * NS_PER_MS

    def _take_config(self, config: ExecutionConfig) -> None:
        self._config = config
        self._size_tolerance_permille = round(config.size_tolerance_ratio * 1000)
        self._fill_threshold_permille = round(config.significant_fill_threshold_ratio * 1000)

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

    @abstractmethod
    def _bring(self, desk: Desk, source_time_ns: int, now_ns: int) -> int:
        """Reconcile and send; return messages sent. `source_time_ns` is the tick that caused it; 0 when none did."""

    def look_after(self, now_ns: int) -> None:
        """Do what has a time; called every few milliseconds."""
        for desk in self.desks:
            for side, (_, since_ns) in list(desk.crossing.items()):
                if now_ns - since_ns >= MOVED_BACK_NS:
                    del desk.crossing[side]
                    desk.is_dirty = True
        if self._gateway.is_ready and RECOVERING not in self.holds:  # recovery cancels by the venue's numbers itself
            self._cancel_doubtful(now_ns)

    def _cancel_doubtful(self, now_ns: int) -> None:
        """Cancel, again and again, what may be open and is not wanted: the venue may not say for long what it is."""
        desks = {desk.row: desk for desk in self.desks}
        for order in self._manager.in_doubt():
            desk = desks[order.instrument]
            last_ns = max(order.sent_time_ns, order.changed_time_ns)
            if now_ns - last_ns < CANCEL_AGAIN_NS or self._is_wanted(order, desk):
                continue
            try:
                self.cancel(order, desk, now_ns)
            except ConnectivityError:
                return  # recovery finds out what became of it

    def _is_wanted(self, order: Order, desk: Desk) -> bool:
        if order.is_operator or order.is_hedge:
            return False  # who sent it goes on once it is gone
        ladder = desk.wanted[order.side is Side.SELL]
        terms = (order.terms,) if order.target is None else (order.terms, order.target)
        return is_wanted(ladder, terms, order.filled_lots, self._config.amend_threshold_ticks)

    # ---- what else becomes of quotes -----------------------------------------------------------------

    def pull_all(self, now_ns: int) -> int:
        """Take back what one message can take back; return messages sent. Other orders are cancelled one by one."""
        return 0

    @abstractmethod
    def session_cancelled(self) -> None:
        """The venue was told to cancel all orders of the session."""

    @abstractmethod
    def on_disconnected(self) -> None:
        """What was under way in the lost session is void."""

    def take_untracked(self, report: OrderReport, desk: Desk, now_ns: int) -> bool:
        """Take an open order of ours into the book that is not in it; False = it is to be cancelled."""
        return False

    def note_closed(self, report: OrderReport, desk: Desk) -> None:
        """The venue has closed an order of ours; a quote that it would not let rest is not sent there again at once."""
        if report.delete_reason != IMMEDIATE_CANCEL or report.price is None:
            return
        order = self._manager.get_by_venue(report.venue_order_id)
        if order is None or order.is_operator or order.is_hedge:
            return
        if order.time_in_force is TimeInForce.GOOD_TILL_CANCELLED:
            price_ticks = desk.instrument.nearest_price_ticks(report.price)
            desk.crossing[report.side] = (price_ticks, self._clock.monotonic_ns())
            desk.is_dirty = True

    def troubles(self, now_ns: int) -> list[str]:
        """Return what keeps quotes back beside permission, for the status."""
        troubles = []
        if self.breaker.is_open:
            troubles.append(f"inserts pause {self.breaker.pause_ms} ms: the venue refused too many")
        if self.throttle is not None and (blocked_ms := self.throttle.blocked_ms(now_ns)):
            troubles.append(f"quotes wait {blocked_ms} ms: the venue said throttle exceeded")
        return troubles

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

    def _wanted(self, desk: Desk, view: LiveView) -> tuple[list[Level], list[Level]]:
        """Return the ladders that are to rest now, and note them."""
        desk.wanted = self._ladders(desk, view)
        return desk.wanted

    def _ladders(self, desk: Desk, view: LiveView) -> tuple[list[Level], list[Level]]:
        wish = desk.wish
        if wish is not None and not desk.blocked_by:
            bids, asks = desk.bounded(wish, self._shared.limits, view)
            return desk.uncrossed(bids, asks) if desk.crossing else (bids, asks)
        if wish is not None:
            # A halt takes the sides away; whatever else blocks does not excuse us from quoting.
            desk.is_allowed = (False, False) if desk.blocked_by == HALTED else wish.is_quoted
        return [], []

    # ---- on the way out ------------------------------------------------------------------------------

    def ready_gate(self, desk: Desk, throttle: Throttle, now_ns: int) -> None:
        """Bring up to date what the gate and the throttle go by besides the orders of the instrument."""
        exposure = desk.exposure
        exposure.is_position_known = self.permission.is_position_known
        exposure.messages_last_s = throttle.messages_last_s(now_ns)
        throttle.order_rate_max = min(throttle.allowance, self._shared.limits.ints[_RATE_MAX])
        if len(self.desks) > 1:
            exposure.others = gate.total_added([other.added for other in self.desks if other is not desk])

    def _wait(self, desk: Desk, now_ns: int) -> None:
        """No token: nothing is queued. When one is free again, the newest wish is priced."""
        desk.is_dirty = self.is_short = True
        if not desk.throttled_since_ns:
            desk.throttled_since_ns = now_ns
            self._measures.counts.add("throttled")

    def _waits_long(self, since_ns: int, now_ns: int, ahead: int = 0) -> bool:
        """Return whether an order that leads away from the market since `since_ns` would wait too long to do so, after
        `ahead` others. What it has waited already counts: others may take the tokens before it, again and again.
        """
        throttle = self.throttle
        assert throttle is not None, "nothing waits without a throttle"
        if throttle.pause_ns(now_ns) > RETREAT_PAUSE_NS_MAX:
            return True
        wait_ns = throttle.wait_ns(now_ns, ahead)
        return wait_ns > 0 and now_ns - since_ns + wait_ns > RETREAT_WAIT_NS_MAX

    def _excess(self, desk: Desk, view: LiveView, now_ns: int) -> dict[int, int]:
        """Return since when orders are too much where they rest, by client id, as far as they found no token to move.

        Of sides that are on: others are cancelled in any case. What is wanted must just have been worked out.
        """
        threshold_ticks, (bids, asks) = self._config.amend_threshold_ticks, desk.wanted
        found = excess(bids, view.bids, True, threshold_ticks) if bids else set()
        if asks:
            found |= excess(asks, view.asks, False, threshold_ticks)
        since_ns = desk.excess_since_ns
        desk.excess_since_ns = {number: since_ns.get(number, now_ns) for number in found}
        return desk.excess_since_ns

    def _tell_refusal(self, desk: Desk, step: Step, verdict: gate.Refused) -> None:
        """Tell what the gate refused, once until it lets the level pass.

        A level that was filled as soon as it rested only waits until the gate's window is over: that is no news.
        """
        side = Side.BUY if step.is_buy else Side.SELL
        if verdict.reason is RiskReason.DUPLICATE and desk.recent.was_filled(side, step.price_ticks, step.open_lots):
            return
        seen = (verdict.reason, step.is_buy, step.price_ticks, step.open_lots)
        if seen not in desk.refusals:
            if len(desk.refusals) >= REFUSALS_KEPT_MAX:
                desk.refusals.clear()
            desk.refusals.add(seen)
            self._on_denied(desk, step, verdict)

    def _note_passed(self, desk: Desk, is_buy: bool, price_ticks: int, open_lots: int) -> None:
        """The gate lets a level pass: when it refuses it again, that is news."""
        if desk.refusals:
            level = (is_buy, price_ticks, open_lots)
            desk.refusals = {seen for seen in desk.refusals if seen[1:] != level}

    def cancel(self, order: Order, desk: Desk, now_ns: int) -> int:
        """Send the cancel of an order that may be cancelled; 0 when the venue's own limit on cancels is reached, or it
        refused one of this order a moment ago.

        The gate is never asked.
        """
        if order.cancel_refused_ns is not None:
            return 0  # until the manager releases it
        if self.throttle is None or not self.throttle.take_cancel(now_ns):
            desk.is_dirty = True
            return 0
        self._journal.message("CANCEL", client_order_id=order.client_order_id, instrument=desk.name)
        self._manager.cancel_sent(order, now_ns)
        try:
            if order.is_quote:
                self._gateway.cancel_order(order.venue_order_id, order.client_order_id)
            else:
                self._gateway.cancel(order.client_order_id)
        except ConnectivityError:
            self._manager.doubt(order, now_ns)
            raise
        return 1
