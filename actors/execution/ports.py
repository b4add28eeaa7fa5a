"""What the core is given: shared memory, measures, time and a way to run tasks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from domain.clock import Clock
from shm.record import TableReader, TableWriter
from shm.ring import RingWriter


class Recorder(Protocol):
    """A latency histogram."""

    def record(self, duration_ns: int) -> None: ...


class Counts(Protocol):
    """Named event counters, as runtime/topology.py declares them."""

    def add(self, name: str, count: int = 1) -> None: ...

    def values(self) -> dict[str, int]: ...


class Bell(Protocol):
    def ring(self) -> None: ...


class NoBell:
    """Of an instrument that no strategy has."""

    def ring(self) -> None: ...


class Log(Protocol):
    """As much of a structlog logger as the core uses."""

    def debug(self, event: str, **values: Any) -> Any: ...

    def info(self, event: str, **values: Any) -> Any: ...

    def warning(self, event: str, **values: Any) -> Any: ...

    def error(self, event: str, **values: Any) -> Any: ...


class Shared(NamedTuple):
    """Segments by the names of the topology; `heartbeats` of the actors without which nothing is quoted; `bells`
    of each instrument's strategy, by row."""

    instruments: TableReader
    wishes: TableReader
    limits: TableReader
    book_table: TableReader
    heartbeats: Mapping[str, TableReader]
    accounts: TableWriter
    order_events: RingWriter
    bells: Sequence[Bell]


class Measures(NamedTuple):
    """Stages of latency: `wish` written to picked up, `gate`, `send`, `tick_to_order` (throttle waits apart),
    `throttle_wait`, `answer` sent to answered."""

    wish: Recorder
    gate: Recorder
    send: Recorder
    tick_to_order: Recorder
    throttle_wait: Recorder
    answer: Recorder
    counts: Counts


class Ports(NamedTuple):
    """Everything outside the core but the gateway.

    Attributes:
        strategies: which strategy process has each instrument, by row; empty = none.
        spawn: runs a task beside the loop; its failure ends the actor.
        work_soon: asks for a duty cycle right after the present callback.
    """

    clock: Clock
    log: Log
    run_dir: Path
    session: str
    instrument_names: tuple[str, ...]
    strategies: tuple[str, ...]
    shared: Shared
    measures: Measures
    spawn: Callable[[Coroutine[Any, Any, None], str], None]
    work_soon: Callable[[], None]
