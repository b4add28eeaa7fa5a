"""A small venue for the order manager's tests: right by its shortness, not shared with the local exchange.

Requests wait in `inbox` until the venue takes them, in order; what it says waits in `outbox` until the test
delivers it, in any order, twice, or never.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from domain.errors import VenueError
from domain.instrument import Instrument, InstrumentKind
from domain.order import LiquiditySide, Side, VenueOrderStatus
from domain.reports import FillReport, OrderReport, TradeReport

INSTRUMENT = Instrument(
    "BTC-PERPETUAL", InstrumentKind.PERPETUAL, "BTCUSD", Decimal("0.5"), Decimal("0.001"), Decimal("0.001")
)


class Request(NamedTuple):
    kind: str
    client_order_id: int
    side: Side = Side.BUY
    price_ticks: int = 0
    size_lots: int = 0
    label: str = "rm"
    is_immediate: bool = False


class Rejection(NamedTuple):
    kind: str
    client_order_id: int
    error: VenueError


@dataclass
class VenueOrder:
    venue_order_id: str
    client_order_id: int
    side: Side
    price_ticks: int
    size_lots: int
    filled_lots: int = 0
    status: VenueOrderStatus = VenueOrderStatus.OPEN
    label: str = "rm"

    @property
    def is_open(self) -> bool:
        return not self.status.is_closed


class ModelVenue:
    """One instrument, one account."""

    def __init__(self) -> None:
        self.orders: dict[int, VenueOrder] = {}
        self.trades: list[TradeReport] = []
        self.inbox: deque[Request] = deque()
        self.outbox: list[OrderReport | Rejection] = []
        self.time_ns = 0
        self.refusals: dict[str, int] = {}  # kind of request -> code with which each of them is refused

    @property
    def open(self) -> list[VenueOrder]:
        return [order for order in self.orders.values() if order.is_open]

    @property
    def position_lots(self) -> int:
        return sum(order.filled_lots * order.side for order in self.orders.values())

    def open_orders(self) -> list[OrderReport]:
        return [self._report(order, "existing", self._all_fills(order)) for order in self.open]

    def take_request(self, *, refuse: bool) -> None:
        """Process the oldest request; an answer and a notification follow, like at Thalex."""
        request = self.inbox.popleft()
        order = self.orders.get(request.client_order_id)
        if request.kind in self.refusals:
            self._reject(request, self.refusals[request.kind])
            return
        if request.kind == "insert":
            if refuse:
                self._reject(request, 24)
                return
            assert order is None, f"order {request.client_order_id} was sent twice"
            order = self.place(request)
            if request.is_immediate:
                self.fill(order, order.size_lots)
                return
        elif order is None or not order.is_open:
            self._reject(request, 1)
            return
        elif refuse:
            self._reject(request, 20)
            return
        elif request.kind == "amend":
            order.price_ticks, order.size_lots = request.price_ticks, request.size_lots
            if order.size_lots <= order.filled_lots:
                self._close(order)
        else:
            self._close(order)
        report = self._report(order, request.kind, ())
        self.outbox += [report, report]

    def place(self, request: Request) -> VenueOrder:
        """Open an order, as somebody else's client may too; nothing is told."""
        order = VenueOrder(
            f"v{len(self.orders)}", request.client_order_id, request.side, request.price_ticks, request.size_lots,
            label=request.label,
        )  # fmt: skip
        self.orders[request.client_order_id] = order
        return order

    def fill(self, order: VenueOrder, lots: int) -> None:
        """A taker meets `order`."""
        lots = min(lots, order.size_lots - order.filled_lots)
        order.filled_lots += lots
        is_full = order.filled_lots == order.size_lots
        order.status = VenueOrderStatus.FILLED if is_full else VenueOrderStatus.PARTIALLY_FILLED
        price, size = INSTRUMENT.price(order.price_ticks), INSTRUMENT.size(lots)
        trade_id = f"t{len(self.trades)}"
        fill = FillReport(trade_id, order.venue_order_id, 0, price, size, LiquiditySide.MAKER, self.time_ns)
        self.trades.append(
            TradeReport(
                trade_id, order.venue_order_id, 0, INSTRUMENT.name, order.side, price, size, Decimal("0.01"),
                INSTRUMENT.size(self.position_lots), Decimal(0), Decimal(0), LiquiditySide.MAKER, order.label,
                self.time_ns,
            )
        )  # fmt: skip
        self.outbox.append(self._report(order, "fill", (fill,)))

    def cancel_by_itself(self, order: VenueOrder) -> None:
        self._close(order)
        self.outbox.append(self._report(order, "cancel", ()))

    def disconnect(self, taken: int) -> None:
        """The session breaks: some of what was sent still arrives, nothing more is told, orders fall."""
        for _ in range(min(taken, len(self.inbox))):
            self.take_request(refuse=False)
        self.inbox.clear()
        self.outbox.clear()
        for order in self.open:
            self._close(order)

    def _close(self, order: VenueOrder) -> None:
        order.status = VenueOrderStatus.CANCELLED_PARTIALLY_FILLED if order.filled_lots else VenueOrderStatus.CANCELLED

    def _reject(self, request: Request, code: int) -> None:
        self.outbox.append(Rejection(request.kind, request.client_order_id, VenueError(code, "refused")))

    def _all_fills(self, order: VenueOrder) -> tuple[FillReport, ...]:
        return tuple(
            FillReport(t.trade_id, t.venue_order_id, 0, t.price, t.size, t.liquidity_side, t.time_ns)
            for t in self.trades
            if t.venue_order_id == order.venue_order_id
        )

    def _report(self, order: VenueOrder, reason: str, fills: tuple[FillReport, ...]) -> OrderReport:
        return OrderReport(
            order.venue_order_id, order.client_order_id, INSTRUMENT.name, order.side,
            INSTRUMENT.price(order.price_ticks), INSTRUMENT.size(order.size_lots), INSTRUMENT.size(order.filled_lots),
            order.status, fills, reason, "", order.label, 0, 0,
        )  # fmt: skip
