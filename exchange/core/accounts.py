"""Accounts: positions, profit and loss, fees and funding, kept in exact decimals.

The only division is the average cost taken off when a position shrinks. It is quantised, and what is taken
off is exactly what is realised, so realised + unrealised + fees + funding always equals the cash flows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from exchange.core.instrument import Instrument
from exchange.core.orders import SIGN, Order, OrderUpdate, Side

ZERO = Decimal(0)
COST_STEP = Decimal("0.0000000001")
TRADES_KEPT_MAX = 100_000  # the oldest are forgotten
CLOSED_ORDERS_KEPT_MAX = 20_000


class Realised(NamedTuple):
    """What closing `lots` of a position brought; nothing was closed when they are 0."""

    position_pnl: Decimal
    funding_pnl: Decimal
    lots: int = 0


@dataclass(slots=True)
class Position:
    """One line of an account: signed lots and signed costs, the sums of price times amount of what is open.

    `start_cost` is reset to the mark at each daily settlement, `average_cost` is not. `funding_cost` is the
    same for the funding mark. `realised_*` and `fees` count since the last settlement; a fee is positive.
    """

    instrument: Instrument
    lots: int = 0
    start_cost: Decimal = ZERO
    average_cost: Decimal = ZERO
    funding_cost: Decimal = ZERO
    realised_position: Decimal = ZERO
    realised_funding: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def amount(self) -> Decimal:
        return self.instrument.grid.amount(self.lots)

    @property
    def start_price(self) -> Decimal:
        return (self.start_cost / self.amount).quantize(COST_STEP) if self.lots else ZERO

    @property
    def average_price(self) -> Decimal:
        return (self.average_cost / self.amount).quantize(COST_STEP) if self.lots else ZERO

    @property
    def realised(self) -> Decimal:
        """Everything realised in this session: position and funding, less fees."""
        return self.realised_position + self.realised_funding - self.fees

    def unrealised_pnl(self, mark_price: Decimal) -> Decimal:
        return mark_price * self.amount - self.start_cost

    def unrealised_funding(self, funding_mark: Decimal) -> Decimal:
        return funding_mark * self.amount - self.funding_cost

    def apply(self, side: Side, price: Decimal, lots: int, funding_mark: Decimal, fee: Decimal) -> Realised:
        """Book one fill of `lots` > 0 and return what it realised (fees apart)."""
        signed = SIGN[side] * lots
        closing = min(lots, abs(self.lots)) if self.lots * signed < 0 else 0
        realised = self._close(closing, price, funding_mark) if closing else Realised(ZERO, ZERO)
        opening = signed - SIGN[side] * closing
        if opening:
            amount = self.instrument.grid.amount(opening)
            self.start_cost += price * amount
            self.average_cost += price * amount
            self.funding_cost += funding_mark * amount
            self.lots += opening
        self.realised_position += realised.position_pnl
        self.realised_funding += realised.funding_pnl
        self.fees += fee
        return realised

    def settle(self, mark_price: Decimal, funding_mark: Decimal) -> Decimal:
        """Realise everything at the mark, start a new session, return the cash that it brings."""
        cash = self.realised + self.unrealised_pnl(mark_price) + self.unrealised_funding(funding_mark)
        self.start_cost = mark_price * self.amount
        self.funding_cost = ZERO  # the funding mark itself starts again at 0
        self.realised_position = self.realised_funding = self.fees = ZERO
        return cash

    def _close(self, lots: int, price: Decimal, funding_mark: Decimal) -> Realised:
        amount = self.instrument.grid.amount(lots if self.lots > 0 else -lots)
        removed = [self._share(cost, lots) for cost in (self.start_cost, self.average_cost, self.funding_cost)]
        self.start_cost -= removed[0]
        self.average_cost -= removed[1]
        self.funding_cost -= removed[2]
        self.lots -= lots if self.lots > 0 else -lots
        return Realised(price * amount - removed[0], funding_mark * amount - removed[2], lots)

    def _share(self, cost: Decimal, lots: int) -> Decimal:
        if lots == abs(self.lots):
            return cost
        return (cost * lots / abs(self.lots)).quantize(COST_STEP)


class Trade(NamedTuple):
    """One fill as the account's trade history keeps it. `sequence` grows by one for each trade."""

    sequence: int
    trade_id: str
    order: Order
    instrument: Instrument  # of a roll or a combination: the leg
    side: Side
    price: Decimal
    lots: int
    time_ns: int
    is_maker: bool
    fee: Decimal
    fee_rate: Decimal
    index_price: Decimal
    funding_mark: Decimal
    position_after: Decimal
    session_realised_after: Decimal
    realised: Realised
    trade_type: str = "normal"
    leg_index: int = 0
    liquidation_fee: Decimal = ZERO


class DailyMark(NamedTuple):
    """What a daily settlement realised of one position that was held; `funding_pnl` for perpetuals alone."""

    sequence: int
    time_ns: int
    instrument: Instrument
    mark_price: Decimal
    position: Decimal
    position_pnl: Decimal
    funding_pnl: Decimal | None


class Transaction(NamedTuple):
    """A change of cash. `kind` is the venue's word for it."""

    sequence: int
    time_ns: int
    instrument: Instrument | None
    kind: str
    amount: Decimal
    balance_after: Decimal


@dataclass(slots=True, eq=False)
class Account:
    """One account: its cash, positions, working orders and histories."""

    number: str
    cash: Decimal
    may_quote: bool = True  # whether mass quotes are enabled
    positions: dict[str, Position] = field(default_factory=dict)
    open_orders: dict[str, Order] = field(default_factory=dict)
    working: dict[str, tuple[int, int]] = field(default_factory=dict)  # resting lots to buy and to sell
    by_client_order_id: dict[tuple[str, int], Order] = field(default_factory=dict)
    trades: deque[Trade] = field(default_factory=lambda: deque(maxlen=TRADES_KEPT_MAX))
    closed_orders: deque[OrderUpdate] = field(default_factory=lambda: deque(maxlen=CLOSED_ORDERS_KEPT_MAX))
    daily_marks: list[DailyMark] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    trades_total: int = 0
    closed_orders_total: int = 0

    def position(self, instrument: Instrument) -> Position:
        position = self.positions.get(instrument.name)
        if position is None:
            position = self.positions[instrument.name] = Position(instrument)
        return position

    def position_lots(self, instrument: Instrument) -> int:
        position = self.positions.get(instrument.name)
        return position.lots if position else 0

    def note_resting(self, order: Order, lots: int) -> None:
        """Count `lots` more (or fewer) of an order's instrument and side as resting in the book."""
        name = order.instrument.name
        buy_lots, sell_lots = self.working.get(name, (0, 0))
        if order.side is Side.BUY:
            buy_lots += lots
        else:
            sell_lots += lots
        assert buy_lots >= 0, f"{buy_lots} lots of {name} resting to buy"
        assert sell_lots >= 0, f"{sell_lots} lots of {name} resting to sell"
        if buy_lots or sell_lots:
            self.working[name] = (buy_lots, sell_lots)
        else:
            self.working.pop(name, None)

    @property
    def session_realised_pnl(self) -> Decimal:
        return sum((position.realised for position in self.positions.values()), ZERO)

    def register(self, order: Order) -> None:
        self.open_orders[order.order_id] = order
        if order.client_order_id is not None:
            self.by_client_order_id[order.session_id, order.client_order_id] = order

    def note_closed(self, update: OrderUpdate) -> None:
        """Put a closed order's last update into the history."""
        self.closed_orders.append(update)
        self.closed_orders_total += 1

    def unregister(self, order: Order) -> None:
        """Forget a closed order; its client order id is free again at once."""
        self.open_orders.pop(order.order_id, None)
        if order.client_order_id is not None:
            key = (order.session_id, order.client_order_id)
            if self.by_client_order_id.get(key) is order:
                del self.by_client_order_id[key]
