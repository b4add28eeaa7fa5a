"""The anonymous maker of requests for quote: wide on both sides, a moment after each request, so that one can trade."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from exchange.core.book import Change
from exchange.core.engine import Engine
from exchange.core.events import Event, RfqChanged, RfqEvent
from exchange.core.instrument import Instrument
from exchange.core.orders import Side
from exchange.core.rfq import NewRfqQuote, Rfq, RfqQuote
from exchange.core.rfqs import PRICE_STEP
from exchange.core.scheduler import NS_PER_MS

DELAY_NS = 500 * NS_PER_MS
HALF_SPREAD_RATIO = Decimal("0.08")  # of the sum of what all legs are worth
MOVE_RATIO = Decimal("0.1")  # of the half-spread: then the quotes follow


class RfqMaker:
    """A listener that quotes every request and follows the marks of its legs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._quotes: dict[str, dict[Side, RfqQuote]] = {}

    def on_events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, RfqChanged) and event.event is RfqEvent.CREATED:
                self._quote_later(event.rfq)
            elif isinstance(event, RfqChanged):
                self._quotes.pop(event.rfq.rfq_id, None)

    def on_book(self, instrument: Instrument, changes: list[Change]) -> None:
        """Nothing: quotes follow marks."""

    def on_second(self) -> None:
        for rfq_id, quotes in self._quotes.items():
            for side, quote in quotes.items():
                price, half = self._price(self._engine.rfqs.open[rfq_id], side)
                if abs(price - quote.price) > MOVE_RATIO * half:
                    self._engine.rfqs.amend_quote(quote, price, quote.amount)

    def _quote_later(self, rfq: Rfq) -> None:
        scheduler = self._engine.scheduler
        scheduler.call_at(scheduler.monotonic_ns() + DELAY_NS, lambda: self._quote(rfq))

    def _quote(self, rfq: Rfq) -> None:
        if not rfq.is_open:
            return
        desk = self._engine.rfqs
        quotes = self._quotes[rfq.rfq_id] = {}
        for side in Side:
            price, _ = self._price(rfq, side)
            quotes[side] = desk.insert_quote(rfq.rfq_id, NewRfqQuote(None, "", side, price, rfq.terms.amount))
        self._engine.commit()

    def _price(self, rfq: Rfq, side: Side) -> tuple[Decimal, Decimal]:
        """Return the price of one side, and the half-spread."""
        marks = [(leg.quantity, self._engine.markets[leg.instrument.name].mark.mark_price) for leg in rfq.terms.legs]
        middle = sum((quantity * mark for quantity, mark in marks), Decimal(0))
        half = max(PRICE_STEP, HALF_SPREAD_RATIO * sum((abs(q) * mark for q, mark in marks), Decimal(0)))
        if side is Side.BUY:
            return (middle - half).quantize(PRICE_STEP, ROUND_FLOOR), half
        return (middle + half).quantize(PRICE_STEP, ROUND_CEILING), half
