"""market_data, strategy and execution in one process, without sockets, doorbells or sleep: what they compute, alone.

The parts are the real ones on real segments: feed and publisher, StrategyActor, ExecutionActor with its gateway. What
would be a socket is a list of frames, with the probe venue at its other end. Each step is called by hand.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections import deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from actors.execution.actor import ExecutionActor
from actors.market_data.actor import MarketDataActor
from actors.strategy.actor import StrategyActor
from benchmarks.full_system import config_text
from benchmarks.probe_market import ProbeMarket, notification
from benchmarks.probe_orders import ProbeOrders
from benchmarks.probe_venue import ProbeVenue
from domain.codes import ActorPhase
from domain.order import TradingState
from runtime.actor import ActorContext
from runtime.clock import system_clock
from runtime.config import Config, load_config
from runtime.environment import ActorEnvironment
from runtime.heartbeats import HeartbeatWriter
from runtime.logs import open_log
from runtime.paths import make_private, run_directory
from runtime.session import SessionSegments
from shm.doorbell import Doorbell
from shm.record import TableWriter

STEPS_MAX = 5000
BEAT_EVERY = 16  # ticks
PREPARED = 50


class Wire:
    """Both ends of a connection that has no socket: stands for venues.thalex.connection.Connection and for the
    probe's transport. What is sent waits in a queue until `deliver`.

    Attributes:
        alive_time_ns, connections: as a Connection has them.
        sent: frames of ours that the venue has taken so far.
    """

    is_disconnected = False
    connections = 1

    def __init__(self, owner: Any, venue: ProbeVenue) -> None:
        self.alive_time_ns = 0
        self.sent = 0
        self._owner = owner
        self._to_venue: deque[bytes] = deque()
        self._to_owner: deque[bytes] = deque()
        self._place = venue.connect()
        transport: Any = _Transport(self._to_owner)
        self._place.on_ws_connected(transport)

    async def run(self) -> None:
        await self._owner.open_session()

    def send(self, frame: bytes) -> None:
        self._to_venue.append(frame)

    def deliver(self) -> int:
        """Hand every waiting frame to its receiver; return how many there were."""
        count = 0
        while self._to_venue or self._to_owner:
            count += 1
            if self._to_venue:
                self.sent += 1
                self._place._on_request(self._to_venue.popleft(), time.monotonic_ns())
            else:
                self._owner.on_frame(self._to_owner.popleft())
        return count

    def set_ready(self) -> None: ...

    def ping_when_due(self, now_ns: int) -> None: ...

    def drop(self, reason: str) -> None:
        raise AssertionError(f"the connection was given up: {reason}")

    async def close(self) -> None: ...


class _Transport:
    """The probe's end."""

    is_disconnected = False

    def __init__(self, frames: deque[bytes]) -> None:
        self._frames = frames

    def send(self, _kind: Any, frame: bytes) -> None:
        self._frames.append(frame)


class Unplugged:
    """A session in this process. `async with` it; nothing of it stays.

    Attributes:
        times_ns: of each step: `market_data` a message, `strategy` a tick, `execution` an order.
    """

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        os.environ.update(environ)
        self.times_ns: dict[str, list[float]] = {"market_data": [], "strategy": [], "execution": []}
        self._folder = folder
        self._session = f"bench{os.getpid()}-stages"
        self._venue = ProbeVenue(ProbeMarket(1), ProbeOrders())
        self._tasks: list[asyncio.Task[None]] = []
        self._beats: list[HeartbeatWriter] = []

    async def __aenter__(self) -> Unplugged:
        path = self._folder / f"{self._session}.toml"
        path.write_text(config_text())
        config = load_config(path)
        make_private(run_directory(self._session))
        self._segments = SessionSegments(self._session, config.topology)
        self._segments.create()
        self._bells = {name: Doorbell.create() for name in config.topology.doorbells}
        self._limits = TableWriter(self._segments["limits"])
        for name in config.topology.actor_names:
            table = TableWriter(self._segments[f"heartbeats.{name}"])
            beat = HeartbeatWriter(table, epoch=1, core=-1, now_ns=time.monotonic_ns())
            beat.set_phase(ActorPhase.LIVE, time.monotonic_ns())
            self._beats.append(beat)
        self._market_data = MarketDataActor(self._context("market_data", config))
        self._feed_wire = Wire(self._market_data._feed.link, self._venue)
        self._market_data._feed.link.connection = self._feed_wire  # type: ignore[assignment]
        self._strategy = StrategyActor(self._context("strategy", config))
        self._execution = _Execution(self._context("execution", config), self._venue)
        try:
            self._market_data.on_start()
            self._alive()
            self._strategy.on_start()
            self._execution.on_start()
            await self._until_quoting()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._segments.unlink()
        for bell in self._bells.values():
            bell.close()
        shutil.rmtree(run_directory(self._session), ignore_errors=True)

    async def run(self, ticks: int, gap_s: float) -> None:
        """Send ticks through all three, one after the other, and time each."""
        (_, channel), *_ = self._venue.followers("book.")
        clock = time.perf_counter_ns
        frames: list[bytes] = []
        for number in range(ticks):
            if number % BEAT_EVERY == 0 or gap_s:
                self._alive()
            if not frames:  # a pack of them, so that making them does not cool the caches before each
                frames = [notification(channel, self._venue.market.jump()) for _ in range(PREPARED)][::-1]
            frame = frames.pop()
            if gap_s:
                time.sleep(gap_s)
            began_ns = clock()
            self._market_data._feed.link.on_frame(frame)
            told_ns = clock()
            self._strategy.do_work(time.monotonic_ns())
            decided_ns = clock()
            orders = self._execution.do_work(time.monotonic_ns())
            sent_ns = clock()
            self.times_ns["market_data"].append(told_ns - began_ns)
            self.times_ns["strategy"].append(decided_ns - told_ns)
            if orders:
                self.times_ns["execution"].append((sent_ns - decided_ns) / orders)
            self._execution.wire.deliver()
            await asyncio.sleep(0)

    # ---- inside --------------------------------------------------------------------------------------

    def _context(self, name: str, config: Config) -> ActorContext:
        config_file = self._folder / "config.json"
        config_file.write_bytes(msgspec.json.encode(config))
        (self._folder / "logs").mkdir(exist_ok=True)
        told = ActorEnvironment(
            session=self._session, actor=name, config_file=config_file, artifacts_dir=self._folder,
            state_dir=self._folder, epoch=1, core=-1, supervisor_pid=os.getppid(),
            session_start_realtime_ns=time.time_ns(),
            doorbell_fds={bell_name: bell.fd for bell_name, bell in self._bells.items()},
        )  # fmt: skip
        log = open_log(name, self._folder / "logs" / f"{name}.log", "warning")
        ctx = ActorContext(told, config, system_clock(os.environ), log)
        ctx.attach_loop(set_live=_nothing, set_compiling=_nothing, spawn=self._spawn)
        return ctx

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(coroutine, name=name))

    async def _until_quoting(self) -> None:
        """Let everybody talk until both sides are at the venue."""
        for _ in range(STEPS_MAX):
            self._alive()
            self._feed_wire.deliver()
            self._execution.wire.deliver()
            self._strategy.do_work(time.monotonic_ns())
            self._execution.do_work(time.monotonic_ns())
            await asyncio.sleep(0.001)
            if len(self._venue.orders.live) == 2:
                return
        reasons = [(desk.name, desk.quoter.off_reasons) for desk in self._strategy.desks]
        raise AssertionError(f"no quotes at the probe: {reasons}")

    def _alive(self) -> None:
        """Write what risk and the heartbeats say."""
        now_ns = time.monotonic_ns()
        for beat in self._beats:
            beat.beat(now_ns)
        self._market_data._feed.link.connection.alive_time_ns = now_ns
        self._market_data._publisher.publish_feed()
        limits = self._limits.scratch
        for name, value in _LIMITS.items():
            limits[name] = value
        limits["written_time_ns"] = now_ns
        self._limits.publish(0)


class _Execution(ExecutionActor):
    """Execution whose gateway has a wire instead of a socket."""

    def __init__(self, ctx: ActorContext, venue: ProbeVenue) -> None:
        super().__init__(ctx)
        self._venue = venue

    def open_gateway(self) -> Any:
        gateway = super().open_gateway()
        self.wire = Wire(gateway, self._venue)
        gateway._connection = self.wire  # type: ignore[assignment]
        return gateway


def _nothing() -> None: ...


_LIMITS: dict[str, float] = {
    "state": TradingState.ACTIVE, "is_position_known": 1, "order_lots_max": 10**6, "position_lots_max": 10**6,
    "open_orders_max": 100, "order_rate_max": 10**5, "order_notional_max": 1e12, "gross_notional_room": 1e12,
    "net_long_room": 1e12, "net_short_room": 1e12, "levels_max": 8, "mark_price": 100_000.0, "collar_low": 1.0,
    "collar_high": 1e9,
}  # fmt: skip


def median_us(times_ns: list[float]) -> float:
    """Return the median, µs."""
    return float(np.median(np.asarray(times_ns))) / 1000
