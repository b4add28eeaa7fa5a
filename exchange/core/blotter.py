"""What became of one market's orders: which are working, what was reported, filled, booked and printed."""

from __future__ import annotations

from collections.abc import Callable

from exchange.core.events import Event, PublicTrade
from exchange.core.execution import FillBooker
from exchange.core.instrument import Instrument
from exchange.core.marks import Mark
from exchange.core.orders import ChangeReason, DeleteReason, Fill, Order, OrderUpdate, Side, update_of
from exchange.core.statistics import TradeStatistics

RealtimeNs = Callable[[], int]


class Blotter:
    """Everything that happens to an order passes here. `events` is the engine's list for this transaction."""

    def __init__(
        self, instrument: Instrument, mark: Mark, booker: FillBooker, events: list[Event], realtime_ns: RealtimeNs
    ) -> None:
        self.working: dict[str, Order] = {}  # resting orders that belong to an account
        self.statistics = TradeStatistics()
        self.realtime_ns = realtime_ns
        self._instrument = instrument
        self._mark = mark
        self._booker = booker
        self._events = events

    def close(self, order: Order, reason: DeleteReason) -> None:
        """Note that an order is over; the book has let go of it already."""
        order.delete_reason = reason
        order.close_time_ns = self.realtime_ns()
        if order.account is not None:
            self.working.pop(order.order_id, None)
            order.account.unregister(order)

    def report(self, order: Order, reason: ChangeReason, fills: tuple[Fill, ...] = ()) -> OrderUpdate:
        """Tell an order's state as it is now, with the fills that are new."""
        update = update_of(order, reason, fills)
        self._events.append(update)
        if not order.is_open and order.account is not None:
            order.account.note_closed(update)
        return update

    def book(self, order: Order, fill: Fill) -> None:
        """Book a fill into the order's account."""
        self._events.extend(self._booker.book(order, fill, self._mark))

    def print_trade(self, price_ticks: int, lots: int, aggressor_side: Side) -> None:
        """Put a trade on the tape and into the statistics."""
        now_ns = self.realtime_ns()
        self.statistics.add(self._instrument, price_ticks, lots, now_ns)
        self._events.append(PublicTrade(self._instrument, price_ticks, lots, aggressor_side, now_ns))
