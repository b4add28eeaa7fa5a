"""Mass quotes and market-maker protection, as execution sees them of a venue that has them."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import msgspec

from domain.errors import VenueError
from domain.instrument import Instrument
from domain.order import Side
from venues.gateway import NO_STP, SelfTradePrevention


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
