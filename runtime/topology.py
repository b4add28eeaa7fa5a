"""The actors, segments, doorbells, stages and counters of a session, in the order in which the data flows.

market_data ══ books, tickers, trades ══> strategy ══ wishes ══> execution
execution ══ order_events, accounts ══> strategy, risk           risk ══ limits ══> execution, strategy
"""

from __future__ import annotations

import signal
from typing import NamedTuple

from domain import records
from domain.codes import SegmentKind
from domain.errors import Refusal
from domain.records import RecordType

RING, TABLE = SegmentKind.RING, SegmentKind.TABLE

# Frames of the venue that an actor could not read: all of them, then by what was wrong.
BAD_FRAMES = ("bad_frames", *(f"bad_frames_{refusal}" for refusal in Refusal))


class ActorSpec(NamedTuple):
    """One process of a session.

    Attributes:
        module: what `python -m` runs.
        orphan_signal: what the kernel sends it when the supervisor dies.
        needs_keys: whether it is given the venue's credentials.
        stages: latency stages that it measures.
        counters: events that it counts.
    """

    name: str
    module: str
    orphan_signal: signal.Signals
    needs_keys: bool
    stages: tuple[str, ...]
    counters: tuple[str, ...]


class SegmentSpec(NamedTuple):
    """One segment. `capacity` is slots of a ring or rows of a table, for each instrument if `is_per_instrument`."""

    name: str
    kind: SegmentKind
    record: RecordType
    writer: str
    capacity: int
    is_per_instrument: bool = False


# Order of start. They are stopped the other way round, execution first.
ACTORS: tuple[ActorSpec, ...] = (
    ActorSpec(
        "market_data",
        "actors.market_data",
        signal.SIGKILL,
        False,
        ("decode", "publish"),
        ("frames", "book_updates", "tickers", "trades", "resyncs", "reconnects", *BAD_FRAMES),
    ),
    ActorSpec(
        "risk",
        "actors.risk",
        signal.SIGUSR1,  # stays until the venue shows no order of ours
        True,
        ("evaluate",),
        ("evaluations", "state_changes", "cancel_alls", "reconnects", *BAD_FRAMES),
    ),
    ActorSpec(
        "execution",
        "actors.execution",
        signal.SIGTERM,  # cancels and ends
        True,
        ("wish", "gate", "send", "tick_to_order", "throttle_wait", "answer"),
        (
            "wishes", "wishes_stale", "inserted", "amended", "cancelled", "rejected", "denied", "fills",
            "duplicate_fills", "throttled", "unknown_outcomes", "audits", "strangers", "reconnects",
            *BAD_FRAMES,
        ),
    ),
    ActorSpec(
        "strategy",
        "actors.strategy",
        signal.SIGKILL,
        False,
        ("wake", "quote"),
        ("ticks", "trades", "quotes", "wishes", "pauses", "cold_starts"),
    ),
)  # fmt: skip
ACTOR_NAMES: tuple[str, ...] = tuple(actor.name for actor in ACTORS)
ACTORS_BY_NAME: dict[str, ActorSpec] = {actor.name: actor for actor in ACTORS}

# Who wakes whom: market_data and execution ring strategy, strategy rings execution.
DOORBELLS: tuple[str, ...] = ("strategy", "execution")

SUPERVISOR = "supervisor"
_DATA_SEGMENTS: tuple[SegmentSpec, ...] = (
    SegmentSpec("instruments", TABLE, records.INSTRUMENT, "market_data", 1, is_per_instrument=True),
    SegmentSpec("feed", TABLE, records.FEED, "market_data", 1),
    SegmentSpec("books", RING, records.BOOK, "market_data", 16384),
    SegmentSpec("book_table", TABLE, records.BOOK, "market_data", 1, is_per_instrument=True),
    SegmentSpec("tickers", RING, records.TICKER, "market_data", 4096),
    SegmentSpec("ticker_table", TABLE, records.TICKER, "market_data", 1, is_per_instrument=True),
    SegmentSpec("trades", RING, records.TRADE, "market_data", 65536),
    SegmentSpec("market", TABLE, records.SHARED_MARKET_DATA, "strategy", 1, is_per_instrument=True),
    SegmentSpec("wishes", TABLE, records.WISH, "strategy", 1, is_per_instrument=True),
    SegmentSpec("strategy_state", TABLE, records.STRATEGY_STATE, "strategy", 2, is_per_instrument=True),
    SegmentSpec("explanations", RING, records.EXPLANATION, "strategy", 16384),
    SegmentSpec("order_events", RING, records.ORDER_EVENT, "execution", 16384),
    SegmentSpec("accounts", TABLE, records.ACCOUNT, "execution", 1, is_per_instrument=True),
    SegmentSpec("limits", TABLE, records.LIMITS, "risk", 1, is_per_instrument=True),
    SegmentSpec("risk", TABLE, records.RISK, "risk", 1),
)


def segments(instrument_count: int) -> list[SegmentSpec]:
    """Return every segment of a session with this many instruments, but for the directory."""
    specs = [
        spec._replace(capacity=instrument_count * spec.capacity) if spec.is_per_instrument else spec
        for spec in _DATA_SEGMENTS
    ]
    for actor in ACTORS:
        specs += [
            SegmentSpec(f"heartbeats.{actor.name}", TABLE, records.HEARTBEAT, actor.name, 1),
            SegmentSpec(f"counters.{actor.name}", TABLE, records.COUNTERS, actor.name, 1),
            SegmentSpec(f"latency.{actor.name}", TABLE, records.HISTOGRAM, actor.name, len(actor.stages)),
        ]
    return specs
