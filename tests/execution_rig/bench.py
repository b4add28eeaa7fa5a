"""One execution core, the segments that it reads and writes, and a clock moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import structlog

from actors.execution.books import read_told_fills
from actors.execution.core import ExecutionCore
from actors.execution.ports import Measures, Ports, Shared
from domain import records
from domain.clock import NS_PER_MS, NS_PER_S, SimClock
from domain.codes import OffReason, SegmentKind
from domain.instrument import Instrument
from domain.order import Side, TradingState
from shm.record import TableReader, TableWriter
from shm.ring import RingReader, RingWriter
from shm.segment import create_segment, open_segment
from tests.execution_rig.gateway import LABEL, FakeGateway
from tests.execution_rig.meters import Bell, Counts, Durations
from tests.model_quotes import without_our_number
from tests.model_venue import INSTRUMENT, Rejection
from trading.orders.config import ExecutionConfig

SESSION = "bench"  # its orders bear LABEL
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


class Bench:
    """One core and everything around it. `start` gives it a session with the venue and waits until it has recovered."""

    def __init__(
        self,
        segment_name: Callable[[], str],
        run_dir: Path,
        config: ExecutionConfig | None = None,
        *,
        gateway_type: type[FakeGateway] = FakeGateway,
        instruments: Sequence[Instrument] = (INSTRUMENT,),
    ) -> None:
        self.traded = tuple(instruments)
        self.clock = SimClock(START_NS, 1_700_000_000 * NS_PER_S)
        self.gateway = gateway_type(self.clock)
        self.venue = self.gateway.venue
        self.venue.time_ns = self.clock.realtime_ns()
        self.config = config or ExecutionConfig()
        self.run_dir = run_dir
        self.names = {name: segment_name() for name in (*_TABLES, "order_events")}
        for name, record in _TABLES.items():
            create_segment(self.names[name], SegmentKind.TABLE, record, len(self.traded))
        create_segment(self.names["order_events"], SegmentKind.RING, records.ORDER_EVENT, 1024)
        self.wishes, self.limits = self._writer("wishes"), self._writer("limits")
        self.instruments = self._writer("instruments")
        for row, instrument in enumerate(self.traded):
            self.write_instrument(instrument, row=row)
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

    def write_instrument(self, instrument: Instrument, off: OffReason = OffReason.QUOTED, row: int = 0) -> None:
        """Write the row of the instruments table as market_data does."""
        scratch = self.instruments.scratch
        scratch["name"], scratch["kind"] = instrument.name.encode(), instrument.kind
        scratch["tick_size"], scratch["lot_size"] = float(instrument.tick_size), float(instrument.lot_size)
        scratch["contract_multiplier"] = float(instrument.contract_multiplier)
        scratch["order_lots_min"] = instrument.order_lots_min
        scratch["is_ready"], scratch["off_reason"] = off is OffReason.QUOTED, off
        self.instruments.publish(row)

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
        for row in range(len(self.traded)):
            self.limits.publish(row)

    def position_told(self) -> int:
        """Return the position that execution has told strategy, lots."""
        return int(self.account.ints[_POSITION]) if self.account.load(0) else 0

    def wish(
        self, bids: Ladder, asks: Ladder, *, epoch: int = 1, bid_off: int = 0, ask_off: int = 0, row: int = 0
    ) -> None:
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
        self.wishes.publish(row)

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
            (self.bell,) * len(self.traded),
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
            tuple(instrument.name for instrument in self.traded),
            ("strategy",) * len(self.traded),
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
            {instrument.name: instrument for instrument in self.traded},
            quote_gateway=self.gateway,
            conditional_gateway=self.gateway,
            told=told,
        )

    def check_tasks(self) -> None:
        """Raise what a task died of, as the runtime would."""
        for task in self.tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error
