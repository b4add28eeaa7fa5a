"""Books the trade of a request for quote into both accounts, leg by leg."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from exchange.core.accounts import Account
from exchange.core.events import AccountTrade
from exchange.core.instrument import Instrument
from exchange.core.orders import OPPOSITE, SIGN, DeleteReason, Fill, Order, OrderType, Side, TimeInForce
from exchange.core.rfq import Rfq, RfqQuote
from exchange.core.rfq_terms import Terms

if TYPE_CHECKING:
    from exchange.core.engine import Engine

PRICE_DIGITS = Decimal("0.0000000001")


def book_trade(engine: Engine, rfq: Rfq, side: Side, quote: RfqQuote, amount: Decimal) -> list[AccountTrade]:
    """Book `amount` units at the quote's price and return the trades of both accounts; the quote is filled."""
    prices, lots = _leg_prices(engine, rfq.terms, quote.price), rfq.terms.leg_lots(amount)
    taker_order_id, now_ns = engine.ids.order_id(), engine.scheduler.realtime_ns()
    trades = []
    for index, leg in enumerate(rfq.terms.legs):
        trade_id, mark = engine.ids.trade_id(), engine.markets[leg.instrument.name].mark
        signed = lots[leg.instrument.name] * SIGN[side]
        taker_side = Side.BUY if signed > 0 else Side.SELL
        maker = _order(quote.order_id, leg.instrument, quote.account, OPPOSITE[taker_side], abs(signed), index)
        maker.client_order_id, maker.label = quote.client_order_id, quote.label
        taker = _order(taker_order_id, leg.instrument, rfq.account, taker_side, abs(signed), index)
        taker.label = rfq.label
        for order, is_maker in ((maker, True), (taker, False)):
            if order.account is not None:
                fill = Fill(trade_id, 0, abs(signed), now_ns, is_maker, index)
                trades.append(engine.booker.book_block(order, fill, prices[index], mark))
    quote.trade_price, quote.trade_amount = quote.price, amount
    quote.delete_reason = DeleteReason.FILLED
    return trades


def _order(
    order_id: str, instrument: Instrument, account: Account | None, side: Side, lots: int, leg_index: int
) -> Order:
    """Return what stands for one leg of a quote or a request in the histories."""
    immediate = TimeInForce.IMMEDIATE_OR_CANCEL
    return Order(
        order_id,
        instrument,
        account,
        side,
        OrderType.LIMIT,
        immediate,
        0,
        lots,
        0,
        filled_lots=lots,
        leg_index=leg_index,
    )


def _leg_prices(engine: Engine, terms: Terms, price: Decimal) -> list[Decimal]:
    """Return a price for each leg: its mark, but for the one of least quantity, which makes the sum right."""
    prices = [engine.markets[leg.instrument.name].mark.mark_price for leg in terms.legs]
    absorbing = min(range(len(terms.legs)), key=lambda index: abs(terms.legs[index].quantity))
    total = sum((leg.quantity * each for leg, each in zip(terms.legs, prices, strict=True)), Decimal(0))
    prices[absorbing] += ((price - total) / terms.legs[absorbing].quantity).quantize(PRICE_DIGITS)
    return prices
