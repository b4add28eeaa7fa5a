"""What the core tells its listeners. Within one transaction events come in the order they happened."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import NamedTuple, Protocol

from exchange.core.accounts import Account, Trade
from exchange.core.book import Change
from exchange.core.inbox_notification import InboxNotification
from exchange.core.instrument import Instrument
from exchange.core.orders import OrderUpdate, Side
from exchange.core.rfq import Rfq, RfqQuote


class PublicTrade(NamedTuple):
    """A print on the tape."""

    instrument: Instrument
    price_ticks: int
    lots: int
    aggressor_side: Side
    time_ns: int


class AccountTrade(NamedTuple):
    account: Account
    trade: Trade


class ProtectionChanged(NamedTuple):
    """A market maker's protection group was set, used or deleted; `remaining` in contracts."""

    account: Account
    session_id: str
    product: str
    remaining: Decimal
    reason: str


class ConditionalsChanged(NamedTuple):
    """The account's list of conditional orders is no longer what it was."""

    account: Account


class BotsChanged(NamedTuple):
    """The account's list of bots is no longer what it was."""

    account: Account


class InboxChanged(NamedTuple):
    """A notification was posted, or marked as read or not."""

    account: Account
    notification: InboxNotification


class RfqEvent(enum.Enum):
    CREATED = "Created"
    CANCELLED = "Cancelled"
    TRADED = "Traded"


class RfqQuoteEvent(enum.Enum):
    INSERTED = "Inserted"
    AMENDED = "Amended"
    CANCELLED = "Cancelled"
    FILLED = "Filled"


class RfqChanged(NamedTuple):
    rfq: Rfq
    event: RfqEvent


class RfqQuoteChanged(NamedTuple):
    """A quote of an account, not of the anonymous maker."""

    quote: RfqQuote
    event: RfqQuoteEvent


class Settled(NamedTuple):
    """The day has been settled: every position has a new start price."""


class InstrumentAdded(NamedTuple):
    instrument: Instrument


class InstrumentRemoved(NamedTuple):
    instrument: Instrument


Event = (
    OrderUpdate
    | PublicTrade
    | AccountTrade
    | ProtectionChanged
    | ConditionalsChanged
    | BotsChanged
    | InboxChanged
    | RfqChanged
    | RfqQuoteChanged
    | Settled
    | InstrumentAdded
    | InstrumentRemoved
)


class Listener(Protocol):
    """A gateway or a log. Called once after each transaction of the core, with everything it did."""

    def on_events(self, events: list[Event]) -> None: ...

    def on_book(self, instrument: Instrument, changes: list[Change]) -> None:
        """These levels of the instrument's book are no longer what they were."""
        ...

    def on_second(self) -> None:
        """Index, marks and funding have been updated."""
        ...
