"""All live channels: makes them on demand, feeds them from the core's transactions, drops the idle."""

from __future__ import annotations

from collections import defaultdict

from exchange.core.accounts import Account, Trade
from exchange.core.book import Change
from exchange.core.engine import Engine
from exchange.core.events import (
    AccountTrade,
    ConditionalsChanged,
    Event,
    InstrumentAdded,
    InstrumentRemoved,
    ProtectionChanged,
    PublicTrade,
    Settled,
)
from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.market import Market
from exchange.core.orders import OrderUpdate
from exchange.gateways.thalex import channel_names as names
from exchange.gateways.thalex import market_payloads, payloads, wire
from exchange.gateways.thalex.account_channels import (
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
from exchange.gateways.thalex.market_channels import (
    IndexChannel,
    InstrumentsChannel,
    ListChannel,
    Tape,
    TapeChannel,
    TickerChannel,
)
from exchange.gateways.thalex.overview_channels import (
    LightTickersChannel,
    SecondlyChannel,
    base_price,
    index_components,
    underlying_statistics,
)

TYPES_OF_CATEGORY: dict[str, tuple[InstrumentType, ...]] = {
    "all": tuple(InstrumentType),
    "futures": (InstrumentType.PERPETUAL, InstrumentType.FUTURE),
    "future_rolls": (InstrumentType.COMBINATION,),
    "options": (InstrumentType.OPTION,),
}

Key = tuple[str, str]  # (owner, channel name); the owner is "" for public, else an account or a session


class Hub:
    """The engine's listener for this protocol."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._channels: dict[Key, Channel] = {}
        self._books: dict[str, list[BookChannel]] = defaultdict(list)
        self._tickers: dict[str, list[TickerChannel]] = defaultdict(list)
        self._by_account: dict[str, list[Channel]] = defaultdict(list)
        self._tapes: dict[str, Tape] = defaultdict(Tape)
        self._tape_channels: dict[str, list[TapeChannel]] = defaultdict(list)

    # -- opening and closing -------------------------------------------------------------------

    def public_channel(self, name: str) -> Channel | None:
        """Return the channel of that name, made if need be; None when no such channel can be."""
        return self._channels.get(("", name)) or self._make_public(name)

    def private_channel(self, name: str, account: Account, session_id: str) -> Channel | None:
        owner = session_id if name.startswith("session.") else account.number
        channel = self._channels.get((owner, name))
        if channel is None and name in names.PRIVATE:
            channel = self._make_private(name, account, session_id)
            self._channels[owner, name] = channel
            self._by_account[account.number].append(channel)
        return channel

    def release(self, channel: Channel) -> None:
        """Forget a channel if nobody listens to it any more."""
        if not channel.is_idle:
            return
        channel.close()
        self._channels = {key: kept for key, kept in self._channels.items() if kept is not channel}
        for groups in (self._books, self._tickers, self._by_account, self._tape_channels):
            for group in groups.values():
                if channel in group:
                    group.remove(channel)  # type: ignore[arg-type]

    def _make_public(self, name: str) -> Channel | None:
        channel: Channel | None = None
        match names.parse(name):
            case names.TickerName() as parsed:
                channel = self._make_ticker(name, parsed)
            case names.BookName() as parsed:
                channel = self._make_book(name, parsed)
            case names.TapeName() as parsed:
                channel = self._make_tape(name, parsed)
            case names.IndexName(underlying):
                if self._is_underlying(underlying):
                    channel = IndexChannel(name, self._engine, underlying)
            case names.PlainName(plain):
                channel = self._make_plain(name, plain)
            case names.InstrumentsName() | names.LightTickersName() as parsed:
                channel = self._make_list(name, parsed)
            case names.UnderlyingName(kind, underlying):
                channel = self._make_secondly(name, kind, underlying)
            case names.BasePriceName() as parsed:
                channel = self._make_base_price(name, parsed)
        if channel is not None:
            self._channels["", name] = channel
        return channel

    def _make_plain(self, name: str, plain: str) -> Channel:
        if plain == "instruments":
            return InstrumentsChannel(name, self._engine, lambda _: True)
        return ListChannel(name, is_stateful=plain == "rfqs") if plain in ("banners", "rfqs") else Channel(name)

    def _make_list(self, name: str, parsed: names.InstrumentsName | names.LightTickersName) -> Channel | None:
        if not self._is_underlying(parsed.underlying) and parsed.underlying != "all":
            return None
        category = parsed.category if isinstance(parsed, names.InstrumentsName) else parsed.kind
        expiry_date = None if parsed.expiry_date == "all" else parsed.expiry_date
        types = TYPES_OF_CATEGORY[category]

        def selects(instrument: Instrument) -> bool:
            if parsed.underlying not in ("all", instrument.underlying) or instrument.type not in types:
                return False
            return expiry_date in (None, instrument.expiry_date)

        if isinstance(parsed, names.InstrumentsName):
            return InstrumentsChannel(name, self._engine, selects)
        return LightTickersChannel(name, self._engine, parsed.delay_ns, selects)

    def _make_secondly(self, name: str, kind: str, underlying: str) -> Channel | None:
        if not self._is_underlying(underlying):
            return None
        engine = self._engine
        build = underlying_statistics if kind == "underlying_statistics" else index_components
        return SecondlyChannel(name, lambda: build(engine, underlying))

    def _make_base_price(self, name: str, parsed: names.BasePriceName) -> Channel | None:
        engine = self._engine
        for market in engine.markets.values():
            instrument = market.instrument
            wanted = (instrument.underlying, instrument.expiry_date) == (parsed.underlying, parsed.expiry_date)
            if wanted and instrument.type is InstrumentType.FUTURE:
                return SecondlyChannel(name, lambda of=market: base_price(engine, of))  # type: ignore[misc]
        return None

    def _is_underlying(self, name: str) -> bool:
        return any(market.instrument.underlying == name for market in self._engine.markets.values())

    def _make_ticker(self, name: str, parsed: names.TickerName) -> Channel | None:
        market = self._engine.markets.get(parsed.instrument_name)
        if market is None:
            return None
        engine, of = self._engine, market

        def build_full() -> dict[str, object]:
            return market_payloads.ticker(engine, of)

        def build_light() -> dict[str, object]:
            return market_payloads.light_ticker(of)

        build = build_light if parsed.is_light else build_full
        channel = TickerChannel(name, engine.scheduler, parsed.delay_ns, market, build)
        self._tickers[market.instrument.name].append(channel)
        return channel

    def _make_book(self, name: str, parsed: names.BookName) -> Channel | None:
        market = self._engine.markets.get(parsed.instrument_name)
        group_ticks = self._group_ticks(market, parsed) if market else None
        if market is None or group_ticks is None:
            return None
        channel = BookChannel(
            name,
            self._engine.scheduler,
            parsed.delay_ns,
            market,
            group_ticks=group_ticks,
            levels_max=parsed.levels_max,
        )
        self._books[market.instrument.name].append(channel)
        return channel

    @staticmethod
    def _group_ticks(market: Market, parsed: names.BookName) -> int | None:
        if parsed.grouping is None:
            return 1
        if not parsed.grouping.is_finite() or parsed.grouping <= 0:
            return None
        return market.instrument.grid.ticks(parsed.grouping)

    def _make_tape(self, name: str, parsed: names.TapeName) -> Channel | None:
        instruments = [market.instrument for market in self._engine.markets.values()]
        if parsed.category == "single":
            targets = [i for i in instruments if parsed.target == i.name]
        else:
            types = TYPES_OF_CATEGORY[parsed.category]
            targets = [i for i in instruments if parsed.target == i.underlying and i.type in types]
        if not targets:
            return None
        channel = TapeChannel(name, [self._tapes[instrument.name] for instrument in targets])
        for instrument in targets:
            self._tape_channels[instrument.name].append(channel)
        return channel

    def _make_private(self, name: str, account: Account, session_id: str) -> Channel:
        if name == "session.orders":
            return OrdersChannel(name, account, lambda order: order.session_id == session_id)
        if name == "session.mm_protection":
            return ProtectionChannel(name, session_id)
        if name == "account.orders":
            return OrdersChannel(name, account, lambda order: True)
        if name == "account.persistent_orders":
            return OrdersChannel(name, account, lambda order: order.persistent)
        if name == "account.portfolio":
            return PortfolioChannel(name, self._engine, account)
        if name == "account.summary":
            return SummaryChannel(name, self._engine, account)
        if name == "account.trade_history":
            return TradeHistoryChannel(name, self._engine.scheduler)
        if name == "account.order_history":
            return OrderHistoryChannel(name)
        assert name == "account.conditional_orders", name
        return ConditionalOrdersChannel(name, self._engine, account)

    # -- feeding -------------------------------------------------------------------------------

    def on_events(self, events: list[Event]) -> None:
        updates: dict[str, list[OrderUpdate]] = {}
        account_trades: dict[str, list[Trade]] = {}
        public_trades: dict[str, list[PublicTrade]] = {}
        conditionals: dict[str, None] = {}
        for event in events:
            match event:
                case PublicTrade():
                    public_trades.setdefault(event.instrument.name, []).append(event)
                case AccountTrade(account, trade):
                    account_trades.setdefault(account.number, []).append(trade)
                case InstrumentAdded() | InstrumentRemoved():
                    self._on_instrument(event)
                case Settled():
                    self._on_settled()
                case ProtectionChanged():
                    self._on_protection(event)
                case ConditionalsChanged(account):
                    conditionals[account.number] = None
                case OrderUpdate() if event.order.account is not None:
                    updates.setdefault(event.order.account.number, []).append(event)
        for number, account_updates in updates.items():
            self._on_updates(number, account_updates)
        for number, trades in account_trades.items():
            self._on_account_trades(number, trades)
        for name, prints in public_trades.items():
            self._on_public_trades(name, prints)
        for number in conditionals:
            for channel in self._by_account[number]:
                if isinstance(channel, ConditionalOrdersChannel):
                    channel.on_change()

    def on_book(self, instrument: Instrument, changes: list[Change]) -> None:
        for book in self._books[instrument.name]:
            book.on_book(changes)
        for ticker in self._tickers[instrument.name]:
            ticker.refresh()

    def on_second(self) -> None:
        for tickers in self._tickers.values():
            for ticker in tickers:
                ticker.refresh()
        for channel in list(self._channels.values()):
            if isinstance(channel, IndexChannel | PortfolioChannel | SummaryChannel | SecondlyChannel):
                channel.on_second()
            elif isinstance(channel, LightTickersChannel):
                channel.refresh()

    def _on_updates(self, account_number: str, updates: list[OrderUpdate]) -> None:
        encoded: list[tuple[OrderUpdate, bytes]] = []
        for channel in self._by_account[account_number]:
            if isinstance(channel, OrdersChannel):
                encoded = encoded or [(u, wire.encode(payloads.order_status(u))) for u in updates]
                channel.on_updates(encoded)
            elif isinstance(channel, OrderHistoryChannel):
                channel.on_updates(updates)

    def _on_instrument(self, event: InstrumentAdded | InstrumentRemoved) -> None:
        word = "added" if isinstance(event, InstrumentAdded) else "removed"
        for channel in self._channels.values():
            if isinstance(channel, InstrumentsChannel):
                channel.on_change(word, event.instrument)

    def _on_settled(self) -> None:
        """Every position has a new start price."""
        for channel in list(self._channels.values()):
            if isinstance(channel, PortfolioChannel):
                channel.on_settled()

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
        self._tapes[instrument_name].trades.extend(trades)
        for channel in self._tape_channels[instrument_name]:
            channel.on_trades(trades)
        for book in self._books[instrument_name]:
            for trade in trades:
                book.on_trade(trade)
            if not self._engine.markets[instrument_name].book.has_changes:
                book.changed()
