"""The venue as execution's core sees it: every request that a gateway takes, in front of a model venue."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from domain.clock import SimClock
from domain.errors import ConnectivityError, VenueError
from domain.instrument import Instrument
from domain.order import Side, TimeInForce
from domain.reports import OrderReport, PositionReport, SettlementReport, TradeReport
from tests.model_quotes import ModelQuotes, without_our_number
from tests.model_venue import INSTRUMENT, ModelVenue, Rejection, Request
from venues.conditional import ConditionalOrderReport, NewConditionalOrder
from venues.gateway import NewOrder
from venues.quoting import MassQuote

LABEL = "rm-bench"


class FakeGateway:
    """An `OrderGateway` in front of a model venue. What was sent reaches it at `pump`."""

    def __init__(self, clock: SimClock) -> None:
        self.venue = ModelVenue()
        self.quotes = ModelQuotes(self.venue)
        self.clock = clock
        self.is_ready = True
        self.message_rate = 50
        self.sent: list[tuple[Any, ...]] = []
        self.history_lag = 0  # newest trades that the history does not show yet
        self.kept_alive_ns = 0
        self.protection_error: VenueError | None = None
        self.conditional: list[ConditionalOrderReport] = []
        self.loses_answers = False  # of requests about conditional orders
        self.start_position = self.start_average = Decimal(0)
        self.mark_price = INSTRUMENT.price(200)
        self.unrealised_funding = Decimal(0)
        self.paid: list[SettlementReport] = []  # at daily settlements
        self.asked_settlements: list[int] = []  # from when on, each time
        self.settlements_error: VenueError | None = None
        self.listed = {INSTRUMENT.name: INSTRUMENT}

    def start(self) -> None: ...

    async def close(self) -> None: ...

    def keep_alive(self, now_ns: int) -> None:
        self.kept_alive_ns = now_ns

    def insert(self, order: NewOrder) -> int:
        self._need_connection()
        assert order.price is not None
        price_ticks, size_lots = INSTRUMENT.price_ticks(order.price), INSTRUMENT.size_lots(order.size)
        self.sent.append(("insert", order.side, price_ticks, size_lots, order))
        is_immediate = order.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL
        self.venue.inbox.append(
            Request("insert", order.client_order_id, order.side, price_ticks, size_lots, order.label, is_immediate)
        )
        return self.clock.monotonic_ns()

    def amend(self, client_order_id: int, price: Decimal, size: Decimal) -> int:
        self._need_connection()
        terms = INSTRUMENT.price_ticks(price), INSTRUMENT.size_lots(size)
        self.sent.append(("amend", client_order_id, *terms))
        self.venue.inbox.append(Request("amend", client_order_id, Side.BUY, *terms))
        return self.clock.monotonic_ns()

    def cancel(self, client_order_id: int) -> int:
        self._need_connection()
        self.sent.append(("cancel", client_order_id))
        self.venue.inbox.append(Request("cancel", client_order_id))
        return self.clock.monotonic_ns()

    def cancel_order(self, venue_order_id: str, client_order_id: int = 0) -> int:
        self._need_connection()
        self.sent.append(("cancel_order", venue_order_id))
        if code := self.venue.refusals.get("cancel_order", 0):
            self.venue.outbox.append(Rejection("cancel", client_order_id, VenueError(code, "refused")))
            return self.clock.monotonic_ns()
        for order in self.venue.open:
            if order.venue_order_id == venue_order_id:
                self.venue.cancel_by_itself(order)
        return self.clock.monotonic_ns()

    # ---- conditional orders --------------------------------------------------------------------------

    async def create_conditional_order(self, order: NewConditionalOrder) -> ConditionalOrderReport:
        self._need_connection()
        self.sent.append(("create_stop", order))
        report = ConditionalOrderReport(
            f"c{len(self.conditional)}", order.instrument_name, order.side, order.size, order.stop_price, None, None,
            order.callback_rate, order.target, "active", order.reduce_only, order.label, "",
        )  # fmt: skip
        self.conditional.append(report)
        if self.loses_answers:
            raise ConnectivityError("no answer to private/create_conditional_order")
        return report

    async def cancel_conditional_order(self, order_id: str) -> None:
        self._need_connection()
        self.sent.append(("cancel_stop", order_id))
        self.conditional = [
            msgspec.structs.replace(one, status="cancelled") if one.order_id == order_id else one
            for one in self.conditional
        ]

    async def conditional_orders(self) -> list[ConditionalOrderReport]:
        self._need_connection()
        return [one for one in self.conditional if one.is_open]

    # ---- mass quotes ---------------------------------------------------------------------------------

    def product(self, instrument: Instrument) -> str:
        return "F" + instrument.underlying

    def mass_quote(self, quote: MassQuote) -> int:
        self._need_connection()
        self.sent.append(("mass_quote", quote))
        self.quotes.inbox.append(quote)
        return self.clock.monotonic_ns()

    def cancel_mass_quotes(self, product: str) -> int:
        self._need_connection()
        self.sent.append(("cancel_mass_quotes", product))
        while self.quotes.inbox:
            self.quotes.take(self.quotes.inbox.popleft())
        self.quotes.cancel_all()
        return self.clock.monotonic_ns()

    async def set_protection(self, product: str, trade_size: Decimal, quote_size: Decimal) -> None:
        self._need_connection()
        self.sent.append(("set_protection", product, trade_size, quote_size))
        if self.protection_error is not None:
            raise self.protection_error
        self.quotes.is_protected = True

    # --------------------------------------------------------------------------------------------------

    async def cancel_session(self) -> None:
        self._need_connection()
        self.sent.append(("cancel_session",))
        self.quotes.inbox.clear()
        self.quotes.is_protected = False
        while self.venue.inbox:
            self.venue.take_request(refuse=False)
        for order in [order for order in self.venue.open if order.label == LABEL]:
            self.venue.cancel_by_itself(order)

    async def cancel_all(self) -> int:
        raise AssertionError("execution never cancels others' orders")

    async def cancel_all_conditional_orders(self) -> None: ...

    async def open_orders(self) -> list[OrderReport]:
        self._need_connection()
        return [without_our_number(report) for report in self.venue.open_orders()]

    async def positions(self) -> list[PositionReport]:
        self._need_connection()
        return self.position_reports()

    def position_reports(self) -> list[PositionReport]:
        held = self.start_position + INSTRUMENT.size(self.venue.position_lots)
        average, mark = self._average_price(), self.mark_price
        return [PositionReport(INSTRUMENT.name, held, average, mark, Decimal(0), Decimal(0), self.unrealised_funding)]

    def _average_price(self) -> Decimal:
        """Return what the position was bought or sold for; 0 when there is none."""
        held, average = self.start_position, self.start_average
        for trade in self.venue.trades:
            size = trade.size * trade.side
            if held * size >= 0:
                average = (held * average + size * trade.price) / (held + size)
            elif abs(size) > abs(held):
                average = trade.price
            held += size
        return average if held else Decimal(0)

    async def settlements(self, since_realtime_ns: int) -> list[SettlementReport]:
        self._need_connection()
        self.asked_settlements.append(since_realtime_ns)
        if self.settlements_error is not None:
            raise self.settlements_error
        return [report for report in self.paid if report.time_ns >= since_realtime_ns]

    async def trade_history(self, since_realtime_ns: int) -> list[TradeReport]:
        self._need_connection()
        shown = self.venue.trades[: len(self.venue.trades) - self.history_lag]
        return [trade for trade in shown if trade.time_ns >= since_realtime_ns]

    async def instruments(self) -> dict[str, Instrument]:
        return self.listed

    def kinds(self) -> list[str]:
        return [entry[0] for entry in self.sent]

    def _need_connection(self) -> None:
        if not self.is_ready:
            raise ConnectivityError("not connected to the venue")
