"""The core of execution: listens to the venue, works when rung, carries out commands. No process, no socket."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from actors.execution.books import AccountBooks, ToldFills
from actors.execution.desk import Desk
from actors.execution.ending import Ending
from actors.execution.grids import Grids
from actors.execution.hedging import Hedging
from actors.execution.journal import Journal
from actors.execution.late_messages import LateMessages
from actors.execution.mass_quotes import MassQuotes
from actors.execution.operations import Operations
from actors.execution.order_quotes import OrderQuotes
from actors.execution.permission import Permission
from actors.execution.ports import Ports
from actors.execution.prices import Prices
from actors.execution.protective_stops import ProtectiveStops
from actors.execution.quotes import QuoteParts, QuoteSender
from actors.execution.recovery import Recovery
from actors.execution.session_state import load_session_state
from actors.execution.truth import Truth
from actors.execution.watch import Watch
from domain.clock import NS_PER_MS
from domain.errors import ConnectivityError, OffGridError, UserError, VenueError
from domain.instrument import Instrument
from domain.order import RequestKind, Side
from domain.reports import OrderReport, PositionReport, TradeReport
from runtime.paths import JOURNAL_FILE
from shm.errors import RecordBusyError
from trading.ledger import Ledger
from trading.orders.breaker import Breaker
from trading.orders.config import ExecutionConfig, order_label
from trading.orders.manager import OrderManager
from trading.orders.order import Order
from trading.orders.reconcile import Step
from trading.orders.throttle import Throttle
from trading.orders.triggers import CODE_ORDER_NOT_FOUND, CODE_THROTTLED
from trading.risk import gate
from venues.conditional import ConditionalGateway
from venues.gateway import OrderGateway
from venues.quoting import QuoteGateway

ACCOUNTS_INTERVAL_NS = 100 * NS_PER_MS
EXPIRE_INTERVAL_NS = 20 * NS_PER_MS
DENIAL_LOG_INTERVAL_NS = 1000 * NS_PER_MS
CLIENT_ORDER_IDS_PER_MS = 1000
UNFINISHED_TOLD_MAX = 20


class ExecutionCore:
    """Everything that execution does, once the instruments are known.

    Attributes:
        desks: by instrument name.
        books: orders, ledger, position.
        quotes: the tick's last mile.
        truth, recovery: agreement with the venue.
        journal: what is sent and what came of it, on disk.
        operations: what commands ask for.
    """

    def __init__(
        self,
        config: ExecutionConfig,
        ports: Ports,
        gateway: OrderGateway,
        instruments: Mapping[str, Instrument],
        *,
        quote_gateway: QuoteGateway | None = None,
        conditional_gateway: ConditionalGateway | None = None,
        told: ToldFills | None = None,
        epoch: int = 1,
        on_recovered: Any = lambda: None,
    ) -> None:
        self._config = config
        self._ports = ports
        self._clock = ports.clock
        self._log = ports.log
        self._gateway = gateway
        self._accounts_due_ns = self._expire_due_ns = 0
        self._late_messages = LateMessages(ports.log)
        self.label = order_label(config, ports.session)
        rows = {name: (row, instruments[name]) for row, name in enumerate(ports.instrument_names)}
        quote_label = self.label if config.mode == "mass_quotes" else ""
        manager = OrderManager(rows, config.answer_timeout_ms * NS_PER_MS, quote_label)
        self.desks = _opened_desks(ports, rows, manager)
        self.journal = _opened_journal(ports, config, epoch)
        # A wall clock that was set back must not bring an id of this run again.
        by_clock = ports.clock.realtime_ns() // NS_PER_MS * CLIENT_ORDER_IDS_PER_MS
        self._next_order_id = max(by_clock, self.journal.state.last_client_order_id)
        self.watch = Watch(ports.shared.heartbeats, config.suspect_ms * NS_PER_MS)
        ledger = Ledger({name: desk.instrument.contract_multiplier for name, desk in self.desks.items()})
        self.books = AccountBooks(ports, manager, ledger, self.desks, self.journal, told or ToldFills())
        permission = Permission(ports.shared.limits, self.watch, config.wish_age_max_ms * NS_PER_MS)
        parts = QuoteParts(
            config, ports, gateway, manager, permission, self.journal, self.new_order_id, self.label, self._on_denied
        )
        self.mass_quotes: MassQuotes | None = None
        if config.mode == "mass_quotes":
            assert quote_gateway is not None, "mass quotes need a gateway that has them"
            self.mass_quotes = MassQuotes(parts, ports, quote_gateway, self._on_quote_rejected)
        self.quotes: QuoteSender = self.mass_quotes or OrderQuotes(parts)
        self.quotes.desks = list(self.desks.values())
        self._turns = list(self.desks.values())
        self.grids = Grids(ports.shared.instruments, self.quotes.desks, ports.log)
        state = load_session_state(ports.run_dir)
        self.truth = Truth(config, ports, gateway, self.books, self.quotes, self.label)
        self.recovery = Recovery(ports, gateway, self.books, self.quotes, self.grids, self.truth, state, on_recovered)
        self.prices = Prices(ports.shared, self.truth.venue_positions)
        self.ending = Ending(config, ports, gateway, self.books, self.quotes, self.truth, self.prices, self.label)
        self.hedging = Hedging(
            ports, gateway, self.books, self.quotes, self.watch, self.prices, self.journal, self.label
        )
        self.stops = self._opened_stops(conditional_gateway) if conditional_gateway is not None else None
        self.operations = Operations(
            config.stop_timeout_s, ports, self.books, self.quotes, self.truth, self.recovery, self.ending, self.hedging,
            self.stops, self.prices,
        )  # fmt: skip

    def _opened_stops(self, conditional_gateway: ConditionalGateway) -> ProtectiveStops:
        return ProtectiveStops(
            self._config, self._ports, self._gateway, conditional_gateway, self.books, self.quotes, self.label,
            self.truth.venue_positions, self.prices.mark_price, lambda: not self.truth.differences(),
        )  # fmt: skip

    def new_order_id(self) -> int:
        """Return a client order id: unique over restarts, for no process sends 1000 orders a millisecond."""
        self._next_order_id += 1
        return self._next_order_id

    def use_config(self, config: ExecutionConfig) -> None:
        """Go by other values of the keys that a running session takes over (trading/orders/config.py: HOT)."""
        self._config = config
        self.quotes.use_config(config)
        self.truth.use_config(config)
        self.ending.use_config(config)
        self.watch.suspect_ns = config.suspect_ms * NS_PER_MS
        for desk in self.desks.values():
            desk.is_dirty = True
        self._ports.work_soon()

    # ---- the duty cycle --------------------------------------------------------------------------------

    def has_new_wish(self) -> bool:
        """Return whether strategy has written a wish that nobody has read yet."""
        wishes = self._ports.shared.wishes
        return any(wishes.sequence(desk.row) != desk.wish_sequence for desk in self.quotes.desks)

    def do_work(self, now_ns: int) -> int:
        """Quote what is new, then look after everything that has a time; return messages sent.

        What can wait comes after the orders: after a pause each function that runs before them costs them 10 µs.
        """
        self.watch.look(now_ns)
        sent = 0
        for desk in self._turns:
            self.grids.look(desk)
            messages = self.quotes.look(desk, now_ns)
            if messages:
                sent += messages
                self._after_sending(desk)
        if self.mass_quotes is not None:
            for desk in self.mass_quotes.finish(now_ns):
                sent += 1
                self._after_sending(desk)
        if self.quotes.is_short:
            self._take_turns()
        self._gateway.keep_alive(now_ns)
        if now_ns >= self._expire_due_ns:
            self._expire_due_ns = now_ns + EXPIRE_INTERVAL_NS
            self._look_after(now_ns)
        return sent

    def _take_turns(self) -> None:
        """Begin behind the desk that took the last token: in one order for ever, those at its end would find none for
        as long as those before them have something to say."""
        self.quotes.is_short = False
        if self.quotes.served is not None:
            begin = self._turns.index(self.quotes.served) + 1
            self._turns = self._turns[begin:] + self._turns[:begin]

    def _after_sending(self, desk: Desk) -> None:
        self._note_notional(desk)
        self.books.publish_account(desk, self._clock.monotonic_ns())

    def _look_after(self, now_ns: int) -> None:
        expired = self.books.manager.expire(now_ns)
        if expired:
            self._ports.measures.counts.add("unknown_outcomes", len(expired))
            for order in expired:
                self.books.desk_of(order).is_dirty = True
            self._log.warning("no answer in time: the venue is asked", orders=[repr(order) for order in expired])
        for order in self.books.manager.release(now_ns):
            self.books.desk_of(order).is_dirty = True
        self.quotes.look_after(now_ns)
        if self.stops is not None:
            self.stops.look(now_ns)
        self.truth.look(now_ns)
        self._late_messages.look(now_ns)
        if now_ns >= self._accounts_due_ns:
            self._accounts_due_ns = now_ns + ACCOUNTS_INTERVAL_NS
            for desk in self.desks.values():
                self._note_notional(desk)
            self.books.publish_accounts(now_ns)

    def _note_notional(self, desk: Desk) -> None:
        """Work out what this instrument's orders may add to the account's exposure; the others' gate asks for it."""
        if len(self.desks) == 1:
            return
        desk.view(self.books.manager.live(desk.row))
        limits = self._ports.shared.limits
        try:
            if limits.load(desk.row):
                desk.added = gate.notional_added(limits, desk.exposure)
        except RecordBusyError:
            return  # counted anew within ACCOUNTS_INTERVAL_NS

    # ---- from the venue --------------------------------------------------------------------------------

    def on_ready(self) -> None:
        now_ns = self._clock.monotonic_ns()
        self.quotes.throttle = Throttle(
            message_rate=max(self._gateway.message_rate, 1),
            margin_ratio=self._config.throttle_margin_ratio,
            burst=self._config.throttle_burst,
            reserve=self._config.throttle_reserve,
            cancel_rate=self._config.cancel_rate_per_s,
            backoff_ns_min=self._config.throttle_backoff_ms_min * NS_PER_MS,
            backoff_ns_max=self._config.throttle_backoff_ms_max * NS_PER_MS,
            now_ns=now_ns,
        )
        self.recovery.begin()

    def on_disconnected(self, reason: str) -> None:
        now_ns = self._clock.monotonic_ns()
        self._log.warning("venue connection lost: every order's state is unknown", reason=reason)
        self.recovery.on_disconnected()
        self.quotes.on_disconnected()
        if self.stops is not None:
            self.stops.on_disconnected()
        self.hedging.end("the venue connection was lost")
        self.books.manager.disconnect(now_ns)
        self._ports.measures.counts.add("reconnects")
        self.books.publish_accounts(now_ns)

    def on_orders(self, reports: list[OrderReport]) -> None:
        now_ns = self._clock.monotonic_ns()
        has_fills = False
        for report in reports:
            has_fills |= bool(report.fills)
            desk = self.desks.get(report.instrument_name)
            if desk is None:
                continue
            is_answered = self._is_unanswered_hedge(report)
            is_tracked = self.books.take_report(report, now_ns)
            if not is_tracked and not report.status.is_closed and report.label == self.label:
                is_tracked = self._take_untracked(report, desk, now_ns)
            if report.status.is_closed:
                self.quotes.note_closed(report, desk)
            if is_tracked and (is_answered or report.fills or report.change_reason == "insert"):
                self._on_taken(report, is_answered=is_answered)
        if self.quotes.throttle is not None:
            self.quotes.throttle.on_accepted(now_ns)
        if has_fills:
            self.truth.note_difference(now_ns)
        self._ports.work_soon()

    def _is_unanswered_hedge(self, report: OrderReport) -> bool:
        """Return whether this is the first that the venue says of a hedge: it took it, whatever became of it."""
        order = self.books.manager.get(report.client_order_id) if report.client_order_id is not None else None
        return order is not None and order.is_hedge and not order.venue_order_id

    def _on_taken(self, report: OrderReport, *, is_answered: bool) -> None:
        """An insert was taken when it may rest; a hedge also when it was filled, or found nothing and ended at once."""
        order = self.books.manager.get_by_venue(report.venue_order_id)
        breaker = self._breaker_of(order)
        rests = report.change_reason == "insert" and not report.status.is_closed
        if breaker is None or not (rests or is_answered or (breaker is self.hedging.breaker and report.fills)):
            return
        if breaker.is_open:
            self._log.info("the venue takes inserts again: they resume", kind=_breaker_kind(order))
        breaker.on_accepted()

    def _breaker_of(self, order: Order | None) -> Breaker | None:
        """Return the breaker in which an insert counts. What flattens has none: it paces itself, and what becomes of it
        says nothing about quotes."""
        if order is None:
            return self.quotes.breaker
        if order.is_operator:
            return None
        return self.hedging.breaker if order.is_hedge else self.quotes.breaker

    def troubles(self, now_ns: int) -> list[str]:
        """Return what keeps quotes and hedges back beside permission, for the status."""
        return [*self.quotes.troubles(now_ns), *self.hedging.troubles(now_ns)]

    def _take_untracked(self, report: OrderReport, desk: Desk, now_ns: int) -> bool:
        with suppress(OffGridError):  # no quote of ours is there
            if self.quotes.take_untracked(report, desk, now_ns):
                return self.books.take_report(report, now_ns)
        self._log.warning("an order of ours that was not tracked is cancelled", order=report.venue_order_id)
        self.journal.message("CANCEL", instrument=desk.name, venue_order_id=report.venue_order_id)
        with suppress(ConnectivityError):  # the connection is closing: recovery cancels it
            self._gateway.cancel_order(report.venue_order_id)
        return False

    def _on_quote_rejected(self, client_order_id: int, error: VenueError) -> None:
        self.on_rejected("insert", client_order_id, error)

    def on_rejected(self, kind: RequestKind, client_order_id: int, error: VenueError) -> None:
        now_ns = self._clock.monotonic_ns()
        order = self.books.manager.get(client_order_id)
        breaker = self._breaker_of(order)
        if error.code == CODE_THROTTLED and self.quotes.throttle is not None:
            pause_ms = self.quotes.throttle.on_throttled(now_ns)
            self._log.warning("the venue says we send too much: quotes wait", pause_ms=pause_ms)
        elif kind == "insert" and breaker is not None and breaker.on_refused(now_ns):
            self._ports.measures.counts.add("insert_pauses")
            self._log.warning(
                "the venue refuses inserts: they pause",
                kind=_breaker_kind(order), reason=str(error), pause_ms=breaker.pause_ms,
            )  # fmt: skip
        if client_order_id:
            self.books.take_rejection(kind, client_order_id, error, now_ns)
            if error.code == CODE_ORDER_NOT_FOUND and kind != "insert":
                self._late_messages.add(kind)
            else:
                self._log.info("rejected", kind=kind, client_order_id=client_order_id, reason=str(error))
        self._ports.work_soon()

    def on_trades(self, trades: list[TradeReport]) -> None:
        self.truth.take_trades(trades)
        self._ports.work_soon()

    def on_positions(self, positions: list[PositionReport], is_snapshot: bool) -> None:
        self.truth.take_positions(positions, is_snapshot, self._clock.monotonic_ns())

    def on_unreadable_trade(self, instrument_name: str, reason: str) -> None:
        if not instrument_name or instrument_name in self.desks:
            self.truth.doubt_position(reason)
            self._ports.work_soon()

    def on_bad_frame(self) -> None:
        """A frame that nobody could read may have told of an order of ours: the venue is asked."""
        self.truth.ask_soon(self._clock.monotonic_ns())

    def _on_denied(self, desk: Desk, step: Step, refused: gate.Refused) -> None:
        side = Side.BUY if step.is_buy else Side.SELL
        now_ns = self._clock.monotonic_ns()
        self.books.take_denial(desk, side, step.price_ticks, step.open_lots, now_ns)
        desk.denials_untold += 1
        if now_ns >= desk.denial_log_due_ns:
            desk.denial_log_due_ns = now_ns + DENIAL_LOG_INTERVAL_NS
            count, desk.denials_untold = desk.denials_untold, 0
            self._log.warning("denied by the gate", instrument=desk.name, reason=refused.text, count=count)

    def throttle_wait_ns(self, now_ns: int) -> int:
        """Return when a message that found no token can leave, from now; 0 = none waits."""
        throttle = self.quotes.throttle
        if throttle is None or not any(desk.throttled_since_ns for desk in self.desks.values()):
            return 0
        return max(throttle.wait_ns(now_ns), 1)

    def close(self) -> None:
        """Write what is left; called last."""
        self._late_messages.tell()
        self.hedging.close()
        self.truth.settle()
        try:
            self.journal.close()
        except OSError as error:
            self._log.error("the end of the journal is lost", reason=str(error))


def _breaker_kind(order: Order | None) -> str:
    return "hedges" if order is not None and order.is_hedge else "quotes"


def _opened_desks(ports: Ports, rows: Mapping[str, tuple[int, Instrument]], manager: OrderManager) -> dict[str, Desk]:
    """Return a desk for each instrument; its quoted time goes on from what a predecessor left."""
    desks = {
        name: Desk(row, name, instrument, ports.strategies[row], manager.get)
        for name, (row, instrument) in rows.items()
    }
    for desk in desks.values():
        if ports.shared.accounts.load_own(desk.row):
            desk.quoted_time.resume(ports.shared.accounts.ints)
    return desks


def _opened_journal(ports: Ports, config: ExecutionConfig, epoch: int) -> Journal:
    """Open the run's journal and say what an earlier life left in it."""
    path = ports.run_dir / JOURNAL_FILE
    try:
        journal = Journal(path, ports.clock, config.journal, epoch=epoch)
    except OSError as error:
        raise UserError(
            f"{path}: the journal cannot be opened ({error.strerror}): nothing is sent without it"
        ) from None
    if damage := journal.damage:
        kept = damage.kept_in or "nowhere: the disk refuses"
        ports.log.warning(
            f"the journal was damaged: {damage.size_bytes} bytes from offset {damage.offset} on are not believed",
            path=str(path), kept_in=str(kept),
        )  # fmt: skip
    if journal.fills_lost:
        ports.log.warning("the journal does not know for certain which fills it told: some may be told again")
    if unfinished := journal.state.unfinished:
        ports.log.info(
            "orders that were open or on their way when the life before ended: the venue says what became of them",
            count=len(unfinished), newest=sorted(unfinished)[-UNFINISHED_TOLD_MAX:],
        )  # fmt: skip
    return journal
