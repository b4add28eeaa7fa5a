"""Conditional orders, as execution sees them of a venue that has them."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import msgspec

from domain.order import Side
from venues.gateway import NO_STP, SelfTradePrevention


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
