"""Books a fill: the fee, the position, the line in the trade history."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

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


class _Entry(NamedTuple):
    """One line to book: whose order, what was filled, in which instrument at which price, and of which type."""

    order: Order
    fill: Fill
    instrument: Instrument
    side: Side
    price: Decimal
    mark: Mark
    trade_type: str
    leg_index: int = 0


class FillBooker:
    def __init__(self, fees: Fees) -> None:
        self.fees = fees

    def book(self, order: Order, fill: Fill, mark: Mark) -> list[AccountTrade]:
        """Apply one fill to the order's account at the index and funding mark of this moment.

        A roll is two trades: the near leg at its mark, the far one at that plus the price of the roll. One of
        them is free of the fee, which is told as half the rate on each.
        """
        kind = "liquidation" if order.insert_reason is InsertReason.LIQUIDATION else "normal"
        grid = order.instrument.grid
        if not isinstance(mark, RollMark):
            index, kind = (0, kind) if order.leg_index is None else (order.leg_index, "combo")
            price = grid.price(fill.price_ticks)
            return [self._book(_Entry(order, fill, order.instrument, order.side, price, mark, kind, index))]
        near_ticks = mark.near.instrument.grid.ticks_floor(mark.near.mark_price)
        far, near = grid.price(near_ticks + fill.price_ticks), grid.price(near_ticks)
        return [
            self._book(_Entry(order, fill, mark.far.instrument, order.side, far, mark.far, kind, 0)),
            self._book(_Entry(order, fill, mark.near.instrument, OPPOSITE[order.side], near, mark.near, kind, 1)),
        ]

    def book_block(self, order: Order, fill: Fill, price: Decimal, mark: Mark) -> AccountTrade:
        """Apply a leg of a request for quote, at a price that need not be a multiple of a tick."""
        return self._book(_Entry(order, fill, order.instrument, order.side, price, mark, "rfq", fill.leg_index))

    def book_transfer(self, order: Order, fill: Fill, mark: Mark) -> AccountTrade:
        """Apply a transfer of a position at its mark; it costs nothing."""
        entry = _Entry(order, fill, order.instrument, order.side, mark.mark_price, mark, "internal_transfer")
        return self._book(entry)

    def _fee_rate(self, entry: _Entry) -> Decimal:
        if entry.trade_type == "internal_transfer":
            return ZERO
        is_option = entry.instrument.type is InstrumentType.OPTION
        rate = self.fees.option_rate if is_option else self.fees.rate(entry.fill.is_maker)
        return rate / 2 if entry.order.instrument.type is InstrumentType.COMBINATION else rate

    def _book(self, entry: _Entry) -> AccountTrade:
        order, fill, instrument, mark = entry.order, entry.fill, entry.instrument, entry.mark
        account = order.account
        assert account is not None
        rate, basis = self._fee_rate(entry), mark.index_price * instrument.grid.amount(fill.lots)
        liquidation_fee = basis * self.fees.liquidation_rate if entry.trade_type == "liquidation" else ZERO
        fee = basis * rate
        position = account.position(instrument)
        realised = position.apply(entry.side, entry.price, fill.lots, mark.funding_mark, fee + liquidation_fee)
        account.trades_total += 1
        trade = Trade(
            sequence=account.trades_total,
            trade_id=fill.trade_id,
            order=order,
            price=entry.price,
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
            trade_type=entry.trade_type,
            liquidation_fee=liquidation_fee,
            leg_index=entry.leg_index,
            instrument=instrument,
            side=entry.side,
        )
        account.trades.append(trade)
        return AccountTrade(account, trade)
