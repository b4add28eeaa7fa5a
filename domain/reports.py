"""What a venue tells us of our own account, in our words. Facts: frozen, exact (Decimal), stamped by the venue.

Times are Unix nanoseconds. Sizes are in base units, unsigned; positions are signed.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from domain.order import LiquiditySide, Side, VenueOrderStatus

FillKey = tuple[str, str, int]  # trade_id, venue_order_id, leg_index


class FillReport(msgspec.Struct, frozen=True):
    """One execution of ours. It counts once, by `key`."""

    trade_id: str
    venue_order_id: str
    leg_index: int
    price: Decimal
    size: Decimal
    liquidity_side: LiquiditySide
    time_ns: int

    @property
    def key(self) -> FillKey:
        return (self.trade_id, self.venue_order_id, self.leg_index)


class OrderReport(msgspec.Struct, frozen=True):
    """The venue's state of one order, and the fills that are new in this report."""

    venue_order_id: str
    client_order_id: int | None
    instrument_name: str
    side: Side
    price: Decimal | None  # None for market orders
    size: Decimal
    filled_size: Decimal
    status: VenueOrderStatus
    fills: tuple[FillReport, ...]
    change_reason: str
    delete_reason: str
    label: str
    create_time_ns: int
    close_time_ns: int

    @property
    def remaining_size(self) -> Decimal:
        """Size still working; zero once closed, whatever the venue writes there."""
        return Decimal(0) if self.status.is_closed else self.size - self.filled_size


class TradeReport(msgspec.Struct, frozen=True):
    """One line of the account's trade history: a fill with what it cost; or the venue's correction of one."""

    trade_id: str
    venue_order_id: str
    leg_index: int
    instrument_name: str
    side: Side
    price: Decimal
    size: Decimal
    fee: Decimal  # paid is positive, a rebate negative
    position_after: Decimal
    realised_pnl: Decimal  # booked by the venue with this trade, before the fee
    funding_pnl: Decimal
    liquidity_side: LiquiditySide
    label: str
    time_ns: int
    is_correction: bool = False  # no fill: it amends or takes back one that was told before

    @property
    def key(self) -> FillKey:
        return (self.trade_id, self.venue_order_id, self.leg_index)


class PositionReport(msgspec.Struct, frozen=True):
    """The venue's view of our holding in one instrument.

    Attributes:
        is_marked: the venue has told the mark price; an option may be worth nothing, which is another thing.
    """

    instrument_name: str
    position: Decimal
    average_price: Decimal
    mark_price: Decimal
    unrealised_pnl: Decimal
    realised_pnl: Decimal
    unrealised_funding: Decimal
    is_marked: bool = True


class SettlementReport(msgspec.Struct, frozen=True):
    """What one position brought at a daily settlement, apart from what trades had realised before it."""

    instrument_name: str
    position: Decimal  # that was held
    mark_price: Decimal
    position_pnl: Decimal
    funding_pnl: Decimal  # received is positive
    time_ns: int


class MarginReport(msgspec.Struct, frozen=True):
    """The venue's view of the account's margin, in its currency."""

    margin: Decimal  # equity that backs positions
    required_margin: Decimal  # what positions and open orders ask for
