"""Makes channels from their names: which exist, what each shows and how it is built."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from exchange.core.accounts import Account
from exchange.core.combinations import Combination
from exchange.core.engine import Engine
from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.orders import Order
from exchange.core.units import Grid
from exchange.gateways.thalex import channel_names as names
from exchange.gateways.thalex import combination_channels, market_payloads
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
from exchange.gateways.thalex.combination_channels import (
    CombinationBookChannel,
    CombinationTickerChannel,
    parse_combination,
)
from exchange.gateways.thalex.inbox_channel import InboxChannel
from exchange.gateways.thalex.market_channels import (
    BannersChannel,
    IndexChannel,
    InstrumentsChannel,
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
from exchange.gateways.thalex.rfq_channels import (
    AccountRfqsChannel,
    QuotableRfqsChannel,
    RfqHistoryChannel,
    RfqQuotesChannel,
    TradedRfqsChannel,
)

TYPES_OF_CATEGORY: dict[str, tuple[InstrumentType, ...]] = {
    "all": tuple(InstrumentType),
    "futures": (InstrumentType.PERPETUAL, InstrumentType.FUTURE),
    "future_rolls": (InstrumentType.COMBINATION,),
    "options": (InstrumentType.OPTION,),
}


MakePrivate = Callable[[str, Engine, Account, str], Channel]  # of the name, for an account and a session id


class ChannelFactory:
    """Keeps the tapes, for a new tape channel starts with what was traded before anybody listened."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.tapes: dict[str, Tape] = defaultdict(Tape)

    # -- public --------------------------------------------------------------------------------

    def public(self, name: str) -> Channel | None:
        """Return a new channel of that name, or None when there can be none."""
        match names.parse(name):
            case names.TickerName() as parsed:
                return self._ticker(name, parsed)
            case names.BookName() as parsed:
                return self._book(name, parsed)
            case names.TapeName() as parsed:
                return self._tape(name, parsed)
            case names.IndexName(underlying):
                return IndexChannel(name, self._engine, underlying) if self._is_underlying(underlying) else None
            case names.PlainName(plain):
                return self._plain(name, plain)
            case names.InstrumentsName() | names.LightTickersName() as parsed:
                return self._list(name, parsed)
            case names.UnderlyingName(kind, underlying):
                return self._secondly(name, kind, underlying)
            case names.BasePriceName() as parsed:
                return self._base_price(name, parsed)
        return None

    def _plain(self, name: str, plain: str) -> Channel:
        if plain == "instruments":
            return InstrumentsChannel(name, self._engine, lambda _: True)
        if plain == "rfqs":
            return TradedRfqsChannel(name, self._engine)
        return BannersChannel(name) if plain == "banners" else Channel(name)

    def _list(self, name: str, parsed: names.InstrumentsName | names.LightTickersName) -> Channel | None:
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

    def _secondly(self, name: str, kind: str, underlying: str) -> Channel | None:
        if not self._is_underlying(underlying):
            return None
        engine = self._engine
        build = underlying_statistics if kind == "underlying_statistics" else index_components
        return SecondlyChannel(name, lambda: build(engine, underlying))

    def _base_price(self, name: str, parsed: names.BasePriceName) -> Channel | None:
        engine = self._engine
        for market in engine.markets.values():
            instrument = market.instrument
            wanted = (instrument.underlying, instrument.expiry_date) == (parsed.underlying, parsed.expiry_date)
            if wanted and instrument.type is InstrumentType.FUTURE:
                return SecondlyChannel(name, lambda of=market: base_price(engine, of))  # type: ignore[misc]
        return None

    def _is_underlying(self, name: str) -> bool:
        return any(market.instrument.underlying == name for market in self._engine.markets.values())

    def _ticker(self, name: str, parsed: names.TickerName) -> Channel | None:
        market = self._engine.markets.get(parsed.instrument_name)
        if market is None:
            return self._combination_ticker(name, parsed)
        engine, of = self._engine, market

        def build_full() -> dict[str, object]:
            return market_payloads.ticker(engine, of)

        def build_light() -> dict[str, object]:
            return market_payloads.light_ticker(of)

        build = build_light if parsed.is_light else build_full
        return TickerChannel(name, engine.scheduler, parsed.delay_ns, market, build)

    def _book(self, name: str, parsed: names.BookName) -> Channel | None:
        scheduler = self._engine.scheduler
        shown = self._engine.markets.get(parsed.instrument_name) or parse_combination(
            self._engine, parsed.instrument_name
        )
        group_ticks = _group_ticks(shown.instrument.grid, parsed) if shown else None
        if shown is None or group_ticks is None:
            return None
        delay_ns, levels_max = parsed.delay_ns, parsed.levels_max
        if isinstance(shown, Combination):
            return CombinationBookChannel(
                name, scheduler, delay_ns, shown, group_ticks=group_ticks, levels_max=levels_max
            )
        return BookChannel(name, scheduler, delay_ns, shown, group_ticks=group_ticks, levels_max=levels_max)

    def _combination_ticker(self, name: str, parsed: names.TickerName) -> Channel | None:
        combination = parse_combination(self._engine, parsed.instrument_name)
        if combination is None:
            return None
        describe = combination_channels.light_ticker if parsed.is_light else combination_channels.ticker
        return CombinationTickerChannel(name, self._engine.scheduler, parsed.delay_ns, combination, describe)

    def _tape(self, name: str, parsed: names.TapeName) -> Channel | None:
        instruments = [market.instrument for market in self._engine.markets.values()]
        if parsed.category == "single":
            targets = [i for i in instruments if parsed.target == i.name]
        else:
            types = TYPES_OF_CATEGORY[parsed.category]
            targets = [i for i in instruments if parsed.target == i.underlying and i.type in types]
        if not targets:
            return None
        return TapeChannel(name, {instrument.name: self.tapes[instrument.name] for instrument in targets})

    # -- private -------------------------------------------------------------------------------

    def private(self, name: str, account: Account, session_id: str) -> Channel:
        """Return a new channel of an account or a session; `name` is one of `channel_names.PRIVATE`."""
        return PRIVATE_CHANNELS[name](name, self._engine, account, session_id)


def _orders(selects: Callable[[Order, str], bool]) -> MakePrivate:
    """Return how to make a channel of those orders that a filter of order and session selects."""
    return lambda name, engine, account, session_id: OrdersChannel(
        name, account, lambda order: selects(order, session_id)
    )


def _of_account(kind: Callable[[str, Engine, Account], Channel]) -> MakePrivate:
    return lambda name, engine, account, session_id: kind(name, engine, account)


PRIVATE_CHANNELS: dict[str, MakePrivate] = {
    "session.orders": _orders(lambda order, session_id: order.session_id == session_id),
    "account.orders": _orders(lambda order, session_id: True),
    "account.persistent_orders": _orders(lambda order, session_id: order.persistent),
    "session.mm_protection": lambda name, engine, account, session_id: ProtectionChannel(name, session_id),
    "account.portfolio": _of_account(PortfolioChannel),
    "account.summary": _of_account(SummaryChannel),
    "account.trade_history": lambda name, engine, account, session_id: TradeHistoryChannel(name, engine.scheduler),
    "account.order_history": lambda name, engine, account, session_id: OrderHistoryChannel(name),
    "account.conditional_orders": _of_account(ConditionalOrdersChannel),
    "account.bots": _of_account(BotsChannel),
    "account.rfqs": _of_account(AccountRfqsChannel),
    "account.rfq_history": _of_account(RfqHistoryChannel),
    "mm.rfqs": _of_account(QuotableRfqsChannel),
    "mm.rfq_quotes": _of_account(RfqQuotesChannel),
    "user.inbox_notifications": lambda name, engine, account, session_id: InboxChannel(name, account),
}
assert set(PRIVATE_CHANNELS) == names.PRIVATE


def _group_ticks(grid: Grid, parsed: names.BookName) -> int | None:
    """Return the step of a grouped book in ticks; None when it is no multiple of a tick."""
    if parsed.grouping is None:
        return 1
    if not parsed.grouping.is_finite() or parsed.grouping <= 0:
        return None
    return grid.ticks(parsed.grouping)
