"""The exchange as a whole, without any wire: markets, accounts, the second's tick, transactions.

A transaction is whatever one request or one step of the flow causes. `commit` ends it: every listener is
told once, with all its events in order. Gateways call `market(...).insert` and so on, then `commit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

from exchange.core.accounts import Account
from exchange.core.book import Change
from exchange.core.bots.desk import BotDesk
from exchange.core.candles import Candles
from exchange.core.combinations import CombinationDesk
from exchange.core.conditional import ConditionalDesk
from exchange.core.contracts import CONTRACTS
from exchange.core.derived_marks import OptionMark, RollMark
from exchange.core.events import Event, InstrumentAdded, Listener
from exchange.core.execution import Fees, FillBooker
from exchange.core.ids import Ids
from exchange.core.inbox import Inbox
from exchange.core.instrument import Instrument, InstrumentType, future_name
from exchange.core.limits import Gate, Limits
from exchange.core.listing import Listing
from exchange.core.margin import MarginDesk, MarginParameters
from exchange.core.market import Market
from exchange.core.marks import Mark, MarkParameters
from exchange.core.orders import DeleteReason, Order, OrderRejected, OrderUpdate, Reject
from exchange.core.quotes import QuoteDesk
from exchange.core.rfqs import RfqDesk
from exchange.core.scheduler import NS_PER_S, Scheduler
from exchange.core.settlement import SettlementDesk
from exchange.core.transfers import TransferDesk

IndexSource = Callable[[], Decimal | None]


class Engine:
    """Owns the core. `speed` is market time over real time: it drives funding and the mark's average."""

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        fees: Fees | None = None,
        marks: MarkParameters | None = None,
        speed: float = 1.0,
        margin: MarginParameters | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.scheduler = scheduler
        self.markets: dict[str, Market] = {}
        self.accounts: dict[str, Account] = {}
        self.speed = speed
        self.index_prices: dict[str, Decimal] = {}
        self.previous_settlement_prices: dict[str, Decimal] = {}
        self.index_time_ns = 0
        self._marks = marks or MarkParameters()
        self.fees = fees or Fees()
        self.booker = FillBooker(self.fees)
        self.ids = Ids()
        self._events: list[Event] = []
        self._touched: dict[str, Market] = {}
        self._listeners: list[Listener] = []
        self._index_sources: dict[str, IndexSource] = {}
        self.index_history: dict[str, Candles] = {}
        self.settlement = SettlementDesk(self)
        self.listing: Listing | None = None  # lists what is missing after each settlement
        self.margin = MarginDesk(self, margin or MarginParameters())
        self._gate = Gate(self, limits or Limits())
        self.quotes = QuoteDesk(self)
        self.conditionals = ConditionalDesk(self)
        self.combinations = CombinationDesk(self)
        self.rfqs = RfqDesk(self)
        self.bots = BotDesk(self)
        self.inbox = Inbox(self)
        self.transfers = TransferDesk(self)

    # -- building ------------------------------------------------------------------------------

    def add_market(self, instrument: Instrument) -> Market:
        mark = self._make_mark(instrument)
        market = Market(
            instrument,
            mark,
            self.ids,
            self.booker,
            self._events,
            self.scheduler.realtime_ns,
            self._gate.check,
            self._touched,
        )
        self.markets[instrument.name] = market
        index_price = self.index_prices.get(instrument.underlying)
        if index_price is not None:
            mark.update(market.book, index_price, 0.0, self.scheduler.realtime_ns())
        self.note(InstrumentAdded(instrument))
        return market

    def _make_mark(self, instrument: Instrument) -> Mark:
        marks = replace(self._marks, depth_amount=CONTRACTS[instrument.underlying].mark_depth_amount)
        if instrument.type is InstrumentType.OPTION:
            future = future_name(instrument.underlying.removesuffix("USD"), instrument.expiry)
            return OptionMark(instrument, marks, self.markets[future].mark)
        if instrument.type is InstrumentType.COMBINATION:
            far, near = (self.markets[leg.instrument_name].mark for leg in instrument.legs)
            return RollMark(instrument, marks, far, near)
        return Mark(instrument, marks)

    def add_account(self, number: str, cash: Decimal) -> Account:
        account = self.accounts[number] = Account(number, cash)
        return account

    def add_listener(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def set_index_source(self, underlying: str, source: IndexSource) -> None:
        """Let `source` say the index of `underlying` each second; None means that there is none yet."""
        self._index_sources[underlying] = source

    def start(self) -> None:
        """Set index and marks for the first time and then once a second of market time."""
        self.tick(0.0)
        self._schedule_second()

    # -- transactions --------------------------------------------------------------------------

    def market(self, name: str) -> Market:
        market = self.markets.get(name)
        if market is None:
            raise OrderRejected(Reject.UNKNOWN_INSTRUMENT, f"{name[:80]!r}")
        return market

    def cancel_orders(self, orders: list[Order], reason: DeleteReason) -> list[OrderUpdate]:
        """Cancel those of `orders` that are still working."""
        return [self.markets[order.instrument.name].cancel(order, reason) for order in orders if order.is_open]

    def commit(self) -> None:
        """End the transaction: let the venue react to it, then tell every listener, events first, then books."""
        self._react()
        if self._events:
            events = self._events.copy()
            self._events.clear()
            for listener in self._listeners:
                listener.on_events(events)
        while self._touched:
            market = self._touched.pop(next(iter(self._touched)))
            changes: list[Change] = market.book.drain_changes()
            for listener in self._listeners:
                listener.on_book(market.instrument, changes)

    def note(self, event: Event) -> None:
        """Add an event to this transaction."""
        self._events.append(event)

    def note_all(self, events: Iterable[Event]) -> None:
        self._events.extend(events)

    def _react(self) -> None:
        """Let protection and conditional orders act on the events, and on those that they cause."""
        seen = 0
        while seen < len(self._events):
            fresh = self._events[seen:]
            seen = len(self._events)
            self.quotes.on_events(fresh)
            self.conditionals.on_events(fresh)
            self.bots.on_events(fresh)

    # -- time ----------------------------------------------------------------------------------

    def tick(self, elapsed_s: float) -> None:
        """Update index, marks and funding; settle when the day's 08:00 UTC has passed."""
        now_ns = self.scheduler.realtime_ns()
        for underlying, source in self._index_sources.items():
            price = source()
            if price is not None:
                self.index_prices[underlying] = price
                self.previous_settlement_prices.setdefault(underlying, price)
        self.index_time_ns = now_ns
        for market in self.markets.values():
            index_price = self.index_prices.get(market.instrument.underlying)
            if index_price is not None:
                market.mark.update(market.book, index_price, elapsed_s, now_ns)
        self._record(now_ns)
        self.settlement.on_second(now_ns)
        self.margin.on_second()
        self.conditionals.on_second()
        self.bots.on_second()
        self.commit()
        self.publish_marks()

    def publish_marks(self) -> None:
        """Let listeners tell everybody of index and marks now."""
        for listener in self._listeners:
            listener.on_second()

    def settle(self) -> None:
        """Settle now, whatever the time."""
        self.settlement.settle(self.scheduler.realtime_ns())

    def move_clock(self, duration_s: float) -> None:
        """Let market time jump ahead: funding accrues, and each 08:00 UTC on the way settles the day."""
        left_ns = round(duration_s * NS_PER_S)
        while left_ns > 0:
            to_settlement_ns = self.settlement.next_s * NS_PER_S - self.scheduler.realtime_ns()
            step_ns = min(left_ns, max(1, to_settlement_ns))
            self.scheduler.move(step_ns)
            self.tick(step_ns / NS_PER_S)
            left_ns -= step_ns

    def equity(self, account: Account) -> Decimal:
        """Return cash + realised + unrealised + funding of the session, exactly."""
        total = account.cash + account.session_realised_pnl
        for name, position in account.positions.items():
            mark = self.markets[name].mark
            total += position.unrealised_pnl(mark.mark_price) + position.unrealised_funding(mark.funding_mark)
        return total

    def _record(self, now_ns: int) -> None:
        for underlying, price in self.index_prices.items():
            self.index_history.setdefault(underlying, Candles()).add(now_ns, price)
        for market in self.markets.values():
            market.record(now_ns)

    def _schedule_second(self) -> None:
        period_ns = round(NS_PER_S / self.speed)
        started_ns = self.scheduler.monotonic_ns()

        def on_second() -> None:
            elapsed_ns = self.scheduler.monotonic_ns() - started_ns
            self.tick(elapsed_ns * self.speed / NS_PER_S)
            self._schedule_second()

        self.scheduler.call_at(started_ns + period_ns, on_second)
