"""Orders as the venue keeps them, what a client may ask for, and why an ask is refused."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from exchange.core.accounts import Account
    from exchange.core.instrument import Instrument


class Side(enum.Enum):
    BUY = "buy"
    SELL = "sell"


SIGN: dict[Side, int] = {Side.BUY: 1, Side.SELL: -1}
OPPOSITE: dict[Side, Side] = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


class OrderType(enum.Enum):
    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(enum.Enum):
    GOOD_TILL_CANCELLED = "good_till_cancelled"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"


class Collar(enum.Enum):
    IGNORE = "ignore"
    REJECT = "reject"
    CLAMP = "clamp"


class StpLevel(enum.Enum):
    CUSTOMER = "customer"
    ACCOUNT = "account"
    DISABLED = "disabled"


class StpAction(enum.Enum):
    CANCEL_AGGRESSIVE_PARTIAL_FILL = "cancel_aggressive_partial_fill"
    CANCEL_AGGRESSIVE_NO_FILL = "cancel_aggressive_no_fill"


class Status(enum.Enum):
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    CANCELLED_PARTIALLY_FILLED = "cancelled_partially_filled"


class ChangeReason(enum.Enum):
    EXISTING = "existing"
    INSERT = "insert"
    AMEND = "amend"
    CANCEL = "cancel"
    FILL = "fill"


class InsertReason(enum.Enum):
    CLIENT_REQUEST = "client_request"
    CONDITIONAL_ORDER = "conditional_order"
    BOT = "bot"
    LIQUIDATION = "liquidation"


class DeleteReason(enum.Enum):
    CLIENT_CANCEL = "client_cancel"
    CLIENT_BULK_CANCEL = "client_bulk_cancel"
    SESSION_END = "session_end"
    FILLED = "filled"
    IMMEDIATE_CANCEL = "immediate_cancel"
    SELF_TRADE_PREVENTION = "self_trade_prevention"
    REPLACED = "replaced"
    MM_PROTECTION = "mm_protection"
    MARGIN_BREACH = "margin_breach"
    INSTRUMENT_DEACTIVATED = "instrument_deactivated"


class Reject(enum.Enum):
    """Why the venue refuses a request; each gateway maps these to its own codes."""

    ORDER_NOT_FOUND = "order not found"
    DUPLICATE_CLIENT_ORDER_ID = "duplicate client order id"
    UNKNOWN_INSTRUMENT = "unknown instrument"
    INVALID_REQUEST = "invalid request"
    INVALID_PRICE = "invalid price"
    INVALID_AMOUNT = "invalid amount"
    PRICE_OFF_TICK = "price not on tick"
    INVALID_TIME_IN_FORCE = "invalid time in force"
    COLLAR_BREACH = "price collar breach"
    UNBOUNDED_MARKET_ORDER = "unbounded market order"
    NOTHING_TO_REDUCE = "nothing to reduce"
    UNKNOWN_PRODUCT = "unknown product"
    PROTECTION_NOT_SET = "protection not set"
    QUOTE_TOO_LARGE = "quote exceeds the protection group's size"
    INSUFFICIENT_MARGIN = "insufficient margin"
    TOO_MANY_OPEN_ORDERS = "too many open orders"
    TOTAL_SIZE_TOO_LARGE = "total order size too large"
    INSUFFICIENT_LIQUIDITY = "insufficient liquidity"
    TOO_MANY_BOTS = "too many bots"
    INSUFFICIENT_FUNDS = "insufficient funds"
    UNKNOWN_ASSET = "unknown asset"


class OrderRejected(Exception):  # noqa: N818 - "rejected" is the project's word for it
    """Raised when a request is refused; nothing has changed."""

    def __init__(self, reason: Reject, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason


class Fill(NamedTuple):
    trade_id: str
    price_ticks: int
    lots: int
    time_ns: int
    is_maker: bool
    leg_index: int = 0


@dataclass(slots=True)
class NewOrder:
    """What a client asks for. `price` and `amount` are as sent, rounded to 8 decimals; None = unusable."""

    account: Account
    session_id: str
    side: Side
    amount: Decimal | None
    price: Decimal | None = None
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce | None = None
    client_order_id: int | None = None
    label: str | None = None
    post_only: bool = False
    reject_post_only: bool = False
    reduce_only: bool = False
    collar: Collar | None = None
    stp_level: StpLevel = StpLevel.CUSTOMER
    stp_action: StpAction = StpAction.CANCEL_AGGRESSIVE_PARTIAL_FILL
    persistent: bool = True
    is_quote: bool = False
    insert_reason: InsertReason = InsertReason.CLIENT_REQUEST
    conditional_order_id: str | None = None
    bot_id: str | None = None


@dataclass(slots=True, eq=False)
class Order:
    """An order at the venue. `account` is None for the anonymous makers and takers of the background flow.

    `queue_ahead_lots` is used only where recorded liquidity stands in the book: our estimate of what is in
    front of this order at its level, and `traded_since_depth_lots` what has traded there since the last
    recorded depth message.
    """

    order_id: str
    instrument: Instrument
    account: Account | None
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price_ticks: int
    amount_lots: int
    create_time_ns: int
    filled_lots: int = 0
    session_id: str = ""
    client_order_id: int | None = None
    label: str | None = None
    post_only: bool = False
    reject_post_only: bool = False
    reduce_only: bool = False
    persistent: bool = True
    stp_level: StpLevel = StpLevel.CUSTOMER
    stp_action: StpAction = StpAction.CANCEL_AGGRESSIVE_PARTIAL_FILL
    is_quote: bool = False
    insert_reason: InsertReason = InsertReason.CLIENT_REQUEST
    conditional_order_id: str | None = None
    bot_id: str | None = None
    leg_index: int | None = None  # of a part of a combination order
    fills: list[Fill] = field(default_factory=list)
    delete_reason: DeleteReason | None = None
    close_time_ns: int = 0
    queue_ahead_lots: float = 0.0
    traded_since_depth_lots: float = 0.0

    @property
    def remaining_lots(self) -> int:
        return self.amount_lots - self.filled_lots

    @property
    def is_open(self) -> bool:
        return self.delete_reason is None

    @property
    def status(self) -> Status:
        if self.delete_reason is None:
            return Status.PARTIALLY_FILLED if self.filled_lots else Status.OPEN
        if self.delete_reason is DeleteReason.FILLED:
            return Status.FILLED
        return Status.CANCELLED_PARTIALLY_FILLED if self.filled_lots else Status.CANCELLED


class OrderUpdate(NamedTuple):
    """One thing that happened to an order; values are copied, for the order may move on at once."""

    order: Order
    change_reason: ChangeReason
    status: Status
    price_ticks: int
    amount_lots: int
    filled_lots: int
    fills: tuple[Fill, ...]
    delete_reason: DeleteReason | None
    close_time_ns: int


def update_of(order: Order, reason: ChangeReason, fills: tuple[Fill, ...] = ()) -> OrderUpdate:
    return OrderUpdate(
        order,
        reason,
        order.status,
        order.price_ticks,
        order.amount_lots,
        order.filled_lots,
        fills,
        order.delete_reason,
        order.close_time_ns,
    )
