"""Quoting with mass quotes: one message brings all levels of a product to the wishes; market-maker protection.

A mass quote does not count what was filled: while it is on its way an old level may fill and the new one comes on
top. So both count against the limits until the venue has said that the old one is gone, and a side waits for that
before it is sent again. Whatever must go at once goes: by an empty side, or, without a token for one, by cancelling
the quotes of the product, which is a cancel and never waits. A quote that should move away from the market, and would
wait too long for that, is cancelled by its number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from actors.execution.desk import Desk, LiveView
from actors.execution.journal import JournalFailsError
from actors.execution.mass_quote_plan import Item, QuotePlanner
from actors.execution.mm_protection import MarketMakerProtection
from actors.execution.ports import Ports
from actors.execution.quotes import QuoteParts, QuoteSender
from domain.errors import ConnectivityError, VenueError
from domain.order import Side
from domain.reports import OrderReport
from trading.orders.config import ExecutionConfig
from trading.orders.order import Order
from trading.orders.protection_groups import GroupState
from trading.orders.states import OrderState
from trading.risk import gate
from venues.quoting import MassQuote, ProtectionReport, QuotedSide, QuoteFailure, QuoteGateway

CODE_PROTECTION_NOT_SET = 23
_CANCELLABLE = frozenset({OrderState.PENDING_NEW, OrderState.WORKING, OrderState.UNKNOWN})


class _Sent(NamedTuple):
    """A mass quote that is not answered yet."""

    sent_ns: int
    orders: list[Order]


class MassQuotes(QuoteSender):
    """All levels of a product in one message.

    Args:
        venue: the gateway's mass quotes.
        on_rejected: told of each new level that the venue refused, by our number.

    Attributes:
        protection, groups: market-maker protection of each product.
    """

    def __init__(
        self, parts: QuoteParts, ports: Ports, venue: QuoteGateway, on_rejected: Callable[[int, VenueError], None]
    ) -> None:
        super().__init__(parts)
        self._venue = venue
        self._log = ports.log
        self._work_soon = ports.work_soon
        self._on_rejected = on_rejected
        self.protection = MarketMakerProtection(parts.config.mass_quotes, ports, venue, self._take_token, self._wake)
        self.groups = self.protection.groups
        self._planner = QuotePlanner(
            parts.manager,
            ports.shared.limits,
            self._tell_refusal,
            self._note_passed,
            parts.config.amend_threshold_ticks,
            (self._size_tolerance_permille, self._fill_threshold_permille),
        )
        self._items: dict[str, list[Item]] = {}
        self._sent: dict[int, _Sent] = {}

    def use_config(self, config: ExecutionConfig) -> None:
        super().use_config(config)
        tolerances = (self._size_tolerance_permille, self._fill_threshold_permille)
        self._planner.use_thresholds(config.amend_threshold_ticks, tolerances)

    # ---- what to send ----------------------------------------------------------------------------------

    def _bring(self, desk: Desk, source_time_ns: int, now_ns: int) -> int:
        """Work out what the instrument needs; `finish` sends it with what others of its product need."""
        throttle = self.throttle
        if throttle is None or not self._gateway.is_ready:
            return 0
        view = desk.view(self._manager.live(desk.row))
        bids, asks = self._wanted(desk, view)
        product = self._venue.product(desk.instrument)
        if bids or asks:
            state = self.protection.state(product, now_ns)
            if state is not GroupState.SET:
                bids, asks = [], []
            if state is GroupState.COOLING:
                desk.is_allowed = (False, False)
        self.ready_gate(desk, throttle, now_ns)
        taken_back = self._take_back(desk, view, now_ns) if bids or asks else 0
        if taken_back:
            view = desk.view(self._manager.live(desk.row))
        began_ns = self._clock.monotonic_ns()
        sides = []
        for side, wanted, live in ((Side.BUY, bids, view.bids), (Side.SELL, asks, view.asks)):
            quote = self._planner.side(desk, side, wanted, live, now_ns)
            if quote is not None:
                sides.append((side, quote))
        if len(self.desks) > 1 and sides and not desk.blocked_by:
            desk.added = gate.notional_added(self._shared.limits, desk.exposure)
        if not sides:
            desk.caught_up()
            return taken_back
        self._measures.gate.record(self._clock.monotonic_ns() - began_ns)
        self._items.setdefault(product, []).append(Item(desk, sides, source_time_ns))
        return taken_back

    def _take_back(self, desk: Desk, view: LiveView, now_ns: int) -> int:
        """Cancel, one by one, the quotes that would stand for too long where they are no longer wanted, for want of a
        token or because the venue refuses new ones; return messages sent. The others keep their place.
        """
        assert self.throttle is not None, "nothing is planned without a throttle"
        may_insert = self.breaker.may_insert(now_ns)
        if may_insert and not self.throttle.wait_ns(now_ns) and not desk.excess_since_ns:
            return 0
        sent = 0
        for client_order_id, since_ns in sorted(self._excess(desk, view, now_ns).items()):
            if may_insert and not self._waits_long(since_ns, now_ns):
                continue
            order = self._manager.get(client_order_id)
            assert order is not None, f"quote {client_order_id} is not in the book"
            try:
                sent += super().cancel(order, desk, now_ns)
            except ConnectivityError:
                break  # recovery finds out what became of it
        return sent

    # ---- sending ---------------------------------------------------------------------------------------

    def finish(self, now_ns: int) -> Sequence[Desk]:
        """Send what the instruments need, a message for each product; return those whose orders changed."""
        if not self._items:
            return ()
        items, self._items = self._items, {}
        touched: list[Desk] = []
        for product, wanted in items.items():
            touched += self._send(product, wanted, now_ns)
        return touched

    def _send(self, product: str, items: list[Item], now_ns: int) -> list[Desk]:
        throttle = self.throttle
        assert throttle is not None, "nothing is planned without a throttle"
        if not self.breaker.may_insert(now_ns):
            for item in items:
                item.desk.is_dirty = True
            items = [item for item in (item.without_new() for item in items) if item.sides]
        if not items:
            return []
        began_ns = self._clock.monotonic_ns()
        if throttle.wait_ns(began_ns):
            for item in items:
                self._wait(item.desk, began_ns)
            must_go = any(item.clears for item in items)
            return self._pull(product, began_ns) if must_go else []
        is_free = throttle.take_order(began_ns)
        assert is_free, "the throttle had a token a moment ago"
        self.served = items[-1].desk
        quote = self._booked(items, began_ns)
        try:
            self._journal_quotes(self._sent[quote.quote_id].orders)
            sent_ns = self._venue.mass_quote(quote)
        except ConnectivityError:
            self._doubt(self._sent.pop(quote.quote_id), began_ns)
            return []
        except JournalFailsError:
            self._doubt(self._sent.pop(quote.quote_id), began_ns)
            return self._pull(product, began_ns)
        self._measures.send.record(sent_ns - began_ns)
        self._measures.counts.add("mass_quotes")
        for item in items:
            self._note_sent(item.desk, item.source_time_ns, sent_ns)
        return [item.desk for item in items]

    def _booked(self, items: list[Item], now_ns: int) -> MassQuote:
        """Enter what a message will do into the order book, before it leaves; return the message."""
        orders: list[Order] = []
        sides = []
        for desk, wanted, _ in items:
            wish_id = desk.wish.wish_id if desk.wish is not None else 0
            price, size = desk.instrument.price, desk.instrument.size
            for side, quote in wanted:
                levels = tuple((price(price_ticks), size(lots)) for price_ticks, lots in quote.levels)
                sides.append(QuotedSide(desk.name, side, levels))
                for client_order_id in quote.leaving:
                    leaving = self._manager.get(client_order_id)
                    assert leaving is not None, f"quote {client_order_id} is not in the book"
                    self._manager.cancel_sent(leaving, now_ns)
                    orders.append(leaving)
                for price_ticks, lots in quote.fresh:
                    order = self._new_quote(desk, side, price_ticks, lots, wish_id)
                    self._manager.insert_sent(order, now_ns)
                    desk.recent.note(side, price_ticks, lots, order.client_order_id, now_ns)
                    orders.append(order)
                    self.breaker.on_sent(now_ns)
        quote_id = self.next_order_id()
        self._sent[quote_id] = _Sent(now_ns, orders)
        return MassQuote(
            quote_id=quote_id, sides=tuple(sides), post_only=self._config.post_only, label=self._label, stp=self.stp
        )

    def _note_sent(self, desk: Desk, source_time_ns: int, sent_ns: int) -> None:
        """Measure what a message took, from its tick or from when it began to wait for a token."""
        if desk.throttled_since_ns:
            self._measures.throttle_wait.record(sent_ns - desk.throttled_since_ns)
            desk.caught_up()
        elif source_time_ns:
            self._measures.tick_to_order.record(sent_ns - source_time_ns)

    def _journal_quotes(self, orders: list[Order]) -> None:
        """Write down what a message is about to do, level by level; JournalFailsError when it places any."""
        for order in orders:
            desk = self.desks[order.instrument]
            if order.state is OrderState.PENDING_NEW:
                price, size = desk.instrument.price(order.price_ticks), desk.instrument.size(order.size_lots)
                self._journal.order(
                    "QUOTE", order.client_order_id, desk.name, order.side, price, size, order.wish_id
                )  # fmt: skip
            else:
                self._journal.message("CANCEL", client_order_id=order.client_order_id, instrument=desk.name)

    def _new_quote(self, desk: Desk, side: Side, price_ticks: int, lots: int, wish_id: int = 0) -> Order:
        return Order(
            client_order_id=self.next_order_id(),
            instrument=desk.row,
            side=side,
            price_ticks=price_ticks,
            size_lots=lots,
            wish_id=wish_id,
            is_quote=True,
        )

    # ---- taking back -----------------------------------------------------------------------------------

    def pull_all(self, now_ns: int) -> int:
        """Take all quotes back, without waiting for a token; return messages sent."""
        products = {self._venue.product(desk.instrument) for desk in self.desks if self._cancellable(desk)}
        return sum(bool(self._pull(product, now_ns)) for product in sorted(products))

    def _pull(self, product: str, now_ns: int) -> list[Desk]:
        """Cancel every quote of a product, those in flight too: its group is deleted, so nothing can arrive later."""
        desks = self._desks_of(product)
        if self.throttle is None or not self._gateway.is_ready or not self.throttle.take_cancel(now_ns):
            for desk in desks:
                desk.is_dirty = True
            return []
        self._journal.message("PULL", instrument=product)
        orders = [order for desk in desks for order in self._cancellable(desk)]
        for order in orders:
            self._manager.cancel_sent(order, now_ns)
        try:
            self._venue.cancel_mass_quotes(product)
        except ConnectivityError:
            for order in orders:
                self._manager.doubt(order, now_ns)
            return []
        self.groups.reset([product])
        for desk in desks:
            desk.is_dirty = True
        return desks

    def _cancellable(self, desk: Desk) -> list[Order]:
        return [order for order in self._manager.live(desk.row) if order.is_quote and order.state in _CANCELLABLE]

    def cancel(self, order: Order, desk: Desk, now_ns: int) -> int:
        """Cancel one order; of a quote that is not in doubt, or has no number yet, all quotes of its product go.

        A quote without a number is not pulled twice for one doubt: the others would lose their place again and again.
        """
        is_doubted = order.state is OrderState.UNKNOWN
        if not order.is_quote or (is_doubted and order.venue_order_id):
            return super().cancel(order, desk, now_ns)
        if is_doubted and order.sent_time_ns > order.changed_time_ns:
            return 0
        return bool(self._pull(self._venue.product(desk.instrument), now_ns))

    def session_cancelled(self) -> None:
        self.groups.reset()

    def on_disconnected(self) -> None:
        self.groups.reset()
        self._sent.clear()

    # ---- what the venue says ---------------------------------------------------------------------------

    def on_quoted(self, quote_id: int, failures: list[QuoteFailure]) -> None:
        """A mass quote was carried out; what failed of it is rejected when it is named, and asked about if not."""
        sent = self._sent.pop(quote_id, None)
        if sent is None:
            return
        now_ns = self._clock.monotonic_ns()
        self._measures.answer.record(now_ns - sent.sent_ns)
        if not failures:
            return
        for failure in failures:
            self._note_failure(failure.error, sent)
            named = [order for order in sent.orders if self._is_named(order, failure)]
            if len(named) == 1:
                self._on_rejected(named[0].client_order_id, failure.error)
        self._doubt(sent, now_ns)
        self._log.warning("quotes failed", count=len(failures), reason=str(failures[0].error))

    def on_quote_rejected(self, quote_id: int, error: VenueError) -> None:
        """A whole message was refused: nothing of it was carried out."""
        sent = self._sent.pop(quote_id, None)
        if sent is None:
            self._log.warning("quotes could not be cancelled", reason=str(error))
            self._doubt_pulled()
            return
        self._note_failure(error, sent)
        for order in sent.orders:
            if order.state is OrderState.PENDING_NEW:
                self._on_rejected(order.client_order_id, error)
        self._doubt(sent, self._clock.monotonic_ns())

    def on_protection(self, reports: list[ProtectionReport]) -> None:
        self.protection.take_reports(reports)

    def take_untracked(self, report: OrderReport, desk: Desk, now_ns: int) -> bool:
        """Take over a quote that rests and was not expected: a level that we named to keep it had been filled."""
        if report.price is None or report.client_order_id is not None or self.holds:
            return False
        terms = desk.instrument.price_ticks(report.price), desk.instrument.size_lots(report.size)
        self._manager.insert_sent(self._new_quote(desk, report.side, *terms), now_ns)
        return True

    def note_closed(self, report: OrderReport, desk: Desk) -> None:
        super().note_closed(report, desk)
        if report.delete_reason == "mm_protection":
            self.protection.used_up(self._venue.product(desk.instrument))

    def _is_named(self, order: Order, failure: QuoteFailure) -> bool:
        if order.state is not OrderState.PENDING_NEW or order.side is not failure.side or failure.price is None:
            return False
        instrument = self.desks[order.instrument].instrument
        return instrument.price(order.price_ticks) == failure.price

    def _note_failure(self, error: VenueError, sent: _Sent) -> None:
        if error.code == CODE_PROTECTION_NOT_SET:
            for row in {order.instrument for order in sent.orders}:
                self.groups.is_unset(self._venue.product(self.desks[row].instrument))

    def _doubt_pulled(self) -> None:
        """Doubt anew what has no number, so that it is pulled again."""
        now_ns = self._clock.monotonic_ns()
        for order in self._manager.in_doubt():
            if order.is_quote and not order.venue_order_id:
                self._manager.doubt(order, now_ns)

    def _doubt(self, sent: _Sent, now_ns: int) -> None:
        for order in sent.orders:
            if order.is_in_flight:
                self._manager.doubt(order, now_ns)
                self.desks[order.instrument].is_dirty = True

    # ---- protection ------------------------------------------------------------------------------------

    def look_after(self, now_ns: int) -> None:
        """Come back to the products whose cool-down or pause is over, and fill up what was used."""
        super().look_after(now_ns)
        for desk in self.desks:
            product = self._venue.product(desk.instrument)
            desk.is_dirty |= self.groups.must_set(product, now_ns)
            if self._gateway.is_ready:
                self.protection.fill_up(product, now_ns)

    def _take_token(self, now_ns: int) -> bool:
        return self.throttle is not None and self.throttle.take_order(now_ns)

    def troubles(self, now_ns: int) -> list[str]:
        return [*super().troubles(now_ns), *(f"{product} cools down" for product in self.groups.cooling(now_ns))]

    def _wake(self, product: str) -> None:
        for desk in self._desks_of(product):
            desk.is_dirty = True
        self._work_soon()

    def _desks_of(self, product: str) -> list[Desk]:
        return [desk for desk in self.desks if self._venue.product(desk.instrument) == product]
