"""The book of our orders: what was sent, what the venue said, and what follows from it.

No clock, no I/O: the caller passes times in and sends what it decides itself. Reports may come late, twice,
out of order, or not at all; `apply_open_orders` with the answer to a query brings the book back to the venue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import OrderEventKind
from domain.errors import OffGridError, VenueError
from domain.instrument import Instrument
from domain.order import RequestKind, Side
from domain.reports import OrderReport, TradeReport
from trading.orders.changes import Change, OpenOrdersResult
from trading.orders.order import Order, Terms
from trading.orders.shelf import OrderShelf
from trading.orders.states import LAST_WORDS, OrderState, OrderTrigger, next_state
from trading.orders.triggers import (
    CODE_ORDER_NOT_FOUND,
    CODE_THROTTLED,
    terms_of,
    trigger_of,
    trigger_of_rejection,
)

MOVED_BACK_NS = 500 * NS_PER_MS  # pause before a price that would have crossed is tried again
CANCEL_AGAIN_NS = 1 * NS_PER_S  # pause before an order whose cancel was refused twice, or in doubt, is cancelled again
ABSENCES_OF_UNCONFIRMED = 2  # queries that must miss an order which the venue never confirmed
HALF = 2


class OrderManager:
    """All our orders of one account, live ones first of all.

    Args:
        instruments: name -> (row, definition), for what is quoted.
        answer_timeout_ns: how long a message may be unanswered before its order is UNKNOWN.
        quote_label: marks our mass quotes, which come without our number; empty = we send none.
    """

    def __init__(
        self, instruments: Mapping[str, tuple[int, Instrument]], answer_timeout_ns: int, quote_label: str = ""
    ) -> None:
        self._quote_label = quote_label
        self._instruments = dict(instruments)
        self._answer_timeout_ns = answer_timeout_ns
        self._shelf = OrderShelf(row for row, _ in self._instruments.values())
        self._live = self._shelf.live
        self._with_gap: set[int] = set()

    # ---- what is known ---------------------------------------------------------------------------------

    def live(self, instrument: int) -> Iterable[Order]:
        """Return the orders of one instrument that are, or may be, open."""
        return self._live[instrument].values()

    def all_live(self) -> list[Order]:
        return self._shelf.all_live()

    def live_count(self, instrument: int) -> int:
        return len(self._live[instrument])

    def get(self, client_order_id: int) -> Order | None:
        return self._shelf.get(client_order_id)

    def get_by_venue(self, venue_order_id: str) -> Order | None:
        return self._shelf.get_by_venue(venue_order_id)

    def may_trade(self, client_order_id: int) -> bool:
        """Return whether the order with this number of ours is in the book and is, or may be, open."""
        order = self._shelf.get(client_order_id)
        return order is not None and order.is_live

    def exposed_lots(self, instrument: int, side: Side) -> int:
        """Return the most that our live orders of one side can still fill."""
        return sum(order.exposed_lots for order in self._live[instrument].values() if order.side is side)

    def has_doubt(self) -> bool:
        """Whether a query is due: an order is UNKNOWN, or a fill is missing."""
        return self.has_fill_gap() or bool(self.in_doubt())

    def in_doubt(self) -> list[Order]:
        """Return the orders whose state only the venue can tell."""
        return [order for order in self.all_live() if order.state is OrderState.UNKNOWN]

    def has_fill_gap(self) -> bool:
        """Whether the venue says more is filled of some order than the fills that were seen."""
        return bool(self._with_gap)

    def gaps(self) -> list[Order]:
        """Return the orders of which a fill is missing."""
        return [order for number in self._with_gap if (order := self._shelf.get(number)) is not None]

    def give_up_gap(self, order: Order) -> None:
        """Ask no more for what is missing of `order`, unless more is; what the venue says is filled stays filled."""
        order.given_up_lots = order.filled_lots - order.booked_lots
        self._note_gap(order)

    # ---- what we do ------------------------------------------------------------------------------------

    def insert_sent(self, order: Order, now_ns: int) -> None:
        """Take a new order in; called before it leaves, so that it counts whatever happens."""
        self._shelf.add(order)
        self._stamp_sent(order, now_ns)

    def amend_sent(self, order: Order, terms: Terms, wish_id: int, now_ns: int) -> None:
        self._move(order, OrderTrigger.AMEND_SENT)
        order.target = terms
        order.moved_from_ticks = None
        order.wish_id = wish_id
        self._stamp_sent(order, now_ns)

    def cancel_sent(self, order: Order, now_ns: int) -> None:
        self._move(order, OrderTrigger.CANCEL_SENT)
        if order.state is OrderState.UNKNOWN:
            order.sent_time_ns = now_ns  # a list that is on its way may still tell what became of it
        else:
            self._stamp_sent(order, now_ns)

    def doubt(self, order: Order, now_ns: int) -> None:
        """The outcome of what was sent is unknown: the socket refused the message, of which part may have left, or
        the venue says that part of it failed."""
        self._move(order, OrderTrigger.DOUBT)
        order.changed_time_ns = now_ns

    # ---- what we hear ----------------------------------------------------------------------------------

    def apply_report(self, report: OrderReport, now_ns: int) -> list[Change] | None:
        """Apply a report on one order; None when the order is not in the book."""
        order = self._find(report)
        if order is None:
            return None
        instrument = self._instruments[report.instrument_name][1]
        try:
            terms = terms_of(report, instrument, order)
        except OffGridError:
            return self._apply_off_grid(order, report, now_ns)
        trigger = trigger_of(order, report, terms)
        return self._apply(order, report, terms, trigger, now_ns)

    def apply_rejection(self, kind: RequestKind, client_order_id: int, error: VenueError, now_ns: int) -> list[Change]:
        """Apply the venue's refusal of one message of ours."""
        order = self._shelf.get(client_order_id)
        if order is None:
            return []
        was_live = order.is_live
        trigger = trigger_of_rejection(order, kind, error.code)
        self._move(order, trigger)
        if trigger is OrderTrigger.AMEND_REFUSED and error.code != CODE_THROTTLED:
            order.amend_refusals += 1
        if kind == "cancel":
            if order.cancel_refusals:  # the first may have met a bad moment: the second follows at once
                order.cancel_refused_ns = now_ns
            order.cancel_refusals += 1
        if kind == "amend" and order.state in (OrderState.WORKING, OrderState.PENDING_CANCEL):
            order.target = None
        order.changed_time_ns = now_ns
        is_wanted_news = was_live and (kind != "cancel" or error.code != CODE_ORDER_NOT_FOUND)
        return [Change(OrderEventKind.REJECTED, order, venue_code=error.code)] if is_wanted_news else []

    def apply_trade(self, trade: TradeReport) -> Order | None:
        """Count a line of the trade history towards its order; return that order, if it is ours and kept."""
        order = self._shelf.get_by_venue(trade.venue_order_id)
        if order is None:
            return None
        if trade.key not in order.fill_keys:
            instrument = self._instruments[trade.instrument_name][1]
            order.note_fill(trade.key)
            order.booked_lots += instrument.covering_lots(trade.size)
            order.filled_lots = max(order.filled_lots, order.booked_lots)
            self._note_gap(order)
        return order

    def expire(self, now_ns: int) -> list[Order]:
        """Turn what is unanswered for too long into UNKNOWN; return those orders."""
        expired = [o for o in self.all_live() if o.is_in_flight and now_ns >= o.deadline_ns]
        for order in expired:
            self.doubt(order, now_ns)
        return expired

    def release(self, now_ns: int) -> list[Order]:
        """Return the orders whose pause is over: that the venue moved back, or refused to cancel."""
        released = []
        for order in self.all_live():
            if order.moved_from_ticks is not None and now_ns - order.changed_time_ns >= MOVED_BACK_NS:
                order.moved_from_ticks = None
                released.append(order)
            if order.cancel_refused_ns is not None and now_ns - order.cancel_refused_ns >= CANCEL_AGAIN_NS:
                order.cancel_refused_ns = None
                released.append(order)
        return released

    def disconnect(self, now_ns: int) -> None:
        """The connection is gone: every live order is UNKNOWN until the venue is asked again."""
        for order in self.all_live():
            self.doubt(order, now_ns)

    def apply_open_orders(self, reports: Iterable[OrderReport], asked_time_ns: int, now_ns: int) -> OpenOrdersResult:
        """Apply the venue's list of open orders, which was asked for at `asked_time_ns`.

        An order that changed since then is left alone: the list may be older than what we know. When an order
        of ours is missing, apply the trade history (`apply_trade`) first, so that its fills are not lost.
        """
        changes: list[Change] = []
        untracked: list[OrderReport] = []
        shown: set[int] = set()
        for report in reports:
            order = self._find(report)
            if order is None:
                untracked.append(report)
                continue
            shown.add(order.client_order_id)
            if order.changed_time_ns >= asked_time_ns:
                continue
            if order.state in LAST_WORDS:
                untracked.append(report)  # closed by the venue's own word, and yet open
                continue
            try:
                terms = terms_of(report, self._instruments[report.instrument_name][1], order)
            except OffGridError:
                changes += self._apply_off_grid(order, report, now_ns)
                untracked.append(report)  # no quote of ours can be there: it is to be cancelled
                continue
            changes += self._apply(order, report, terms, OrderTrigger.SHOWN_OPEN, now_ns)
        for order in self.missing(shown, asked_time_ns):
            changes += self._apply_absence(order, now_ns)
        return OpenOrdersResult(changes, untracked)

    def missing(self, shown: set[int], asked_time_ns: int) -> list[Order]:
        """Return live orders that a list asked for at `asked_time_ns` should show, and does not."""
        return [
            order
            for order in self.all_live()
            if order.client_order_id not in shown and order.changed_time_ns < asked_time_ns
        ]

    def shown_by(self, reports: Iterable[OrderReport]) -> set[int]:
        """Return the client order ids of those of our orders that a list shows."""
        return {order.client_order_id for report in reports if (order := self._find(report)) is not None}

    # ---- inside ----------------------------------------------------------------------------------------

    def _find(self, report: OrderReport) -> Order | None:
        if report.instrument_name not in self._instruments:
            return None
        order = self._shelf.find(report)
        if order is None and report.client_order_id is None and self._quote_label == report.label:
            row, instrument = self._instruments[report.instrument_name]
            if report.price is not None and report.label:
                try:
                    price_ticks, lots = instrument.price_ticks(report.price), instrument.size_lots(report.size)
                except OffGridError:
                    return None  # no quote of ours is there
                return self._shelf.find_quote(row, report, price_ticks, lots)
        return order

    def _apply(
        self, order: Order, report: OrderReport, terms: Terms, trigger: OrderTrigger, now_ns: int
    ) -> list[Change]:
        changes: list[Change] = []
        stamp_ns = report.close_time_ns or report.create_time_ns
        was_confirmed = order.venue_order_id != ""
        was_closed = not order.is_live
        wanted_ticks = order.price_ticks if order.target is None else order.target[0]
        if trigger is OrderTrigger.CONFIRMED:
            order.amend_refusals = 0
            if terms[0] != wanted_ticks:
                order.moved_from_ticks = wanted_ticks
        if not was_confirmed:
            self._shelf.name(order, report.venue_order_id)
            order.adopt(terms)
            changes.append(Change(OrderEventKind.ACCEPTED, order, exchange_time_ns=report.create_time_ns))
        elif self._settle_terms(order, terms, trigger) and not report.status.is_closed and not was_closed:
            changes.append(Change(OrderEventKind.AMENDED, order, exchange_time_ns=stamp_ns))
        changes += self._count_fills(order, report)
        self._move(order, trigger)
        order.changed_time_ns = now_ns
        order.absences = 0
        if trigger is OrderTrigger.OPENED and order.state is OrderState.PENDING_AMEND:
            # Either an echo of what we know, or an amend that the venue repriced to where the order was:
            # wait for the answer, but not for long.
            order.deadline_ns = min(order.deadline_ns, now_ns + self._answer_timeout_ns // HALF)
        if order.state is OrderState.CANCELLED and not was_closed:
            changes.append(
                Change(OrderEventKind.CANCELLED, order, exchange_time_ns=stamp_ns, reason=report.delete_reason)
            )
        return changes

    def _apply_off_grid(self, order: Order, report: OrderReport, now_ns: int) -> list[Change]:
        """An order is open at a price or size that we cannot even express: its fills count, and it is in doubt."""
        if not order.venue_order_id:
            self._shelf.name(order, report.venue_order_id)
        changes = self._count_fills(order, report)
        if order.state not in LAST_WORDS:
            self._move(order, OrderTrigger.SHOWN_OPEN)  # one that was given up counts again
            self.doubt(order, now_ns)
        return changes

    def _settle_terms(self, order: Order, terms: Terms, trigger: OrderTrigger) -> bool:
        """Adopt the report's terms unless they are old news; return whether they changed the order."""
        if trigger in (OrderTrigger.CLOSED_FILLED, OrderTrigger.CLOSED_CANCELLED):
            order.target = None
            return False
        if trigger is OrderTrigger.SHOWN_OPEN:
            return not order.is_in_flight and order.adopt(terms)
        if trigger is OrderTrigger.CONFIRMED:
            return order.adopt(terms)
        if order.target is None and order.state not in LAST_WORDS and terms not in order.left_behind:
            return order.adopt(terms)
        return False

    def _count_fills(self, order: Order, report: OrderReport) -> list[Change]:
        instrument = self._instruments[report.instrument_name][1]
        changes: list[Change] = []
        for fill in report.fills:
            if fill.key in order.fill_keys:
                continue
            order.note_fill(fill.key)
            order.booked_lots += instrument.covering_lots(fill.size)
            order.filled_lots = max(order.filled_lots, order.booked_lots)
            changes.append(Change(OrderEventKind.FILLED, order, fill, exchange_time_ns=fill.time_ns))
        order.filled_lots = max(order.filled_lots, instrument.covering_lots(report.filled_size))
        self._note_gap(order)
        return changes

    def _note_gap(self, order: Order) -> None:
        # What is told after all is given up no longer: the next lots that are missing are others.
        order.given_up_lots = min(order.given_up_lots, order.filled_lots - order.booked_lots)
        if order.has_fill_gap:
            self._with_gap.add(order.client_order_id)
        else:
            self._with_gap.discard(order.client_order_id)

    def _apply_absence(self, order: Order, now_ns: int) -> list[Change]:
        order.absences += 1
        needed = 1 if order.venue_order_id else ABSENCES_OF_UNCONFIRMED
        if order.absences < needed:
            return []
        is_filled = order.filled_lots >= order.size_lots
        self._move(order, OrderTrigger.CLOSED_FILLED if is_filled else OrderTrigger.SHOWN_ABSENT)
        order.changed_time_ns = now_ns
        if order.state is OrderState.ABSENT:
            return [Change(OrderEventKind.CANCELLED, order)]
        return []

    def _stamp_sent(self, order: Order, now_ns: int) -> None:
        order.sent_time_ns = order.changed_time_ns = now_ns
        order.deadline_ns = now_ns + self._answer_timeout_ns

    def _move(self, order: Order, trigger: OrderTrigger) -> None:
        was_live = order.is_live
        order.state = next_state(order.state, trigger)
        if was_live and not order.is_live:
            for forgotten in self._shelf.close(order):
                self._with_gap.discard(forgotten.client_order_id)
        elif order.is_live and not was_live:
            self._shelf.revive(order)
