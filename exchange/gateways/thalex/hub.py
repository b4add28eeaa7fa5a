"""All live channels: opens and closes them, and feeds them from the core's transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

from exchange.core.accounts import Account, Trade
from exchange.core.book import Change
from exchange.core.engine import Engine
from exchange.core.events import Event, ProtectionChanged, PublicTrade
from exchange.core.instrument import Instrument
from exchange.core.orders import OrderUpdate
from exchange.gateways.thalex import channel_names as names
from exchange.gateways.thalex import payloads, wire
from exchange.gateways.thalex.account_channels import (
    BotsChannel,
    ConditionalOrdersChannel,
    OrderHistoryChannel,
    OrdersChannel,
    PortfolioChannel,
    ProtectionChannel,
    SummaryChannel,
    TradeHistoryChannel,
)
from exchange.gateways.thalex.book_channel import BookChannel
from exchange.gateways.thalex.channel import Channel
from exchange.gateways.thalex.channel_factory import ChannelFactory
from exchange.gateways.thalex.combination_channels import CombinationChannel
from exchange.gateways.thalex.digest import digest
from exchange.gateways.thalex.inbox_channel import InboxChannel
from exchange.gateways.thalex.market_channels import IndexChannel, InstrumentsChannel, TapeChannel, TickerChannel
from exchange.gateways.thalex.overview_channels import LightTickersChannel, SecondlyChannel
from exchange.gateways.thalex.rfq_channels import RfqChannel

C = TypeVar("C", bound=Channel)
Key = tuple[str, str]  # (owner, channel name); the owner is "" for public, else an account or a session


class Hub:
    """The engine's listener for this protocol. Channels that a transaction feeds are kept by what they show."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._factory = ChannelFactory(engine)
        self._channels: dict[Key, Channel] = {}
        self._books: dict[str, list[BookChannel]] = defaultdict(list)
        self._tickers: dict[str, list[TickerChannel]] = defaultdict(list)
        self._by_account: dict[str, list[Channel]] = defaultdict(list)
        self._tapes: dict[str, list[TapeChannel]] = defaultdict(list)
        self._combinations: dict[str, list[CombinationChannel]] = defaultdict(list)

    # -- opening and closing -------------------------------------------------------------------

    def public_channel(self, name: str) -> Channel | None:
        """Return the channel of that name, made if need be; None when no such channel can be."""
        channel = self._channels.get(("", name))
        if channel is None:
            channel = self._factory.public(name)
            if channel is not None:
                self._channels["", name] = channel
                self._file(channel)
        return channel

    def private_channel(self, name: str, account: Account, session_id: str) -> Channel | None:
        owner = session_id if name.startswith("session.") else account.number
        channel = self._channels.get((owner, name))
        if channel is None and name in names.PRIVATE:
            channel = self._factory.private(name, account, session_id)
            self._channels[owner, name] = channel
            self._by_account[account.number].append(channel)
        return channel

    def release(self, channel: Channel) -> None:
        """Forget a channel if nobody listens to it any more."""
        if not channel.is_idle:
            return
        channel.close()
        self._channels = {key: kept for key, kept in self._channels.items() if kept is not channel}
        for groups in (self._books, self._tickers, self._by_account, self._tapes, self._combinations):
            for group in groups.values():
                if channel in group:
                    group.remove(channel)  # type: ignore[arg-type]

    def _file(self, channel: Channel) -> None:
        """Put a public channel where the feeding finds it."""
        if isinstance(channel, BookChannel):
            self._books[channel.instrument_name].append(channel)
        elif isinstance(channel, TickerChannel):
            self._tickers[channel.instrument_name].append(channel)
        elif isinstance(channel, TapeChannel):
            for instrument_name in channel.instrument_names:
                self._tapes[instrument_name].append(channel)
        elif isinstance(channel, CombinationChannel):
            for instrument_name in channel.instrument_names:
                self._combinations[instrument_name].append(channel)

    # -- feeding -------------------------------------------------------------------------------

    def on_events(self, events: list[Event]) -> None:
        found = digest(events)
        if found.instruments:
            self._each(InstrumentsChannel, lambda channel: channel.on_changes(found.instruments))
        if found.is_settled:
            self._each(PortfolioChannel, PortfolioChannel.on_settled)
        for change in found.rfqs:
            self._each(RfqChannel, lambda channel, of=change: channel.on_change(of))  # type: ignore[misc]
        for protection in found.protections:
            self._on_protection(protection)
        for posted in found.inbox:
            for channel in self._of_account(posted.account.number, InboxChannel):
                channel.on_change(posted.notification)
        for number, updates in found.updates.items():
            self._on_updates(number, updates)
        for number, trades in found.account_trades.items():
            self._on_account_trades(number, trades)
        for name, prints in found.public_trades.items():
            self._on_public_trades(name, prints)
        for number in found.conditionals:
            for conditionals in self._of_account(number, ConditionalOrdersChannel):
                conditionals.publish_whole()
        for number in found.bots:
            for bots in self._of_account(number, BotsChannel):
                bots.publish_whole()

    def _each(self, kind: type[C], tell: Callable[[C], None]) -> None:
        """Tell every channel of a kind."""
        for channel in list(self._channels.values()):
            if isinstance(channel, kind):
                tell(channel)

    def _of_account(self, number: str, kind: type[C]) -> list[C]:
        return [channel for channel in self._by_account[number] if isinstance(channel, kind)]

    def on_book(self, instrument: Instrument, changes: list[Change]) -> None:
        for book in self._books[instrument.name]:
            book.on_book(changes)
        for ticker in self._tickers[instrument.name]:
            ticker.refresh()
        for combination in self._combinations[instrument.name]:
            combination.refresh()

    def on_second(self) -> None:
        for tickers in self._tickers.values():
            for ticker in tickers:
                ticker.refresh()
        for channel in list(self._channels.values()):
            if isinstance(channel, IndexChannel | PortfolioChannel | SummaryChannel | SecondlyChannel):
                channel.on_second()
            elif isinstance(channel, LightTickersChannel | CombinationChannel):
                channel.refresh()

    def _on_updates(self, account_number: str, updates: list[OrderUpdate]) -> None:
        encoded: list[tuple[OrderUpdate, bytes]] = []
        for channel in self._by_account[account_number]:
            if isinstance(channel, OrdersChannel):
                encoded = encoded or [(u, wire.encode(payloads.order_status(u))) for u in updates]
                channel.on_updates(encoded)
            elif isinstance(channel, OrderHistoryChannel):
                channel.on_updates(updates)

    def _on_protection(self, change: ProtectionChanged) -> None:
        for channel in self._by_account[change.account.number]:
            if isinstance(channel, ProtectionChannel) and channel.session_id == change.session_id:
                channel.on_change(change)

    def _on_account_trades(self, account_number: str, trades: list[Trade]) -> None:
        instrument_names = {trade.instrument.name for trade in trades}
        for channel in self._by_account[account_number]:
            if isinstance(channel, PortfolioChannel):
                channel.on_positions(instrument_names)
            elif isinstance(channel, TradeHistoryChannel):
                channel.on_trades(trades)

    def _on_public_trades(self, instrument_name: str, trades: list[PublicTrade]) -> None:
        self._factory.tapes[instrument_name].trades.extend(trades)
        for channel in self._tapes[instrument_name]:
            channel.on_trades(trades)
        for book in self._books[instrument_name]:
            for trade in trades:
                book.on_trade(trade)
            if not self._engine.markets[instrument_name].book.has_changes:
                book.changed()
