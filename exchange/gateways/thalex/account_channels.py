"""The private streams: orders, portfolio, summary, trade and order history."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal

from exchange.core.accounts import Account, Trade
from exchange.core.engine import Engine
from exchange.core.events import ProtectionChanged
from exchange.core.orders import DeleteReason, Order, OrderUpdate
from exchange.core.scheduler import NS_PER_MS, Scheduler
from exchange.core.units import plain
from exchange.gateways.thalex import account_payloads, bot_payloads, conditional_payloads, payloads, wire
from exchange.gateways.thalex.channel import Channel

TRADE_HISTORY_DELAY_NS = 20 * NS_PER_MS  # the venue's history follows its database, later than the fills
MARK_MOVE_RATIO = Decimal("0.01")

Selects = Callable[[Order], bool]


class OrdersChannel(Channel):
    """`session.orders`, `account.orders` or `account.persistent_orders`: orders of one account by a filter."""

    def __init__(self, name: str, account: Account, selects: Selects) -> None:
        super().__init__(name)
        self._account = account
        self.selects = selects

    def first_message(self) -> bytes:
        orders = [payloads.existing_order(o) for o in self._account.open_orders.values() if self.selects(o)]
        return wire.notification(self.name, wire.encode(orders), snapshot=True)

    def on_updates(self, updates: list[tuple[OrderUpdate, bytes]]) -> None:
        """Send those updates that belong here; each comes with its encoding, made once for all channels."""
        encoded = [data for update, data in updates if self.selects(update.order)]
        if encoded:
            self.publish(b"[" + b",".join(encoded) + b"]")


class PortfolioChannel(Channel):
    """`account.portfolio`: everything at first, also when flat; then lines that traded or moved by 1 %."""

    def __init__(self, name: str, engine: Engine, account: Account) -> None:
        super().__init__(name)
        self._engine = engine
        self._account = account
        self._shown_marks: dict[str, Decimal] = {}

    def first_message(self) -> bytes:
        entries = account_payloads.portfolio(self._engine, self._account)
        self._shown_marks = {entry.instrument_name: entry.mark_price for entry in entries}
        return wire.notification(self.name, wire.encode(entries), snapshot=True)

    def on_positions(self, instrument_names: set[str]) -> None:
        entries = []
        for name in sorted(instrument_names):
            market = self._engine.markets[name]
            entries.append(account_payloads.portfolio_entry(self._account.position(market.instrument), market))
            self._shown_marks[name] = market.mark.mark_price
        self.publish(wire.encode(entries))

    def on_settled(self) -> None:
        if self._account.positions:
            self.on_positions(set(self._account.positions))

    def on_second(self) -> None:
        moved = {name for name, position in self._account.positions.items() if position.lots and self._moved(name)}
        if moved:
            self.on_positions(moved)

    def _moved(self, name: str) -> bool:
        mark_price, shown = self._engine.markets[name].mark.mark_price, self._shown_marks.get(name)
        return shown is None or abs(mark_price - shown) > MARK_MOVE_RATIO * shown


class WholeChannel(Channel, ABC):
    """A stream that tells everything each time, to a new subscriber too; `payload` is everything."""

    def __init__(self, name: str, engine: Engine, account: Account) -> None:
        super().__init__(name)
        self._engine = engine
        self._account = account

    @abstractmethod
    def payload(self) -> bytes: ...

    def first_message(self) -> bytes:
        return wire.notification(self.name, self.payload())

    def publish_whole(self) -> None:
        self.publish(self.payload())


class SummaryChannel(WholeChannel):
    """`account.summary`, once a second."""

    def on_second(self) -> None:
        self.publish_whole()

    def payload(self) -> bytes:
        return wire.encode(account_payloads.account_summary(self._engine, self._account))


class ConditionalOrdersChannel(WholeChannel):
    """`account.conditional_orders`: formerly active ones of late included."""

    def payload(self) -> bytes:
        return wire.encode(conditional_payloads.recent_list(self._engine, self._account))


class BotsChannel(WholeChannel):
    """`account.bots`: stopped ones included."""

    def payload(self) -> bytes:
        return wire.encode([bot_payloads.bot_object(bot) for bot in self._engine.bots.of(self._account)])


class TradeHistoryChannel(Channel):
    """`account.trade_history`: new trades, a little later than the fills in the order streams."""

    def __init__(self, name: str, scheduler: Scheduler) -> None:
        super().__init__(name)
        self._scheduler = scheduler

    def on_trades(self, trades: list[Trade]) -> None:
        payload = wire.encode([payloads.trade_object(trade) for trade in trades])
        due_ns = self._scheduler.monotonic_ns() + TRADE_HISTORY_DELAY_NS
        self._scheduler.call_at(due_ns, lambda: self.publish(payload))


class OrderHistoryChannel(Channel):
    """`account.order_history`: orders as they become inactive."""

    def on_updates(self, updates: list[OrderUpdate]) -> None:
        closed = [payloads.order_history(update) for update in updates if belongs_in_history(update)]
        if closed:
            self.publish(wire.encode(closed))


class ProtectionChannel(Channel):
    """`session.mm_protection`: each change of one of the session's protection groups."""

    def __init__(self, name: str, session_id: str) -> None:
        super().__init__(name)
        self.session_id = session_id

    def on_change(self, change: ProtectionChanged) -> None:
        remaining = plain(change.remaining)
        self.publish(wire.encode([{"product": change.product, "remaining_amount": remaining, "reason": change.reason}]))


def belongs_in_history(update: OrderUpdate) -> bool:
    """Return whether a closed order is kept: not the unfilled ones of a session that its client cancelled."""
    if update.delete_reason is None:
        return False
    by_client = update.delete_reason in (DeleteReason.CLIENT_CANCEL, DeleteReason.CLIENT_BULK_CANCEL)
    return bool(update.filled_lots or update.order.persistent or not by_client)
