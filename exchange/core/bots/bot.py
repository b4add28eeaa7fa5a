"""What all bots have in common: their orders, what these brought, and how they end.

A bot's orders are good till cancelled and of no session. It sees its own orders' updates at the end of the
transaction, and looks at the market each second.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING

from exchange.core.accounts import ZERO, Account, Trade
from exchange.core.orders import (
    SIGN,
    Collar,
    DeleteReason,
    InsertReason,
    NewOrder,
    Order,
    OrderRejected,
    OrderType,
    OrderUpdate,
    Side,
    TimeInForce,
)

if TYPE_CHECKING:
    from exchange.core.bots.terms import BotTerms
    from exchange.core.engine import Engine
    from exchange.core.market import Market


class StopReason(enum.Enum):
    CLIENT_CANCEL = "client_cancel"
    CLIENT_BULK_CANCEL = "client_bulk_cancel"
    END_TIME = "end_time"
    INSTRUMENT_DEACTIVATED = "instrument_deactivated"
    MARGIN_BREACH = "margin_breach"
    STRATEGY = "strategy"


class Bot(ABC):
    """One running bot. `terms` are as asked for, with defaults filled in; `orders` are its working ones."""

    def __init__(self, engine: Engine, account: Account, market: Market, terms: BotTerms, bot_id: str) -> None:
        self.engine = engine
        self.account = account
        self.market = market
        self.terms = terms
        self.bot_id = bot_id
        self.start_time_ns = engine.scheduler.realtime_ns()
        self.stop_reason: StopReason | None = None
        self.realised_pnl = ZERO
        self.fee = ZERO
        self.orders: dict[str, Order] = {}

    @property
    def is_active(self) -> bool:
        return self.stop_reason is None

    @property
    def position_lots(self) -> int:
        return self.account.position_lots(self.market.instrument)

    # -- what a strategy does ------------------------------------------------------------------

    def open(self) -> None:  # noqa: B027 - most strategies have something to set up, not all
        """Set up what the strategy keeps; called once, before anything else."""

    @abstractmethod
    def on_second(self) -> None:
        """Look at the market, and bring orders or position to what the strategy wants."""

    def on_closed(self, update: OrderUpdate) -> None:  # noqa: B027 - only ladders answer fills
        """One of the bot's resting orders was filled or cancelled."""

    # -- what happens to all of them -----------------------------------------------------------

    def on_trade(self, trade: Trade) -> None:
        """Count what a trade of this bot brought and cost."""
        self.realised_pnl += trade.realised.position_pnl + trade.realised.funding_pnl
        self.fee += trade.fee

    def take_update(self, update: OrderUpdate) -> None:
        """Follow one of the bot's orders; margin breach ends the bot."""
        if update.order.is_open:
            return
        self.orders.pop(update.order.order_id, None)
        if self.is_active and update.delete_reason is DeleteReason.MARGIN_BREACH:
            self.stop(StopReason.MARGIN_BREACH)
        elif self.is_active:
            self.on_closed(update)

    def stop(self, reason: StopReason) -> None:
        """Cancel all orders and do nothing any more; positions stay."""
        self.stop_reason = reason
        self.cancel_orders()

    def cancel_orders(self) -> None:
        orders = list(self.orders.values())
        self.orders.clear()
        self.engine.cancel_orders(orders, DeleteReason.CLIENT_CANCEL)

    def rest(self, side: Side, price: Decimal, lots: int) -> Order | None:
        """Insert a post-only order; None when the venue refuses it or it can't rest."""
        amount = self.market.instrument.grid.amount(lots)
        return self._insert(self._order(side, amount, price=price, post_only=True))

    def trade_to(self, target_lots: int) -> None:
        """Trade aggressively towards a position, within the allowed slippage from the mark."""
        lots = target_lots - self.position_lots
        if not lots:
            return
        side = Side.BUY if lots > 0 else Side.SELL
        amount = self.market.instrument.grid.amount(abs(lots))
        self._insert(self._order(side, amount, price=self._slippage_limit(side)))

    def _slippage_limit(self, side: Side) -> Decimal | None:
        """Return the worst price, in whole ticks; None leaves it to the collar."""
        if self.terms.max_slippage is None:
            return None
        grid, mark = self.market.instrument.grid, self.market.mark.mark_price
        exact = mark * (1 + SIGN[side] * self.terms.max_slippage / 100)
        return grid.price(grid.ticks_floor(exact) if side is Side.BUY else grid.ticks_ceil(exact))

    def _order(self, side: Side, amount: Decimal, *, price: Decimal | None, post_only: bool = False) -> NewOrder:
        return NewOrder(
            account=self.account,
            session_id="",
            side=side,
            amount=amount,
            price=price,
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            label=self.terms.label,
            time_in_force=TimeInForce.GOOD_TILL_CANCELLED if post_only else TimeInForce.IMMEDIATE_OR_CANCEL,
            post_only=post_only,
            collar=None if price is None else Collar.CLAMP,
            insert_reason=InsertReason.BOT,
            bot_id=self.bot_id,
        )

    def _insert(self, new: NewOrder) -> Order | None:
        try:
            order = self.market.insert(new).order
        except OrderRejected:
            return None  # tried again with the next second
        if not order.is_open:
            return None
        self.orders[order.order_id] = order
        return order
