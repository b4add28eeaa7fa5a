"""One backtest of one instrument: an event file, a strategy's configuration, an exchange; fills and worth come out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.book import centre_of, new_book
from backtest.data.container import EventFile
from backtest.data.events import EVENT
from backtest.data.findings import DataError
from backtest.engine.loop import ANSWERS_OF_A_ROW_MAX, NEVER, play
from backtest.engine.our_side import REQUESTS_MAX, RUN
from backtest.engine.reconcile import DESK
from backtest.engine.records import ANSWER, ORDER, ORDERS_MAX, POST_ONLY, REQUEST
from backtest.engine.result import SERIES, Rows, RunResult
from backtest.engine.venue import VenueSettings, new_venue
from domain.order import TradingState
from domain.records import QUOTE_LEVELS_MAX, TRADE
from trading.orders.config import ExecutionConfig
from trading.quoting.config import QuotingConfig
from trading.quoting.params import Units
from trading.quoting.quoter import Quoter
from trading.quoting.records import words_of

ANSWERS_AT_ONCE = 1 << 15
SAMPLES_AT_ONCE = 1 << 12
ROWS_AT_ONCE = 1 << 20
_PERMILLE = 1000
_NO_LIMIT = 2**40


@dataclass(frozen=True, slots=True)
class Settings:
    """What is run.

    Attributes:
        quoting: the strategy.
        execution: thresholds of reconciling, and whether orders are post-only.
        step_ms: the strategy decides so often; 0 = at every message of the feed.
        sample_s: time between two samples of our worth.
        position_max_base: risk's limit of |position|, base units: the gate holds it, whatever is on the way.
    """

    quoting: QuotingConfig = field(default_factory=QuotingConfig)
    execution: ExecutionConfig = field(default_factory=ExecutionConfig)
    venue: VenueSettings = field(default_factory=VenueSettings)
    step_ms: float = 0.0
    sample_s: float = 1.0
    position_max_base: float = math.inf

    def plain(self) -> dict[str, Any]:
        """Return all of it as nested dicts of plain values."""
        plain: dict[str, Any] = msgspec.to_builtins(self, str_keys=True)
        return plain


class _Engine:
    """The engine's memory, and the way from block to block."""

    def __init__(self, file: EventFile, settings: Settings) -> None:
        header = file.header
        self.lot_base = header.lot_size * header.contract_multiplier
        units = Units(header.tick_size, header.lot_size, header.contract_multiplier)
        self.quoter = _quoter(settings.quoting, units, settings.position_max_base / self.lot_base)
        self.run = _run_record(settings, header.tick_size, header.lot_size, self.lot_base)
        self.run["reach_lots"] = min(
            self.quoter.record["params"]["position_hard_lots"][0], self.quoter.record["limits"]["position_lots_max"][0]
        )
        self.venue = new_venue(settings.venue)
        self.desk = _desk(settings.execution)
        centre = centre_of(file.rows)
        self.theirs, self.ours = new_book(centre), new_book(centre)
        self.orders = np.zeros(ORDERS_MAX, ORDER)
        self.requests = np.zeros(REQUESTS_MAX, REQUEST)
        self.answers = np.zeros(ANSWERS_AT_ONCE + ANSWERS_OF_A_ROW_MAX, ANSWER)
        self.samples = np.zeros(SAMPLES_AT_ONCE, SERIES)
        self.trade = np.zeros(1, TRADE.dtype)
        self.told: list[npt.NDArray[np.void]] = []
        self.sampled: list[npt.NDArray[np.void]] = []

    def play(self, rows: npt.NDArray[np.void]) -> None:
        """Play a block until the loop has used it up."""
        limits = words_of("limits")
        words = self.quoter.record.view(np.int64)
        while True:
            play(
                self.run[0], self.venue[0], self.orders, self.theirs.state[0], self.theirs.bids, self.theirs.asks,
                self.ours.state[0], self.ours.bids, self.ours.asks, rows, self.requests, self.answers, self.desk[0],
                self.quoter.record[0], words[limits], words[limits].view(np.float64), self.trade[0], self.samples,
            )  # fmt: skip
            was_full = self._drain()
            if not was_full:
                return

    def _drain(self) -> bool:
        """Put away what was heard and sampled; returns whether the loop stopped for want of room."""
        heard, count = int(self.run["heard"][0]), int(self.venue["answers"][0])
        samples = int(self.run["samples"][0])
        was_full = count >= len(self.answers) - ANSWERS_OF_A_ROW_MAX or samples == len(self.samples)
        assert heard > 0 or count < len(self.answers) - ANSWERS_OF_A_ROW_MAX, "more answers on the way than fit"
        self.told.append(self.answers[:heard].copy())
        self.answers[: count - heard] = self.answers[heard:count].copy()
        self.venue["answers"], self.run["heard"] = count - heard, 0
        self.sampled.append(self.samples[:samples].copy())
        self.run["samples"] = 0
        return was_full


Watch = Callable[[float, Rows], bool]
WATCHED_PARTS = 10


def backtest(file: EventFile, settings: Settings, watch: Watch | None = None) -> RunResult:
    """Run a strategy over a recording. Memory does not grow with the recording, but for answers and samples.

    Args:
        watch: told after every tenth of the recording how much of it is played, and the SERIES rows so far; the run
            ends there when it answers False.

    Raises:
        DataError: for a strategy that the engine does not run yet: the user's own file.
    """
    if settings.quoting.file or settings.quoting.signals.user:
        raise DataError("[strategy] file and [strategy.signals] user are not run by the backtest yet: leave them out")
    engine = _Engine(file, settings)
    rest = np.zeros(0, EVENT)
    count = len(file.rows)
    at_once = min(ROWS_AT_ONCE, count // WATCHED_PARTS + 1) if watch else ROWS_AT_ONCE
    parts_told = 0
    for first in range(0, count, at_once):
        rows = np.concatenate([rest, file.rows[first : first + at_once]])
        engine.run["next_exchange"], engine.run["next_local"] = len(rest), 0
        engine.run["is_last_block"] = first + at_once >= count
        engine.play(rows)
        rest = rows[int(engine.run["next_local"][0]) :]
        part = min(1.0, (first + at_once) / count)
        if watch and int(part * WATCHED_PARTS) > parts_told:
            parts_told = int(part * WATCHED_PARTS)
            if not watch(part, np.concatenate(engine.sampled)):
                break
    engine.told.append(engine.answers[: int(engine.venue["answers"][0])].copy())  # on the way as the data ended
    return RunResult(
        instrument=file.header.instrument,
        tick_size=file.header.tick_size,
        lot_base=engine.lot_base,
        parameters=settings.plain(),
        answers=np.concatenate(engine.told),
        series=np.concatenate(engine.sampled),
        venue=engine.venue,
        run=engine.run,
    )


def _quoter(config: QuotingConfig, units: Units, position_lots_max: float) -> Quoter:
    """Return a quoter whose feed is up and whose limits stand open but for that of the position."""
    quoter = Quoter(instrument=0)
    # The recorded book does not hold our orders: there is nothing of ours to leave out of it.
    quoter.configure(config.with_values({"own_memory_ms": 0}), units)
    record = quoter.record
    record["account"]["is_known"] = 1
    record["moment"]["is_connected"] = 1
    for name, value in {
        "state": int(TradingState.ACTIVE),
        "is_position_known": 1,
        "order_lots_max": _NO_LIMIT,
        "position_lots_max": int(min(position_lots_max + 1e-9, _NO_LIMIT)),
        "open_orders_max": ORDERS_MAX,
        "order_rate_max": _NO_LIMIT,
        "order_notional_max": 1e18,
        "gross_notional_room": 1e18,
        "net_long_room": 1e18,
        "net_short_room": 1e18,
        "levels_max": QUOTE_LEVELS_MAX,
        "collar_low": -1e18,
        "collar_high": 1e18,
    }.items():
        record["limits"][name] = value
    return quoter


def _run_record(settings: Settings, tick_size: float, lot_size: float, lot_base: float) -> npt.NDArray[np.void]:
    run = np.zeros(1, RUN)
    for name, value in {
        "step_ns": round(settings.step_ms * 1e6),
        "next_step_ns": NEVER,
        "sample_ns": round(settings.sample_s * 1e9),
        "next_sample_ns": NEVER,
        "flags": POST_ONLY if settings.execution.post_only else 0,
        "tick_size": tick_size,
        "lot_size": lot_size,
        "lot_base": lot_base,
        "entry_ns": (0, *settings.venue.latency.entry_ns),
    }.items():
        run[name] = value
    return run


def _desk(execution: ExecutionConfig) -> npt.NDArray[np.void]:
    desk = np.zeros(1, DESK)
    desk["threshold_ticks"] = execution.amend_threshold_ticks
    desk["tolerance_permille"] = round(execution.size_tolerance_ratio * _PERMILLE)
    desk["fill_threshold_permille"] = round(execution.significant_fill_threshold_ratio * _PERMILLE)
    return desk
