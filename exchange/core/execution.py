"""Books a fill: the fee, the position, the line in the trade history."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from exchange.core.accounts import ZERO, Trade
from exchange.core.events import AccountTrade
from exchange.core.marks import Mark
from exchange.core.orders import Fill, InsertReason, Order


@dataclass(frozen=True, slots=True)
class Fees:
    """Fee rates as fractions of index times amount; tier 1 since 2025-09-02."""

    maker_rate: Decimal = Decimal("0.0001")
    taker_rate: Decimal = Decimal("0.0005")
    liquidation_rate: Decimal = Decimal("0.005")

    def rate(self, is_maker: bool) -> Decimal:
        return self.maker_rate if is_maker else self.taker_rate


class FillBooker:
    def __init__(self, fees: Fees) -> None:
        self.fees = fees

    def book(self, order: Order, fill: Fill, mark: Mark) -> AccountTrade:
        """Apply one fill to the order's account at the index and funding mark of this moment."""
        account, instrument = order.account, order.instrument
        assert account is not None
        rate = self.fees.rate(fill.is_maker)
        basis = mark.index_price * instrument.grid.amount(fill.lots)
        is_liquidation = order.insert_reason is InsertReason.LIQUIDATION
        liquidation_fee = basis * self.fees.liquidation_rate if is_liquidation else ZERO
        fee = basis * rate
        position = account.position(instrument)
        price = instrument.grid.price(fill.price_ticks)
        realised = position.apply(order.side, price, fill.lots, mark.funding_mark, fee + liquidation_fee)
        account.trades_total += 1
        trade = Trade(
            sequence=account.trades_total,
            trade_id=fill.trade_id,
            order=order,
            price_ticks=fill.price_ticks,
            lots=fill.lots,
            time_ns=fill.time_ns,
            is_maker=fill.is_maker,
            fee=fee,
            fee_rate=rate,
            index_price=mark.index_price,
            funding_mark=mark.funding_mark,
            position_after=position.amount,
            session_realised_after=position.realised,
            realised=realised,
            trade_type="liquidation" if is_liquidation else "normal",
            liquidation_fee=liquidation_fee,
        )
        account.trades.append(trade)
        return AccountTrade(account, trade)
