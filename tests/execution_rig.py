"""Execution's core on a test rig: real shared memory, a model venue behind a fake gateway, a clock moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import structlog

from actors.execution.books import read_told_fills
from actors.execution.core import ExecutionCore
from actors.execution.ports import Measures, Ports, Shared
from domain import records
from domain.clock import NS_PER_MS, NS_PER_S, SimClock
from domain.codes import OffReason, SegmentKind
from domain.errors import ConnectivityError, VenueError
from domain.instrument import Instrument
from domain.order import Side, TimeInForce, TradingState
from domain.reports import OrderReport, PositionReport, SettlementReport, TradeReport
from shm.record import TableReader, TableWriter
from shm.ring import RingReader, RingWriter
from shm.segment import create_segment, open_segment
from tests.model_quotes import ModelQuotes, without_our_number
from tests.model_venue import INSTRUMENT, ModelVenue, Rejection, Request
from trading.orders.config import ExecutionConfig
from venues.conditional import ConditionalOrderReport, NewConditionalOrder
from venues.gateway import NewOrder
from venues.quoting import MassQuote

SESSION = "bench"
LABEL = "rm-bench"
START_NS = 1_000 * NS_PER_S
Ladder = list[tuple[int, int]]
_POSITION = records.ACCOUNT.word("position_lots")
_TABLES = {
    "instruments": records.INSTRUMENT,
    "wishes": records.WISH,
    "limits": records.LIMITS,
    "book_table": records.BOOK,
    "accounts": records.ACCOUNT,
    "heartbeats.strategy": records.HEARTBEAT,
    "heartbeats.market_data": records.HEARTBEAT,
    "heartbeats.risk": records.HEARTBEAT,
}


class Durations(list[int]):
    """A histogram that keeps everything."""

    def record(self, duration_ns: int) -> None:
        self.append(duration_ns)


class Counts:
    def __init__(self) -> None:
        self.by_name: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        self.by_name[name] = self.by_name.get(name, 0) + count

    def values(self) -> dict[str, int]:
        return dict(self.by_name)


class Bell:
    def __init__(self) -> None:
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1


class FakeGateway:
    """An `OrderGateway` in front of a model venue. What was sent reaches it at `pump`."""

    def __init__(self, clock: SimClock) -> None:
        self.venue = ModelVenue()
        self.quotes = ModelQuotes(self.venue)
        self.clock = clock
        self.is_ready = True
        self.message_rate = 50
        self.sent: list[tuple[Any, ...]] = []
        self.history_lag = 0  # newest trades that the history does not show yet
        self.kept_alive_ns = 0
        self.protection_error: VenueError | None = None
        self.conditional: list[ConditionalOrderReport] = []
        self.loses_answers = False  # of requests about conditional orders
        self.start_position = self.start_average = Decimal(0)
        self.mark_price = INSTRUMENT.price(200)
        self.unrealised_funding = Decimal(0)
        self.paid: list[SettlementReport] = []  # at daily settlements
        self.asked_settlements: list[int] = []  # from when on, each time
        self.settlements_error: VenueError | None = None
        self.listed = {INSTRUMENT.name: INSTRUMENT}

    def start(self) -> None: ...

    async def close(self) -> None: ...

    def keep_alive(self, now_ns: int) -> None:
        self.kept_alive_ns = now_ns

    def insert(self, order: NewOrder) -> int:
        self._need_connection()
        assert order.price is not None
        price_ticks, size_lots = INSTRUMENT.price_ticks(order.price), INSTRUMENT.size_lots(order.size)
        self.sent.append(("insert", order.side, price_ticks, size_lots, order))
        is_immediate = order.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL
        self.venue.inbox.append(
            Request("insert", order.client_order_id, order.side, price_ticks, size_lots, order.label, is_immediate)
        )
        return self.clock.monotonic_ns()

    def amend(self, client_order_id: int, price: Decimal, size: Decimal) -> int:
        self._need_connection()
        terms = INSTRUMENT.price_ticks(price), INSTRUMENT.size_lots(size)
        self.sent.append(("amend", client_order_id, *terms))
        self.venue.inbox.append(Request("amend", client_order_id, Side.BUY, *terms))
        return self.clock.monotonic_ns()

    def cancel(self, client_order_id: int) -> int:
        self._need_connection()
        self.sent.append(("cancel", client_order_id))
        self.venue.inbox.append(Request("cancel", client_order_id))
        return self.clock.monotonic_ns()

    def cancel_order(self, venue_order_id: str) -> int:
        self._need_connection()
        self.sent.append(("cancel_order", venue_order_id))
        for order in self.venue.open:
            if order.venue_order_id == venue_order_id:
                self.venue.cancel_by_itself(order)
        return self.clock.monotonic_ns()

    # ---- conditional orders --------------------------------------------------------------------------

    async def create_conditional_order(self, order: NewConditionalOrder) -> ConditionalOrderReport:
        self._need_connection()
        self.sent.append(("create_stop", order))
        report = ConditionalOrderReport(
            f"c{len(self.conditional)}", order.instrument_name, order.side, order.size, order.stop_price, None, None,
            order.callback_rate, order.target, "active", order.reduce_only, order.label, "",
        )  # fmt: skip
        self.conditional.append(report)
        if self.loses_answers:
            raise ConnectivityError("no answer to private/create_conditional_order")
        return report

    async def cancel_conditional_order(self, order_id: str) -> None:
        self._need_connection()
        self.sent.append(("cancel_stop", order_id))
        self.conditional = [
            msgspec.structs.replace(one, status="cancelled") if one.order_id == order_id else one
            for one in self.conditional
        ]

    async def conditional_orders(self) -> list[ConditionalOrderReport]:
        self._need_connection()
        return [one for one in self.conditional if one.is_open]

    # ---- mass quotes ---------------------------------------------------------------------------------

    def product(self, instrument: Instrument) -> str:
        return "F" + instrument.underlying

    def mass_quote(self, quote: MassQuote) -> int:
        self._need_connection()
        self.sent.append(("mass_quote", quote))
        self.quotes.inbox.append(quote)
        return self.clock.monotonic_ns()

    def cancel_mass_quotes(self, product: str) -> int:
        self._need_connection()
        self.sent.append(("cancel_mass_quotes", product))
        while self.quotes.inbox:
            self.quotes.take(self.quotes.inbox.popleft())
        self.quotes.cancel_all()
        return self.clock.monotonic_ns()

    async def set_protection(self, product: str, trade_size: Decimal, quote_size: Decimal) -> None:
        self._need_connection()
        self.sent.append(("set_protection", product, trade_size, quote_size))
        if self.protection_error is not None:
            raise self.protection_error
        self.quotes.is_protected = True

    # --------------------------------------------------------------------------------------------------

    async def cancel_session(self) -> None:
        self._need_connection()
        self.sent.append(("cancel_session",))
        self.quotes.inbox.clear()
        self.quotes.is_protected = False
        while self.venue.inbox:
            self.venue.take_request(refuse=False)
        for order in [order for order in self.venue.open if order.label == LABEL]:
            self.venue.cancel_by_itself(order)

    async def cancel_all(self) -> int:
        raise AssertionError("execution never cancels others' orders")

    async def cancel_all_conditional_orders(self) -> None: ...

    async def open_orders(self) -> list[OrderReport]:
        self._need_connection()
        return [without_our_number(report) for report in self.venue.open_orders()]

    async def positions(self) -> list[PositionReport]:
        self._need_connection()
        return self.position_reports()

    def position_reports(self) -> list[PositionReport]:
        held = self.start_position + INSTRUMENT.size(self.venue.position_lots)
        average, mark = self._average_price(), self.mark_price
        return [PositionReport(INSTRUMENT.name, held, average, mark, Decimal(0), Decimal(0), self.unrealised_funding)]

    def _average_price(self) -> Decimal:
        """Return what the position was bought or sold for; 0 when there is none."""
        held, average = self.start_position, self.start_average
        for trade in self.venue.trades:
            size = trade.size * trade.side
            if held * size >= 0:
                average = (held * average + size * trade.price) / (held + size)
            elif abs(size) > abs(held):
                average = trade.price
            held += size
        return average if held else Decimal(0)

    async def settlements(self, since_realtime_ns: int) -> list[SettlementReport]:
        self._need_connection()
        self.asked_settlements.append(since_realtime_ns)
        if self.settlements_error is not None:
            raise self.settlements_error
        return [report for report in self.paid if report.time_ns >= since_realtime_ns]

    async def trade_history(self, since_realtime_ns: int) -> list[TradeReport]:
        self._need_connection()
        shown = self.venue.trades[: len(self.venue.trades) - self.history_lag]
        return [trade for trade in shown if trade.time_ns >= since_realtime_ns]

    async def instruments(self) -> dict[str, Instrument]:
        return self.listed

    def kinds(self) -> list[str]:
        return [entry[0] for entry in self.sent]

    def _need_connection(self) -> None:
        if not self.is_ready:
            raise ConnectivityError("not connected to the venue")


class Bench:
    """One core and everything around it. `start` gives it a session with the venue and waits until it has recovered."""

    def __init__(
        self,
        segment_name: Callable[[], str],
        run_dir: Path,
        config: ExecutionConfig | None = None,
        *,
        gateway_type: type[FakeGateway] = FakeGateway,
    ) -> None:
        self.clock = SimClock(START_NS, 1_700_000_000 * NS_PER_S)
        self.gateway = gateway_type(self.clock)
        self.venue = self.gateway.venue
        self.venue.time_ns = self.clock.realtime_ns()
        self.config = config or ExecutionConfig()
        self.run_dir = run_dir
        self.names = {name: segment_name() for name in (*_TABLES, "order_events")}
        for name, record in _TABLES.items():
            create_segment(self.names[name], SegmentKind.TABLE, record, 1)
        create_segment(self.names["order_events"], SegmentKind.RING, records.ORDER_EVENT, 1024)
        self.wishes, self.limits = self._writer("wishes"), self._writer("limits")
        self.instruments = self._writer("instruments")
        self.write_instrument(INSTRUMENT)
        self.beats = {name: self._writer(name) for name in _TABLES if name.startswith("heartbeats.")}
        self.account = TableReader(open_segment(self.names["accounts"]))
        self.events = RingReader(open_segment(self.names["order_events"]), "oldest")
        self.silent: set[str] = set()
        self.limits_silent = False
        self.wish_id = 0
        self.epoch = 1
        self.core = self._new_core()

    # ---- life ----------------------------------------------------------------------------------------

    async def start(self) -> None:
        self.beat()
        self.core.on_ready()
        await self.settle()

    async def settle(self, rounds: int = 40) -> None:
        """Let tasks, messages and the duty cycle run until nothing moves any more."""
        for _ in range(rounds):
            self.pump()
            self.core.do_work(self.clock.monotonic_ns())
            await asyncio.sleep(0.002)
            self.clock.advance(NS_PER_MS)
            self.beat()

    async def run_until(self, condition: Callable[[], bool], what: str, limit: int = 2000) -> None:
        for _ in range(limit):
            if condition():
                return
            await self.settle(1)
        raise AssertionError(f"did not come about: {what}")

    async def let_pass(self, duration_ns: int, step_ns: int = 20 * NS_PER_MS) -> None:
        """Let time pass in steps, everybody alive but those in `silent`."""
        end_ns = self.clock.monotonic_ns() + duration_ns
        while self.clock.monotonic_ns() < end_ns:
            self.clock.advance(step_ns)
            self.beat()
            self.core.do_work(self.clock.monotonic_ns())
            self.pump()
            await asyncio.sleep(0)

    def restart_core(self) -> None:
        """As after a kill of the process: the venue has cancelled the session's orders."""
        self.gateway.quotes.inbox.clear()
        self.gateway.quotes.is_protected = False
        self.venue.disconnect(taken=0)
        self.epoch += 1
        self.core = self._new_core()

    def disconnect(self, taken: int = 0) -> None:
        self.gateway.is_ready = False
        self.gateway.quotes.inbox.clear()
        self.gateway.quotes.is_protected = False
        self.venue.disconnect(taken)
        self.core.on_disconnected("test")

    async def reconnect(self) -> None:
        self.gateway.is_ready = True
        self.core.on_ready()
        await self.settle()

    # ---- what others write ---------------------------------------------------------------------------

    def beat(self) -> None:
        now_ns = self.clock.monotonic_ns()
        for name, writer in self.beats.items():
            if name not in self.silent:
                writer.scratch["pid"], writer.scratch["epoch"], writer.scratch["beat_time_ns"] = 1, 1, now_ns
                writer.publish(0)
        if not self.limits_silent:
            self.write_limits()

    def write_instrument(self, instrument: Instrument, off: OffReason = OffReason.QUOTED) -> None:
        """Write the row of the instruments table as market_data does."""
        scratch = self.instruments.scratch
        scratch["name"], scratch["kind"] = instrument.name.encode(), instrument.kind
        scratch["tick_size"], scratch["lot_size"] = float(instrument.tick_size), float(instrument.lot_size)
        scratch["contract_multiplier"] = float(instrument.contract_multiplier)
        scratch["order_lots_min"] = instrument.order_lots_min
        scratch["is_ready"], scratch["off_reason"] = off is OffReason.QUOTED, off
        self.instruments.publish(0)

    def write_limits(self, **changed: float) -> None:
        scratch = self.limits.scratch
        if not scratch["order_lots_max"][0]:
            scratch["state"], scratch["is_position_known"] = TradingState.ACTIVE, 1
            scratch["order_lots_max"], scratch["position_lots_max"], scratch["open_orders_max"] = 100, 100, 50
            scratch["order_rate_max"], scratch["order_notional_max"] = 50, 1e9
            scratch["gross_notional_room"] = scratch["net_long_room"] = scratch["net_short_room"] = 1e9
            scratch["levels_max"], scratch["mark_price"] = records.QUOTE_LEVELS_MAX, 100.0
            scratch["collar_low"], scratch["collar_high"] = 1.0, 1e6
        for name, value in changed.items():
            scratch[name] = value
        scratch["written_time_ns"] = self.clock.monotonic_ns()
        self.limits.publish(0)

    def position_told(self) -> int:
        """Return the position that execution has told strategy, lots."""
        return int(self.account.ints[_POSITION]) if self.account.load(0) else 0

    def wish(self, bids: Ladder, asks: Ladder, *, epoch: int = 1, bid_off: int = 0, ask_off: int = 0) -> None:
        self.wish_id += 1
        now_ns = self.clock.monotonic_ns()
        scratch = self.wishes.scratch
        scratch["wish_id"], scratch["strategy_epoch"] = self.wish_id, epoch
        scratch["source_time_ns"], scratch["computed_time_ns"] = now_ns - 1000, now_ns
        scratch["position_lots"] = self.position_told()
        scratch["bid_off_reason"], scratch["ask_off_reason"] = bid_off, ask_off
        for side, ladder in (("bid", bids), ("ask", asks)):
            scratch[f"{side}_count"] = len(ladder)
            for i, (price, size) in enumerate(ladder):
                scratch[f"{side}_price_ticks"][0, i], scratch[f"{side}_size_lots"][0, i] = price, size
        self.wishes.publish(0)

    def work(self) -> None:
        """One duty cycle, without an answer of the venue."""
        self.core.do_work(self.clock.monotonic_ns())

    def pump(self, *, refuse: bool = False) -> None:
        """Let the venue take what was sent and hear what it says."""
        while self.venue.inbox:
            self.venue.take_request(refuse=refuse)
        answers = []
        while self.gateway.quotes.inbox:
            quote = self.gateway.quotes.inbox.popleft()
            answers.append((quote.quote_id, self.gateway.quotes.take(quote)))
        self.hear()
        for quote_id, failures in answers:
            assert self.core.mass_quotes is not None
            self.core.mass_quotes.on_quoted(quote_id, failures)

    def hear(self) -> None:
        """Tell what the venue says."""
        while self.venue.outbox:
            message = self.venue.outbox.pop(0)
            if isinstance(message, Rejection):
                kind: Any = message.kind
                self.core.on_rejected(kind, message.client_order_id, message.error)
            else:
                self.core.on_orders([without_our_number(message)])

    # ---- what can be seen ----------------------------------------------------------------------------

    def resting(self, side: Side) -> Ladder:
        """Return what is open at the venue on one side, best first."""
        levels = [
            (o.price_ticks, o.size_lots - o.filled_lots) for o in self.venue.open if o.side is side and o.label == LABEL
        ]
        return sorted(levels, reverse=side is Side.BUY)

    def event_kinds(self) -> list[int]:
        return [int(kind) for kind in self.events.to_numpy()["kind"]]

    def fills_told(self) -> list[str]:
        events = self.events.to_numpy()
        return [trade_id.decode() for trade_id in events["trade_id"] if trade_id]

    @property
    def measures(self) -> Any:
        return self._measures

    def _writer(self, name: str) -> TableWriter:
        return TableWriter(open_segment(self.names[name], writable=True))

    def _new_core(self) -> ExecutionCore:
        self._measures = Measures(*(Durations() for _ in range(6)), counts=Counts())  # type: ignore[misc, arg-type]
        self.bell = Bell()
        shared = Shared(
            TableReader(open_segment(self.names["instruments"])),
            TableReader(open_segment(self.names["wishes"])),
            TableReader(open_segment(self.names["limits"])),
            TableReader(open_segment(self.names["book_table"])),
            {name.partition(".")[2]: TableReader(open_segment(self.names[name])) for name in self.beats},
            self._writer("accounts"),
            RingWriter(open_segment(self.names["order_events"], writable=True)),
            (self.bell,),
        )
        self.tasks: set[asyncio.Task[None]] = set()

        def spawn(coroutine: Coroutine[Any, Any, None], name: str) -> None:
            self.tasks.add(asyncio.get_running_loop().create_task(coroutine, name=name))

        log = structlog.get_logger()
        ports = Ports(
            self.clock,
            log,
            self.run_dir,
            SESSION,
            (INSTRUMENT.name,),
            ("strategy",),
            shared,
            self._measures,
            spawn,
            lambda: None,
        )
        told = read_told_fills(RingReader(open_segment(self.names["order_events"]), "oldest"))
        return ExecutionCore(
            self.config,
            ports,
            self.gateway,
            {INSTRUMENT.name: INSTRUMENT},
            quote_gateway=self.gateway,
            conditional_gateway=self.gateway,
            told=told,
        )

    def check_tasks(self) -> None:
        """Raise what a task died of, as the runtime would."""
        for task in self.tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error


__all__ = ["LABEL", "Bench", "Durations", "VenueError"]
