"""Requests for quote: who asks, who quotes, and the trade between them.

Every other account may quote. Who trades takes the best quotes within a limit, at their prices; what is left
of the request ends with the trade. A maker that has traded loses its quotes on all other requests, so that it
is not hit twice. Nothing of this touches the books.
"""

from __future__ import annotations

import itertools
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING

from exchange.core.accounts import Account
from exchange.core.events import RfqChanged, RfqEvent, RfqQuoteChanged, RfqQuoteEvent
from exchange.core.orders import OPPOSITE, SIGN, DeleteReason, OrderRejected, Reject, Side
from exchange.core.rfq import NewRfqQuote, Rfq, RfqQuote, RfqTrade
from exchange.core.rfq_booking import PRICE_DIGITS, book_trade
from exchange.core.rfq_terms import Terms, minimal_terms

if TYPE_CHECKING:
    from exchange.core.engine import Engine

PRICE_STEP = Decimal("0.01")
CLOSED_KEPT_MAX = 1_000
TRADED_SHOWN_MAX = 50


class RfqDesk:
    """All requests of the venue, and the quotes on them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)
        self.open: dict[str, Rfq] = {}
        self.traded: deque[Rfq] = deque(maxlen=TRADED_SHOWN_MAX)
        self._closed: dict[str, deque[Rfq]] = {}

    # -- who asks ------------------------------------------------------------------------------

    def create(self, account: Account, legs: list[tuple[str, Decimal | None]], label: str | None) -> Rfq:
        """Ask for quotes.

        Raises:
            OrderRejected: when the legs make no request, or neither side of it could be paid for.
        """
        terms = minimal_terms([(self._engine.market(name).instrument, amount) for name, amount in legs])
        self._check_either_side(account, terms)
        number = next(self._numbers)
        now_ns = self._engine.scheduler.realtime_ns()
        rfq = self.open[f"{number:016X}"] = Rfq(f"{number:016X}", number, account, terms, label, now_ns)
        self._tell(rfq, RfqEvent.CREATED)
        return rfq

    def cancel(self, account: Account, rfq_id: str) -> None:
        """Take a request back.

        Raises:
            OrderRejected: when the account has no such request open.
        """
        rfq = self._of_requester(account, rfq_id)
        self._close(rfq, DeleteReason.CLIENT_CANCEL)

    def trade(self, account: Account, rfq_id: str, side: Side, limit: Decimal | None) -> RfqTrade:
        """Buy or sell as much as was asked for and is quoted within `limit`, the price of a unit.

        Raises:
            OrderRejected: when nothing is quoted within the limit, or there is too little margin.
        """
        rfq = self._of_requester(account, rfq_id)
        if limit is None:
            raise OrderRejected(Reject.INVALID_PRICE, "limit_price must be a number")
        taken = self._within(rfq, side, limit)
        total = sum((amount for _, amount in taken), Decimal(0))
        if not total:
            raise OrderRejected(Reject.INSUFFICIENT_LIQUIDITY, f"nothing quoted to {side.value} at {limit}")
        self._engine.margin.check_move(account, _signed(rfq.terms.leg_lots(total), side))
        cost = sum((quote.price * amount for quote, amount in taken), Decimal(0))
        for quote, amount in taken:
            self._engine.note_all(book_trade(self._engine, rfq, side, quote, amount))
            del rfq.quotes[quote.order_id]
            self._tell_quote(quote, RfqQuoteEvent.FILLED)
        rfq.trade_price, rfq.trade_amount = (cost / total).quantize(PRICE_DIGITS), total
        self.traded.append(rfq)
        self._close(rfq, DeleteReason.FILLED)
        for maker in {id(quote.account): quote.account for quote, _ in taken}.values():
            self._protect(maker)
        return RfqTrade(rfq, side, rfq.trade_price, total)

    def open_of(self, account: Account) -> list[Rfq]:
        return [rfq for rfq in self.open.values() if rfq.account is account]

    def closed_of(self, account: Account) -> list[Rfq]:
        """Return the account's past requests, oldest first."""
        return list(self._closed.get(account.number, ()))

    # -- who quotes ----------------------------------------------------------------------------

    def quotable_by(self, account: Account) -> list[Rfq]:
        return [rfq for rfq in self.open.values() if rfq.account is not account]

    def quotes_of(self, account: Account) -> list[RfqQuote]:
        return [quote for rfq in self.open.values() for quote in rfq.quotes.values() if quote.account is account]

    def insert_quote(self, rfq_id: str, new: NewRfqQuote) -> RfqQuote:
        """Quote on a request.

        Raises:
            OrderRejected: for an unknown request, an own one, or a quote that can't be.
        """
        rfq = self.open.get(rfq_id)
        if rfq is None or rfq.account is new.account:
            raise OrderRejected(Reject.ORDER_NOT_FOUND, f"no request {rfq_id!r} to quote on")
        if new.client_order_id is not None and self._by_client_id(new.session_id, new.client_order_id) is not None:
            raise OrderRejected(Reject.DUPLICATE_CLIENT_ORDER_ID, f"{new.client_order_id} is working")
        price, amount = self._check_quote(rfq, new.account, new.side, new.price, new.amount)
        order_id = self._engine.ids.order_id()
        quote = RfqQuote(
            order_id, rfq, new.account, new.session_id, new.side, price, amount, new.client_order_id, new.label
        )
        rfq.quotes[order_id] = quote
        self._tell_quote(quote, RfqQuoteEvent.INSERTED)
        return quote

    def amend_quote(self, quote: RfqQuote, price: Decimal | None, amount: Decimal | None) -> None:
        """Change a quote.

        Raises:
            OrderRejected: when the new values are refused; the quote then stands as it was.
        """
        quote.price, quote.amount = self._check_quote(quote.rfq, quote.account, quote.side, price, amount)
        self._tell_quote(quote, RfqQuoteEvent.AMENDED)

    def delete_quote(self, quote: RfqQuote, reason: DeleteReason = DeleteReason.CLIENT_CANCEL) -> None:
        del quote.rfq.quotes[quote.order_id]
        quote.delete_reason = reason
        self._tell_quote(quote, RfqQuoteEvent.CANCELLED)

    def find_quote(
        self, account: Account, session_id: str, order_id: str | None, client_order_id: int | None
    ) -> RfqQuote:
        """Return the quote of that id, or of that client order id of the session.

        Raises:
            OrderRejected: when there is none.
        """
        if order_id is not None:
            found = next((quote for quote in self.quotes_of(account) if quote.order_id == order_id), None)
        else:
            assert client_order_id is not None
            found = self._by_client_id(session_id, client_order_id)
        if found is None:
            raise OrderRejected(Reject.ORDER_NOT_FOUND)
        return found

    def end_session(self, session_id: str) -> None:
        """Delete the quotes of a session that is over."""
        for rfq in self.open.values():
            for quote in [quote for quote in rfq.quotes.values() if quote.session_id == session_id]:
                self.delete_quote(quote, DeleteReason.SESSION_END)

    def drop_instrument(self, instrument_name: str) -> None:
        """Close what asks for an instrument that is no more."""
        for rfq in list(self.open.values()):
            if any(leg.instrument.name == instrument_name for leg in rfq.terms.legs):
                self._close(rfq, DeleteReason.INSTRUMENT_DEACTIVATED)

    # -- checks --------------------------------------------------------------------------------

    def _check_either_side(self, account: Account, terms: Terms) -> None:
        lots = terms.leg_lots(terms.amount)
        try:
            self._engine.margin.check_move(account, lots)
        except OrderRejected:
            self._engine.margin.check_move(account, _signed(lots, Side.SELL))

    def _check_quote(
        self, rfq: Rfq, account: Account | None, side: Side, price: Decimal | None, amount: Decimal | None
    ) -> tuple[Decimal, Decimal]:
        if price is None:
            raise OrderRejected(Reject.INVALID_PRICE, "the price must be a number")
        if price % PRICE_STEP:
            raise OrderRejected(Reject.PRICE_OFF_TICK, f"{price.normalize():f}, tick size {PRICE_STEP}")
        step = rfq.terms.step
        if amount is None or amount <= 0 or amount % step:
            raise OrderRejected(Reject.INVALID_AMOUNT, f"{amount}, expected a multiple of {step:f} above 0")
        if account is not None:
            lots = rfq.terms.leg_lots(min(amount, rfq.terms.amount))
            self._engine.margin.check_move(account, _signed(lots, side))
        return price, amount

    def _of_requester(self, account: Account, rfq_id: str) -> Rfq:
        rfq = self.open.get(rfq_id)
        if rfq is None or rfq.account is not account:
            raise OrderRejected(Reject.ORDER_NOT_FOUND, f"no open request {rfq_id!r}")
        return rfq

    def _by_client_id(self, session_id: str, client_order_id: int) -> RfqQuote | None:
        for rfq in self.open.values():
            for quote in rfq.quotes.values():
                if (quote.session_id, quote.client_order_id) == (session_id, client_order_id):
                    return quote
        return None

    # -- trading -------------------------------------------------------------------------------

    def _within(self, rfq: Rfq, side: Side, limit: Decimal) -> list[tuple[RfqQuote, Decimal]]:
        """Return which quotes are met and how much of each; makers that can't pay any more lose theirs."""
        left, taken = rfq.terms.amount, []
        for quote in rfq.ranked(OPPOSITE[side]):
            amount = min(left, quote.amount)
            if (limit - quote.price) * SIGN[side] < 0 or not amount:
                break
            try:
                self._check_quote(rfq, quote.account, quote.side, quote.price, quote.amount)
            except OrderRejected:
                self.delete_quote(quote, DeleteReason.MARGIN_BREACH)
                continue
            taken.append((quote, amount))
            left -= amount
        return taken

    def _protect(self, maker: Account | None) -> None:
        if maker is not None:
            for quote in self.quotes_of(maker):
                self.delete_quote(quote, DeleteReason.MM_PROTECTION)

    # -- keeping -------------------------------------------------------------------------------

    def _close(self, rfq: Rfq, reason: DeleteReason) -> None:
        gone = reason if reason is DeleteReason.INSTRUMENT_DEACTIVATED else DeleteReason.CLIENT_CANCEL
        for quote in list(rfq.quotes.values()):
            self.delete_quote(quote, gone)
        del self.open[rfq.rfq_id]
        rfq.delete_reason = reason
        rfq.close_time_ns = self._engine.scheduler.realtime_ns()
        kept = self._closed.setdefault(rfq.account.number, deque(maxlen=CLOSED_KEPT_MAX))
        kept.append(rfq)
        self._tell(rfq, RfqEvent.TRADED if reason is DeleteReason.FILLED else RfqEvent.CANCELLED)

    def _tell(self, rfq: Rfq, event: RfqEvent) -> None:
        self._engine.note(RfqChanged(rfq, event))

    def _tell_quote(self, quote: RfqQuote, event: RfqQuoteEvent) -> None:
        if quote.account is not None:
            self._engine.note(RfqQuoteChanged(quote, event))


def _signed(lots: dict[str, int], side: Side) -> dict[str, int]:
    return {name: SIGN[side] * each for name, each in lots.items()}
