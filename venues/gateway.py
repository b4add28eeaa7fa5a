"""What execution and risk see of a venue: orders out, reports in, the truth on request."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from domain.errors import ProtocolError, VenueError
from domain.instrument import Instrument
from domain.order import OrderType, Side, TimeInForce
from domain.reports import OrderReport, PositionReport, TradeReport

RequestKind = Literal["insert", "amend", "cancel"]


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
        """The venue refused a request. `client_order_id` is 0 when `cancel_order` named the venue's id."""
        ...

    def on_trades(self, trades: list[TradeReport]) -> None:
        """New lines of the account's trade history; later than the fills in `on_orders`."""
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


class QuotedSide(msgspec.Struct, frozen=True):
    """One side of an instrument in a mass quote, whole.

    Attributes:
        levels: price and size in base units, on the grids, distinct prices; none clears the side.
    """

    instrument_name: str
    side: Side
    levels: tuple[tuple[Decimal, Decimal], ...]


class MassQuote(msgspec.Struct, frozen=True, kw_only=True):
    """Sides to replace in one message; what it does not name stays as it is.

    Attributes:
        quote_id: ours; the answer comes with it.
        label: marks the quotes as ours.
    """

    quote_id: int
    sides: tuple[QuotedSide, ...]
    post_only: bool = False
    label: str = ""
    stp: SelfTradePrevention = NO_STP


class QuoteFailure(msgspec.Struct, frozen=True):
    """A level or a side of a mass quote that the venue refused; what it does not say is None."""

    error: VenueError
    side: Side | None
    price: Decimal | None


class ProtectionReport(msgspec.Struct, frozen=True):
    """What is left of a market-maker protection group.

    Attributes:
        remaining: base units that may still trade; 0 or less = the quotes of the product were taken back.
        reason: refill, executions, client_cancel, session_end or failover.
    """

    product: str
    remaining: Decimal
    reason: str


class NewConditionalOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that the venue sends for us once a price is reached; it belongs to the account, not to the session.

    Without a limit price it becomes a market order. At most one of limit, bracket and callback rate may be given.

    Attributes:
        stop_price: a buy triggers at or above it, a sell at or below.
        bracket_price: a second trigger, on the other side of the market.
        callback_rate: trailing stop: the stop price follows the target at this distance, as a fraction.
        target: price that is watched: "last", "mark" or "index".
    """

    instrument_name: str
    side: Side
    size: Decimal
    stop_price: Decimal
    limit_price: Decimal | None = None
    bracket_price: Decimal | None = None
    callback_rate: Decimal | None = None
    target: str = "last"
    reduce_only: bool = False
    label: str = ""
    stp: SelfTradePrevention = NO_STP


class ConditionalOrderReport(msgspec.Struct, frozen=True):
    """The venue's state of a conditional order, in its own words: created, active, converted, rejected, cancelled."""

    order_id: str
    instrument_name: str
    side: Side
    size: Decimal
    stop_price: Decimal
    limit_price: Decimal | None
    bracket_price: Decimal | None
    callback_rate: Decimal | None
    target: str
    status: str
    reduce_only: bool
    label: str
    reject_reason: str

    @property
    def is_open(self) -> bool:
        """Whether it may still trigger."""
        return self.status not in ("converted", "rejected", "cancelled")


class ConditionalListener(Protocol):
    """What a gateway tells its owner about conditional orders."""

    def on_conditional_orders(self, reports: list[ConditionalOrderReport]) -> None:
        """All open ones of the account, and some that closed lately, at every change."""
        ...


class ConditionalGateway(Protocol):
    """What a gateway to a venue with conditional orders can do besides orders."""

    async def create_conditional_order(self, order: NewConditionalOrder) -> ConditionalOrderReport: ...

    async def cancel_conditional_order(self, order_id: str) -> None: ...

    async def conditional_orders(self) -> list[ConditionalOrderReport]:
        """Return the open ones of the account."""
        ...


class QuoteListener(Protocol):
    """What a gateway tells its owner about mass quotes; their orders come through `OrderListener.on_orders`."""

    def on_quoted(self, quote_id: int, failures: list[QuoteFailure]) -> None:
        """The venue has carried out a mass quote, but for `failures`."""
        ...

    def on_quote_rejected(self, quote_id: int, error: VenueError) -> None:
        """The venue refused a whole mass quote, or (`quote_id` 0) to cancel quotes."""
        ...

    def on_protection(self, reports: list[ProtectionReport]) -> None: ...


class QuoteGateway(Protocol):
    """What a gateway to a venue with mass quotes can do besides orders. Its quotes die with the session, too."""

    def product(self, instrument: Instrument) -> str:
        """Return the protection group that the instrument's quotes count towards."""
        ...

    def mass_quote(self, quote: MassQuote) -> int:
        """Write at once; return the monotonic ns right after. ConnectivityError when not connected."""
        ...

    def cancel_mass_quotes(self, product: str) -> int:
        """Cancel the account's quotes of a product, and delete its protection group. As a cancel, never throttled."""
        ...

    async def set_protection(self, product: str, trade_size: Decimal, quote_size: Decimal) -> None: ...


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

    def cancel_order(self, venue_order_id: str) -> int:
        """Cancel an order of any connection of the account."""
        ...

    async def cancel_session(self) -> None:
        """Cancel every order of this connection, those in flight too."""
        ...

    async def cancel_all(self) -> int:
        """Cancel every order of the account; return how many the venue says."""
        ...

    async def cancel_all_conditional_orders(self) -> None: ...

    async def open_orders(self) -> list[OrderReport]: ...

    async def positions(self) -> list[PositionReport]: ...

    async def trade_history(self, since_realtime_ns: int) -> list[TradeReport]:
        """Return all trades of the account since then, oldest first."""
        ...

    async def instruments(self) -> dict[str, Instrument]: ...
