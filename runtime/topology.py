"""The actors, segments, doorbells, stages and counters of a session, in the order in which the data flows.

market_data ══ books, tickers, trades ══> strategy ══ wishes ══> execution
execution ══ order_events, accounts ══> strategy, risk           risk ══ limits ══> execution, strategy
recorder reads every ring, and nobody reads the recorder

`ACTORS` are the kinds of actor. Of each there is one in a session, but for strategy: a configuration with
[strategies.BTC] and [strategies.ETH] runs `strategy.BTC` and `strategy.ETH`, each with its own instruments. A ring
has one writer, so each has `explanations.NAME` and `candles.NAME` of its own; a table has one writer for each row,
so that `wishes`, `market` and `strategy_state` are the same tables, and a reader need not know who writes a row.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from domain import records
from domain.codes import SegmentKind
from domain.errors import Refusal
from domain.records import RecordType

RING, TABLE = SegmentKind.RING, SegmentKind.TABLE

# Frames of the venue that an actor could not read: all of them, then by what was wrong.
BAD_FRAMES = ("bad_frames", *(f"bad_frames_{refusal}" for refusal in Refusal))
LOG_LINES_LOST = "log_lines_lost"  # the disk did not take them; every actor counts it


class ActorSpec(NamedTuple):
    """One process of a session.

    Attributes:
        name: in the session: the kind, and for one of several strategies `strategy.NAME`.
        module: what `python -m` runs.
        orphan_signal: what the kernel sends it when the supervisor dies.
        needs_keys: whether it is given the venue's credentials.
        stages: latency stages that it measures.
        counters: events that it counts.
        is_background: works on a core that nobody waits for, and ends after all others; given up, the session goes on.
    """

    name: str
    module: str
    orphan_signal: signal.Signals
    needs_keys: bool
    stages: tuple[str, ...]
    counters: tuple[str, ...]
    is_background: bool = False


class SegmentSpec(NamedTuple):
    """One segment.

    Attributes:
        capacity: slots of a ring or rows of a table, for each instrument, pair of instruments or hedge if it is so.
    """

    name: str
    kind: SegmentKind
    record: RecordType
    writer: str
    capacity: int
    is_per_instrument: bool = False
    is_per_pair: bool = False
    is_per_hedge: bool = False


_ACTORS: tuple[ActorSpec, ...] = (
    ActorSpec(
        "market_data",
        "actors.market_data",
        signal.SIGKILL,
        False,
        ("decode", "publish"),
        (
            "frames", "book_updates", "tickers", "trades", "trades_recovered", "trade_gaps", "resyncs", "reconnects",
            *BAD_FRAMES,
        ),
    ),
    ActorSpec(
        "recorder",
        "actors.recorder",
        signal.SIGTERM,  # takes what is left, and ends
        False,
        ("record",),
        ("rows", "lost", "gaps", "files", "audit_rows", "disk_faults"),
        is_background=True,
    ),
    ActorSpec(
        "risk",
        "actors.risk",
        signal.SIGUSR1,  # stays until the venue shows no order of ours
        True,
        ("evaluate",),
        ("evaluations", "state_changes", "cancel_alls", "alarms", "reconnects", *BAD_FRAMES),
    ),
    ActorSpec(
        "execution",
        "actors.execution",
        signal.SIGTERM,  # cancels and ends
        True,
        ("wish", "gate", "send", "tick_to_order", "throttle_wait", "answer"),
        (
            "wishes", "wishes_stale", "hedges", "hedge_orders",
            "inserted", "amended", "cancelled", "rejected", "denied", "fills",
            "duplicate_fills", "mass_quotes", "mm_protections", "throttled", "unknown_outcomes", "audits", "strangers",
            "trades_contradicted", "insert_pauses", "stops_placed", "stops_triggered", "reconnects",
            *BAD_FRAMES,
        ),
    ),
    ActorSpec(
        "strategy",
        "actors.strategy",
        signal.SIGKILL,
        False,
        ("wake", "quote"),
        ("ticks", "trades", "quotes", "wishes", "hedges", "pauses", "cold_starts"),
    ),
)  # fmt: skip
ACTORS = tuple(actor._replace(counters=(*actor.counters, LOG_LINES_LOST)) for actor in _ACTORS)
ACTORS_BY_NAME: dict[str, ActorSpec] = {actor.name: actor for actor in ACTORS}

SUPERVISOR = "supervisor"
MARKET_DATA = "market_data"
STRATEGY = "strategy"
EXECUTION = "execution"
RECORDER = "recorder"
_DATA_SEGMENTS: tuple[SegmentSpec, ...] = (
    SegmentSpec("instruments", TABLE, records.INSTRUMENT, "market_data", 1, is_per_instrument=True),
    SegmentSpec("feed", TABLE, records.FEED, "market_data", 1),
    SegmentSpec("books", RING, records.BOOK, "market_data", 16384),
    SegmentSpec("book_table", TABLE, records.BOOK, "market_data", 1, is_per_instrument=True),
    SegmentSpec("tickers", RING, records.TICKER, "market_data", 4096),
    SegmentSpec("ticker_table", TABLE, records.TICKER, "market_data", 1, is_per_instrument=True),
    SegmentSpec("trades", RING, records.TRADE, "market_data", 65536),
    SegmentSpec("indices", RING, records.INDEX, "market_data", 4096),
    SegmentSpec("index_table", TABLE, records.INDEX, "market_data", 64),
    SegmentSpec("candles", RING, records.CANDLE, "strategy", 4096),
    SegmentSpec("market", TABLE, records.SHARED_MARKET_DATA, "strategy", 1, is_per_instrument=True),
    SegmentSpec("wishes", TABLE, records.WISH, "strategy", 1, is_per_instrument=True),
    SegmentSpec("strategy_state", TABLE, records.STRATEGY_STATE, "strategy", 2, is_per_instrument=True),
    SegmentSpec("explanations", RING, records.EXPLANATION, "strategy", 16384),
    SegmentSpec("quote_inputs", RING, records.QUOTE_INPUTS, "strategy", 256),
    SegmentSpec("hedges", TABLE, records.HEDGE, "strategy", 1, is_per_hedge=True),
    SegmentSpec("order_events", RING, records.ORDER_EVENT, "execution", 16384),
    SegmentSpec("accounts", TABLE, records.ACCOUNT, "execution", 1, is_per_instrument=True),
    SegmentSpec("limits", TABLE, records.LIMITS, "risk", 1, is_per_instrument=True),
    SegmentSpec("risk", TABLE, records.RISK, "risk", 1),
    SegmentSpec("pnl", TABLE, records.PNL, "risk", 1, is_per_instrument=True),
    SegmentSpec("comovement", TABLE, records.COMOVEMENT, "risk", 1, is_per_pair=True),
    SegmentSpec("recorder", TABLE, records.RECORDER, "recorder", 1),
)
_FOR_THE_RECORDER = ("quote_inputs", "recorder")  # nobody else reads them: without a recorder there are none


def spec_of(actor: str) -> ActorSpec:
    """Return what an actor is, by its name in the session."""
    return ACTORS_BY_NAME[kind_of(actor)]._replace(name=actor)


def kind_of(actor: str) -> str:
    """Return an actor's kind: `strategy.BTC` is a `strategy`."""
    return actor.partition(".")[0]


class Topology:
    """The processes of one session and what they share.

    Attributes:
        instruments: in the order of the configuration; the index is the row in every per-instrument table.
        hedges: underlyings that are hedged; the index is the row in the table `hedges`.
        strategies: the instruments of each strategy process, by its name as an actor.
        actors: in the order of start. They are stopped the other way round, execution first.
        doorbells: actors that are woken: market_data and execution ring strategies, strategies ring execution.
    """

    def __init__(
        self,
        instruments: Sequence[str],
        strategies: Mapping[str, Sequence[str]] | None = None,
        hedges: Sequence[str] = (),
        *,
        is_recorded: bool = False,
        is_market_data_only: bool = False,
    ) -> None:
        """Lay out a session.

        Args:
            strategies: instruments by the strategy's name in the configuration; none = one `strategy` for all.
            is_recorded: a recorder runs.
            is_market_data_only: nobody quotes: market data, and what records it.
        """
        self.instruments = tuple(instruments)
        self.hedges = () if is_market_data_only else tuple(hedges)
        self.is_recorded = is_recorded
        self.strategies: dict[str, tuple[str, ...]] = (
            {}
            if is_market_data_only
            else {f"{STRATEGY}.{name}": tuple(own) for name, own in (strategies or {}).items()}
            or {STRATEGY: self.instruments}
        )
        kinds = [
            kind
            for kind in ACTORS
            if (is_recorded or kind.name != RECORDER)
            and (not is_market_data_only or kind.name in (MARKET_DATA, RECORDER))
        ]
        self.actors = tuple(
            spec_of(name) for kind in kinds for name in (self.strategies if kind.name == STRATEGY else (kind.name,))
        )
        self.doorbells: tuple[str, ...] = () if is_market_data_only else (*self.strategies, EXECUTION)

    @property
    def actor_names(self) -> tuple[str, ...]:
        return tuple(actor.name for actor in self.actors)

    def strategy_of(self, instrument: str) -> str | None:
        """Return the strategy process that has an instrument; None when it is only followed."""
        return next((actor for actor, own in self.strategies.items() if instrument in own), None)

    def explanations_of(self, strategy: str) -> str:
        """Return the ring in which a strategy process explains its quotes."""
        return _own_ring("explanations", strategy)

    def quote_inputs_of(self, strategy: str) -> str:
        """Return the ring in which a strategy process keeps what its quotes were computed from."""
        return _own_ring("quote_inputs", strategy)

    def candles_of(self, strategy: str) -> str:
        """Return the ring in which a strategy process publishes candles and their signals."""
        return _own_ring("candles", strategy)

    def segments(self) -> list[SegmentSpec]:
        """Return every segment of the session, but for the directory."""
        specs: list[SegmentSpec] = []
        count = len(self.instruments)
        kinds = {kind_of(actor.name) for actor in self.actors}
        for spec in _DATA_SEGMENTS:
            if spec.writer not in kinds or (spec.name in _FOR_THE_RECORDER and not self.is_recorded):
                continue
            if spec.is_per_instrument:
                specs.append(spec._replace(capacity=count * spec.capacity))
            elif spec.is_per_pair:
                specs.append(spec._replace(capacity=max(count * (count - 1) // 2, 1) * spec.capacity))
            elif spec.is_per_hedge:
                specs.append(spec._replace(capacity=max(len(self.hedges), 1) * spec.capacity))
            elif spec.writer == STRATEGY:
                specs += [spec._replace(name=_own_ring(spec.name, actor), writer=actor) for actor in self.strategies]
            else:
                specs.append(spec)
        for actor in self.actors:
            specs += [
                SegmentSpec(f"heartbeats.{actor.name}", TABLE, records.HEARTBEAT, actor.name, 1),
                SegmentSpec(f"counters.{actor.name}", TABLE, records.COUNTERS, actor.name, 1),
                SegmentSpec(f"latency.{actor.name}", TABLE, records.HISTOGRAM, actor.name, len(actor.stages)),
            ]
        return specs


def _own_ring(ring: str, strategy: str) -> str:
    """Return the name of a strategy's own ring: `explanations`, say, or `explanations.BTC` of `strategy.BTC`."""
    _, dot, name = strategy.partition(".")
    return f"{ring}{dot}{name}"
