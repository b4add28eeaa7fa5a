"""Books a fill: the fee, the position, the line in the trade history."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from exchange.core.accounts import ZERO, Trade
from exchange.core.derived_marks import RollMark
from exchange.core.events import AccountTrade
from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.marks import Mark
from exchange.core.orders import OPPOSITE, Fill, InsertReason, Order, Side


@dataclass(frozen=True, slots=True)
class Fees:
    """Fee rates as fractions of index times amount; tier 1 since 2025-09-02."""

    maker_rate: Decimal = Decimal("0.0001")
    taker_rate: Decimal = Decimal("0.0005")
    liquidation_rate: Decimal = Decimal("0.005")
    expiry_rate: Decimal = Decimal("0.0001")
    option_rate: Decimal = Decimal("0.00025")

    def rate(self, is_maker: bool) -> Decimal:
        return self.maker_rate if is_maker else self.taker_rate


class FillBooker:
    def __init__(self, fees: Fees) -> None:
        self.fees = fees

    def book(self, order: Order, fill: Fill, mark: Mark) -> list[AccountTrade]:
        """Apply one fill to the order's account at the index and funding mark of this moment.

        A roll is two trades: the near leg at its mark, the far one at that plus the price of the roll. One of
        them is free of the fee, which is told as half the rate on each.
        """
        if not isinstance(mark, RollMark):
            return [self._book_leg(order, fill, order.instrument, order.side, fill.price_ticks, mark, order.leg_index)]
        near_ticks = mark.near.instrument.grid.ticks_floor(mark.near.mark_price)
        legs = ((mark.far, order.side, near_ticks + fill.price_ticks), (mark.near, OPPOSITE[order.side], near_ticks))
        return [
            self._book_leg(order, fill, leg.instrument, side, ticks, leg, index)
            for index, (leg, side, ticks) in enumerate(legs)
        ]

    def book_block(self, order: Order, fill: Fill, price: Decimal, mark: Mark) -> AccountTrade:
        """Apply a fill of a request for quote, at a price that need not be a multiple of a tick."""
        return self._book_leg(order, fill, order.instrument, order.side, 0, mark, order.leg_index, price)

    def _book_leg(
        self,
        order: Order,
        fill: Fill,
        instrument: Instrument,
        side: Side,
        price_ticks: int,
        mark: Mark,
        leg_index: int | None,
        exact_price: Decimal | None = None,
    ) -> AccountTrade:
        account = order.account
        assert account is not None
        is_option = instrument.type is InstrumentType.OPTION
        rate = self.fees.option_rate if is_option else self.fees.rate(fill.is_maker)
        if order.instrument.type is InstrumentType.COMBINATION:
            rate /= 2
        basis = mark.index_price * instrument.grid.amount(fill.lots)
        is_liquidation = order.insert_reason is InsertReason.LIQUIDATION
        liquidation_fee = basis * self.fees.liquidation_rate if is_liquidation else ZERO
        fee = basis * rate
        position = account.position(instrument)
        price = instrument.grid.price(price_ticks) if exact_price is None else exact_price
        realised = position.apply(side, price, fill.lots, mark.funding_mark, fee + liquidation_fee)
        account.trades_total += 1
        trade = Trade(
            sequence=account.trades_total,
            trade_id=fill.trade_id,
            order=order,
            price_ticks=price_ticks,
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
            trade_type=_trade_type(order, is_block=exact_price is not None),
            liquidation_fee=liquidation_fee,
            leg_index=leg_index or 0,
            exact_price=exact_price,
            leg=None if leg_index is None else instrument,
            leg_side=None if leg_index is None else side,
        )
        account.trades.append(trade)
        return AccountTrade(account, trade)


def _trade_type(order: Order, *, is_block: bool) -> str:
    if order.insert_reason is InsertReason.LIQUIDATION:
        return "liquidation"
    if is_block:
        return "rfq"
    return "normal" if order.leg_index is None else "combo"
