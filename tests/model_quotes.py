"""Mass quotes on the model venue: a side is replaced but for what stands at the same price and size."""

from __future__ import annotations

from collections import deque

import msgspec

from domain.errors import VenueError
from domain.order import Side, VenueOrderStatus
from domain.reports import OrderReport
from tests.model_venue import INSTRUMENT, ModelVenue, Request, VenueOrder
from venues.quoting import MassQuote, QuoteFailure


class ModelQuotes:
    """The quotes of one session. Ours have negative numbers inside the venue, for it is told none.

    Attributes:
        is_protected: nothing can be quoted before it is.
        failing: prices that the venue refuses to quote, in ticks.
        moved_back: price in ticks -> where the venue rests a post-only quote instead.
    """

    def __init__(self, venue: ModelVenue) -> None:
        self.venue = venue
        self.inbox: deque[MassQuote] = deque()
        self.is_protected = False
        self.failing: set[int] = set()
        self.moved_back: dict[int, int] = {}
        self._next_number = -1

    @property
    def open(self) -> list[VenueOrder]:
        return [order for order in self.venue.open if order.client_order_id < 0]

    def take(self, quote: MassQuote) -> list[QuoteFailure]:
        """Carry a mass quote out; what becomes of orders is told in the venue's outbox."""
        failures = []
        for side in quote.sides:
            wanted = {(INSTRUMENT.price_ticks(price), INSTRUMENT.size_lots(size)) for price, size in side.levels}
            for order in self.open:
                terms = (order.price_ticks, order.size_lots - order.filled_lots)
                if order.side is side.side and terms not in wanted:
                    self.venue.cancel_by_itself(order)
                elif order.side is side.side:
                    wanted.discard(terms)
            for price_ticks, lots in sorted(wanted, reverse=side.side is Side.BUY):
                code = 23 if not self.is_protected else 44 if price_ticks in self.failing else 0
                if code:
                    error = VenueError(code, "refused", "private/mass_quote")
                    failures.append(QuoteFailure(error, side.side, INSTRUMENT.price(price_ticks)))
                else:
                    self._place(side.side, self.moved_back.get(price_ticks, price_ticks), lots, quote.label)
        return failures

    def _place(self, side: Side, price_ticks: int, lots: int, label: str) -> None:
        order = self.venue.place(Request("insert", self._next_number, side, price_ticks, lots, label))
        self._next_number -= 1
        self.venue.outbox.append(self.venue._report(order, "insert", ()))

    def cancel_all(self, delete_reason: str = "client_bulk_cancel") -> None:
        self.is_protected = False
        for order in self.open:
            order.status = VenueOrderStatus.CANCELLED
            report = self.venue._report(order, "cancel", ())
            self.venue.outbox.append(msgspec.structs.replace(report, delete_reason=delete_reason))


def without_our_number(report: OrderReport) -> OrderReport:
    """Return a report as the venue tells it: quotes have no number of ours."""
    is_quote = report.client_order_id is not None and report.client_order_id < 0
    return msgspec.structs.replace(report, client_order_id=None) if is_quote else report
