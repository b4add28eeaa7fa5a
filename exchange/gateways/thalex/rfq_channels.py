"""The streams of requests for quote: those traded, those of an account, those to quote on, and its quotes."""

from __future__ import annotations

from exchange.core.accounts import Account
from exchange.core.engine import Engine
from exchange.core.events import RfqChanged, RfqEvent, RfqQuoteChanged
from exchange.core.scheduler import NS_PER_MS
from exchange.gateways.thalex import rfq_payloads, wire
from exchange.gateways.thalex.channel import Channel

HISTORY_DELAY_NS = 20 * NS_PER_MS  # as with trades: after the database


class RfqChannel(Channel):
    """What all have in common: the hub tells each of them of everything."""

    def on_change(self, change: RfqChanged | RfqQuoteChanged) -> None:
        if isinstance(change, RfqChanged):
            self.on_rfq(change)
        else:
            self.on_quote(change)

    def on_rfq(self, change: RfqChanged) -> None:
        """A request was made, taken back or traded."""

    def on_quote(self, change: RfqQuoteChanged) -> None:
        """A quote came, changed or went."""


class TradedRfqsChannel(RfqChannel):
    """`rfqs`: what was traded lately, then what is traded."""

    def __init__(self, name: str, engine: Engine) -> None:
        super().__init__(name)
        self._engine = engine

    def first_message(self) -> bytes:
        traded = [rfq_payloads.for_public(rfq) for rfq in self._engine.rfqs.traded]
        return wire.notification(self.name, wire.encode(traded), snapshot=True)

    def on_rfq(self, change: RfqChanged) -> None:
        if change.event is RfqEvent.TRADED:
            self.publish(wire.encode([rfq_payloads.for_public(change.rfq)]))


class AccountRfqsChannel(RfqChannel):
    """`account.rfqs`: the account's own requests, with the event that befell them."""

    def __init__(self, name: str, engine: Engine, account: Account) -> None:
        super().__init__(name)
        self._engine = engine
        self._account = account

    def first_message(self) -> bytes:
        existing = [rfq_payloads.for_requester(rfq, "Existing") for rfq in self._engine.rfqs.open_of(self._account)]
        return wire.notification(self.name, wire.encode(existing), snapshot=True)

    def on_rfq(self, change: RfqChanged) -> None:
        if change.rfq.account is self._account:
            self.publish(wire.encode([rfq_payloads.for_requester(change.rfq, change.event.value)]))


class RfqHistoryChannel(RfqChannel):
    """`account.rfq_history`: the account's requests once they are over, a little later."""

    def __init__(self, name: str, engine: Engine, account: Account) -> None:
        super().__init__(name)
        self._engine = engine
        self._account = account

    def on_rfq(self, change: RfqChanged) -> None:
        if change.rfq.account is self._account and change.event is not RfqEvent.CREATED:
            payload, scheduler = wire.encode([rfq_payloads.for_requester(change.rfq)]), self._engine.scheduler
            scheduler.call_at(scheduler.monotonic_ns() + HISTORY_DELAY_NS, lambda: self.publish(payload))


class QuotableRfqsChannel(RfqChannel):
    """`mm.rfqs`: what others ask for; that it is over is not told."""

    def __init__(self, name: str, engine: Engine, account: Account) -> None:
        super().__init__(name)
        self._engine = engine
        self._account = account

    def first_message(self) -> bytes:
        found = [rfq_payloads.for_maker(rfq) for rfq in self._engine.rfqs.quotable_by(self._account)]
        return wire.notification(self.name, wire.encode(found), snapshot=True)

    def on_rfq(self, change: RfqChanged) -> None:
        if change.rfq.account is not self._account and change.event is RfqEvent.CREATED:
            self.publish(wire.encode([rfq_payloads.for_maker(change.rfq)]))


class RfqQuotesChannel(RfqChannel):
    """`mm.rfq_quotes`: the account's own quotes, with the event that befell them."""

    def __init__(self, name: str, engine: Engine, account: Account) -> None:
        super().__init__(name)
        self._engine = engine
        self._account = account

    def first_message(self) -> bytes:
        found = [rfq_payloads.quote_object(quote, "Existing") for quote in self._engine.rfqs.quotes_of(self._account)]
        return wire.notification(self.name, wire.encode(found), snapshot=True)

    def on_quote(self, change: RfqQuoteChanged) -> None:
        if change.quote.account is self._account:
            self.publish(wire.encode([rfq_payloads.quote_object(change.quote, change.event.value)]))
