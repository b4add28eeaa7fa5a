"""What execution and risk see of a venue: orders out, reports in, the truth on request."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from domain.errors import ProtocolError, VenueError
from domain.instrument import Instrument
from domain.order import OrderType, RequestKind, Side, TimeInForce
from domain.reports import OrderReport, PositionReport, SettlementReport, TradeReport

Collar = Literal["ignore", "reject", "clamp"]
StpLevel = Literal["customer", "account", "disabled"]
StpAction = Literal["cancel_aggressive_partial_fill", "cancel_aggressive_no_fill"]


class SelfTradePrevention(msgspec.Struct, frozen=True):
    """What the venue does when an order of ours meets another of ours; None = the venue's default.

    Attributes:
        level: whose orders count as ours; anything but the default must be enabled for the account.
        action: what becomes of the order that arrives.
    """

    level: StpLevel | None = None
    action: StpAction | None = None


NO_STP = SelfTradePrevention()


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order to send.

    Attributes:
        client_order_id: ours, 1..2^53-1, unique over restarts and processes.
        price: quote currency, on the tick grid; None for market orders.
        size: base units, on the lot grid.
        label: up to 64 of `A-Za-z0-9<>|_-`; marks the order as ours.
        collar: what a price beyond the venue's collar leads to; None = the venue's default, reject.
    """

    client_order_id: int
    instrument_name: str
    side: Side
    price: Decimal | None
    size: Decimal
    time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELLED
    order_type: OrderType = OrderType.LIMIT
    post_only: bool = False
    reduce_only: bool = False
    label: str = ""
    collar: Collar | None = None
    stp: SelfTradePrevention = NO_STP


class OrderListener(Protocol):
    """What a gateway tells its owner. All calls come on the event loop."""

    def on_ready(self) -> None:
        """Connected, logged in, cancel-on-disconnect armed, private channels subscribed."""
        ...

    def on_disconnected(self, reason: str) -> None:
        """The session is over: everything in flight is unknown, the venue cancels this session's orders."""
        ...

    def on_orders(self, reports: list[OrderReport]) -> None:
        """New states of our orders: notifications and answers to our own requests, in either order.

        The same state may come twice; fills count once by `FillReport.key`.
        """
        ...

    def on_rejected(self, kind: RequestKind, client_order_id: int, error: VenueError) -> None:
        """The venue refused a request. `client_order_id` is 0 when `cancel_order` was told none."""
        ...

    def on_trades(self, trades: list[TradeReport]) -> None:
        """New lines of the account's trade history; later than the fills in `on_orders`."""
        ...

    def on_unreadable_trade(self, instrument_name: str, reason: str) -> None:
        """A line of the trade history, pushed or asked for, cannot be read; told once, and left out.

        `instrument_name` is empty where not even that can be read.
        """
        ...

    def on_positions(self, positions: list[PositionReport], is_snapshot: bool) -> None:
        """Holdings; a snapshot is complete, other messages carry changed lines only."""
        ...

    def on_bad_frame(self, error: ProtocolError) -> None:
        """A frame was malformed and skipped: it may have told of an order or a fill."""
        ...

    def on_alive(self, now_ns: int) -> None:
        """Some frame came in at `now_ns` (monotonic)."""
        ...


class OrderGateway(Protocol):
    """A connection to one account at one venue.

    `insert`, `amend`, `cancel` write to the socket at once and return the monotonic ns right after the
    write; their answers come through the listener. They raise ConnectivityError when not connected.
    The coroutines return the venue's answer and raise VenueError (refused) or ConnectivityError (lost).
    """

    @property
    def is_ready(self) -> bool: ...

    @property
    def message_rate(self) -> int:
        """Inserts and amends a second that the venue takes on this connection."""
        ...

    def start(self) -> None: ...

    async def close(self) -> None: ...

    def keep_alive(self, now_ns: int) -> None:
        """Called from the owner's work loop. Nothing else pings: a hung loop lets the venue cancel."""
        ...

    def insert(self, order: NewOrder) -> int: ...

    def amend(self, client_order_id: int, price: Decimal, size: Decimal) -> int:
        """Set price and *total* size of a working order of this connection."""
        ...

    def cancel(self, client_order_id: int) -> int: ...

    def cancel_order(self, venue_order_id: str, client_order_id: int = 0) -> int:
        """Cancel an order of any connection of the account; a refusal is told of `client_order_id`."""
        ...

    async def cancel_session(self) -> None:
        """Cancel every order of this connection, those in flight too."""
        ...

    async def cancel_all(self) -> int:
        """Cancel every order of the account; return how many the venue says."""
        ...

    async def cancel_all_conditional_orders(self) -> None: ...

    async def open_orders(self) -> list[OrderReport]: ...

    async def positions(self) -> list[PositionReport]:
        """Return all holdings; ProtocolError when one that may be ours cannot be read."""
        ...

    async def trade_history(self, since_realtime_ns: int) -> list[TradeReport]:
        """Return all trades of the account since then, oldest first."""
        ...

    async def settlements(self, since_realtime_ns: int) -> list[SettlementReport]:
        """Return what positions brought at daily settlements since then, oldest first; it may come late."""
        ...

    async def instruments(self) -> dict[str, Instrument]: ...
