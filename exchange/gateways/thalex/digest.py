"""A transaction's events, gathered by who is told of them: each channel gets one message for all."""

from __future__ import annotations

from dataclasses import dataclass, field

from exchange.core.accounts import Trade
from exchange.core.events import (
    AccountTrade,
    BotsChanged,
    ConditionalsChanged,
    Event,
    InboxChanged,
    InstrumentAdded,
    InstrumentRemoved,
    ProtectionChanged,
    PublicTrade,
    RfqChanged,
    RfqQuoteChanged,
    Settled,
)
from exchange.core.orders import OrderUpdate

InstrumentChange = InstrumentAdded | InstrumentRemoved
AccountChange = ProtectionChanged | InboxChanged | ConditionalsChanged | BotsChanged


@dataclass(slots=True)
class Digest:
    """By account number, by instrument name, or for everybody. Within each list in the order it happened."""

    updates: dict[str, list[OrderUpdate]] = field(default_factory=dict)
    account_trades: dict[str, list[Trade]] = field(default_factory=dict)
    public_trades: dict[str, list[PublicTrade]] = field(default_factory=dict)
    instruments: list[InstrumentChange] = field(default_factory=list)
    rfqs: list[RfqChanged | RfqQuoteChanged] = field(default_factory=list)
    protections: list[ProtectionChanged] = field(default_factory=list)
    inbox: list[InboxChanged] = field(default_factory=list)
    conditionals: dict[str, None] = field(default_factory=dict)
    bots: dict[str, None] = field(default_factory=dict)
    is_settled: bool = False


def digest(events: list[Event]) -> Digest:
    found = Digest()
    for event in events:
        match event:
            case PublicTrade():
                found.public_trades.setdefault(event.instrument.name, []).append(event)
            case AccountTrade(account, trade):
                found.account_trades.setdefault(account.number, []).append(trade)
            case OrderUpdate():
                if event.order.account is not None:
                    found.updates.setdefault(event.order.account.number, []).append(event)
            case InstrumentAdded() | InstrumentRemoved():
                found.instruments.append(event)
            case RfqChanged() | RfqQuoteChanged():
                found.rfqs.append(event)
            case ProtectionChanged():
                found.protections.append(event)
            case InboxChanged():
                found.inbox.append(event)
            case ConditionalsChanged(account):
                found.conditionals[account.number] = None
            case BotsChanged(account):
                found.bots[account.number] = None
            case Settled():
                found.is_settled = True
    return found
