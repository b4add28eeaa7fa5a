"""What the venue checks of an order beside its own terms: limits of count and size, and margin."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from exchange.core.accounts import ZERO, Account
from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.margin import Extra
from exchange.core.orders import Order, OrderRejected, Reject, Side

if TYPE_CHECKING:
    from exchange.core.engine import Engine


@dataclass(frozen=True, slots=True)
class Limits:
    """Per account; 0 = no limit. The venue's own numbers are not public.

    `order_cash_max` is the total of open orders at index in USD, per underlying and side, delta one and
    options apart.
    """

    open_orders_max: int = 0
    order_cash_max: Decimal = ZERO


class Gate:
    """Asked before an order may match or rest. Quotes are free of the limits, not of margin."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits

    def check(self, order: Order, lots: int) -> None:
        """Check an order that would add `lots` to what its account may trade.

        Raises:
            OrderRejected: when a limit or the margin does not allow it.
        """
        account = order.account
        assert account is not None
        if not order.is_quote:
            self._check_count(account, order)
            self._check_size(account, order.instrument, order.side, lots)
        if not order.reduce_only:
            self._engine.margin.check(account, Extra(order.instrument, order.side, lots))

    def _check_count(self, account: Account, order: Order) -> None:
        limit = self._limits.open_orders_max
        if limit and order.order_id not in account.open_orders and len(account.open_orders) >= limit:
            raise OrderRejected(Reject.TOO_MANY_OPEN_ORDERS, f"{len(account.open_orders)} are open, at most {limit}")

    def _check_size(self, account: Account, instrument: Instrument, side: Side, lots: int) -> None:
        limit = self._limits.order_cash_max
        if not limit or lots <= 0:
            return
        index = self._engine.index_prices.get(instrument.underlying, ZERO)
        cash = index * (instrument.grid.amount(lots) + self._open_amount(account, instrument, side))
        if cash > limit:
            detail = f"{cash.quantize(Decimal('0.01'))} USD of open {side.value} orders, at most {limit} USD"
            raise OrderRejected(Reject.TOTAL_SIZE_TOO_LARGE, detail)

    def _open_amount(self, account: Account, of: Instrument, side: Side) -> Decimal:
        is_option = of.type is InstrumentType.OPTION
        total = ZERO
        for name, (buy_lots, sell_lots) in account.working.items():
            instrument = self._engine.markets[name].instrument
            if instrument.underlying == of.underlying and (instrument.type is InstrumentType.OPTION) == is_option:
                total += instrument.grid.amount(buy_lots if side is Side.BUY else sell_lots)
        return total
