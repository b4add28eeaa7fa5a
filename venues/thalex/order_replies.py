"""What the venue says on the private connection, told to the gateway's listener in our words."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from structlog.stdlib import BoundLogger

from domain.order import RequestKind
from venues.conditional import ConditionalListener
from venues.gateway import OrderListener
from venues.quoting import QuoteListener
from venues.thalex.market_wire import decode_system
from venues.thalex.money_lists import PositionLists, TradeLists
from venues.thalex.order_lists import OrderLists
from venues.thalex.protocol import Answer
from venues.thalex.quote_wire import decode_protections
from venues.thalex.wire import Envelope

ORDERS_CHANNEL = "session.orders"  # orders of this connection; "account.orders" shows everybody's
POSITIONS_CHANNEL = "account.portfolio"
TRADES_CHANNEL = "account.trade_history"
SYSTEM_CHANNEL = "system"
CONDITIONAL_CHANNEL = "account.conditional_orders"
PROTECTION_CHANNEL = "session.mm_protection"
QUOTE_KIND = "quote"  # requests about mass quotes
EARLY_MAX = 1000  # notifications before the session is ready; more is no session that we understand


class OrderReplies:
    """Decodes answers and notifications and tells the listener.

    Everything is decoded at once, for a payload dies with its frame. What comes before the session is ready (a
    snapshot may overtake the answer to the subscription) is held and told right after it.
    """

    def __init__(
        self,
        listener: OrderListener,
        orders_channel: str,
        log: BoundLogger,
        quote_listener: QuoteListener | None,
        conditional_listener: ConditionalListener | None,
        lists: OrderLists,
        trade_lists: TradeLists,
        position_lists: PositionLists,
    ) -> None:
        self._lists = lists
        self._trade_lists = trade_lists
        self._position_lists = position_lists
        self._listener = listener
        self._quote_listener = quote_listener
        self._conditional_listener = conditional_listener
        self._orders_channel = orders_channel
        self._log = log
        self._is_held = True
        self._early: list[Callable[[], None]] = []

    def hold(self) -> None:
        """A session ends or begins: what it said is void, what it says waits for `release`."""
        self._is_held = True
        self._early.clear()

    def release(self) -> None:
        """The session is ready: tell what waited, in order."""
        self._is_held = False
        early, self._early = self._early, []
        for tell in early:
            tell()

    def take_answer(self, answer: Answer) -> None:
        """Hand an answer to whoever waits for it, or to the listener."""
        pending = answer.pending
        future = pending.context
        if future is not None:
            if future.done():
                return
            if answer.error is not None:
                future.set_exception(answer.error)
            else:
                future.set_result(answer.value)
        elif pending.kind == SYSTEM_CHANNEL:
            if answer.error is not None:
                self._log.warning("no notice of planned closes", reason=str(answer.error))
        elif pending.kind == QUOTE_KIND:
            self._take_quote_answer(answer)
        elif answer.error is not None:
            self._listener.on_rejected(cast(RequestKind, pending.kind), pending.client_order_id, answer.error)
        else:
            self._listener.on_orders([answer.value])

    def _take_quote_answer(self, answer: Answer) -> None:
        quote_id = answer.pending.client_order_id
        assert self._quote_listener is not None, "a mass quote was sent and nobody listens for its answer"
        if answer.error is not None:
            self._quote_listener.on_quote_rejected(quote_id, answer.error)
        elif quote_id:
            self._quote_listener.on_quoted(quote_id, answer.value)

    def take_notification(self, envelope: Envelope) -> str:
        """Tell the listener; return why the connection must be closed, empty when it need not."""
        if envelope.channel_name == SYSTEM_CHANNEL:
            is_planned = decode_system(envelope.notification).event == "reconnect"
            return "planned reconnect: the venue asked for it" if is_planned else ""
        tell = self._telling(envelope)
        if tell is None:
            return ""
        if not self._is_held:
            tell()
        elif len(self._early) < EARLY_MAX:
            self._early.append(tell)
        else:
            return f"{EARLY_MAX} notifications before the session was ready"
        return ""

    def _telling(self, envelope: Envelope) -> Callable[[], None] | None:
        listener = self._listener
        if envelope.channel_name == self._orders_channel:
            reports = self._lists.orders(envelope.notification)
            return lambda: listener.on_orders(reports)
        if envelope.channel_name == POSITIONS_CHANNEL:
            positions = self._position_lists.changed(envelope.notification)
            is_snapshot = bool(envelope.snapshot)
            return lambda: listener.on_positions(positions, is_snapshot)
        if envelope.channel_name == TRADES_CHANNEL:
            trades = self._trade_lists.trades(envelope.notification)
            return lambda: listener.on_trades(trades)
        if envelope.channel_name == PROTECTION_CHANNEL and (quote_listener := self._quote_listener) is not None:
            protections = decode_protections(envelope.notification)
            return lambda: quote_listener.on_protection(protections)
        if envelope.channel_name == CONDITIONAL_CHANNEL and (conditional := self._conditional_listener) is not None:
            stops = self._lists.conditional_orders(envelope.notification)
            return lambda: conditional.on_conditional_orders(stops)
        return None
