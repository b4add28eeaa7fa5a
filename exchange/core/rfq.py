"""A request for quote, the quotes on it, and the trade that may come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from exchange.core.accounts import Account
from exchange.core.orders import SIGN, DeleteReason, Side
from exchange.core.rfq_terms import Terms


@dataclass(slots=True, eq=False)
class RfqQuote:
    """A quote on a request. `account` is None for the anonymous maker of the background."""

    order_id: str
    rfq: Rfq
    account: Account | None
    session_id: str
    side: Side
    price: Decimal
    amount: Decimal
    client_order_id: int | None = None
    label: str | None = None
    trade_price: Decimal | None = None
    trade_amount: Decimal | None = None
    delete_reason: DeleteReason | None = None


@dataclass(slots=True, eq=False)
class Rfq:
    rfq_id: str
    sequence: int
    account: Account
    terms: Terms
    label: str | None
    create_time_ns: int
    quotes: dict[str, RfqQuote] = field(default_factory=dict)
    trade_price: Decimal | None = None
    trade_amount: Decimal | None = None
    delete_reason: DeleteReason | None = None
    close_time_ns: int | None = None

    @property
    def is_open(self) -> bool:
        return self.close_time_ns is None

    def ranked(self, side: Side) -> list[RfqQuote]:
        """Return the quotes of one side, best first, of one price the oldest first."""
        quotes = [quote for quote in self.quotes.values() if quote.side is side]
        return sorted(quotes, key=lambda quote: -SIGN[side] * quote.price)

    def best(self, side: Side) -> tuple[Decimal, Decimal] | None:
        """Return the best price and what is quoted there, as far as it was asked for."""
        ranked = self.ranked(side)
        if not ranked:
            return None
        amount = sum((quote.amount for quote in ranked if quote.price == ranked[0].price), Decimal(0))
        return ranked[0].price, min(amount, self.terms.amount)


class RfqTrade(NamedTuple):
    """What came of it: the average price of a unit, and how many."""

    rfq: Rfq
    side: Side
    price: Decimal
    amount: Decimal


class NewRfqQuote(NamedTuple):
    account: Account | None
    session_id: str
    side: Side
    price: Decimal | None
    amount: Decimal | None
    client_order_id: int | None = None
    label: str | None = None
