"""One backtest of one instrument: an event file, a strategy's configuration, an exchange; fills and worth come out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.book import WINDOW
from backtest.data.container import EventFile
from backtest.engine.account import market_mid
from backtest.engine.code import code_of, load_loop
from backtest.engine.desk import REQUESTS_MAX
from backtest.engine.loop import ANSWERS_OF_A_ROW_MAX
from backtest.engine.market import new_levels
from backtest.engine.reconcile import DESK
from backtest.engine.records import ANSWER, NEVER, ORDER, ORDERS_MAX, POST_ONLY, REQUEST, RUN
from backtest.engine.requests import liquidate
from backtest.engine.result import FEE_UNIT, SERIES, Rows, RunResult
from backtest.engine.spool import Spool
from backtest.engine.tape import require_orders, tape_of
from backtest.engine.venue import VenueSettings, new_venue
from backtest.engine.weave import EMPTY_ASK, EMPTY_BID, is_cut
from domain.order import TradingState
from domain.records import QUOTE_LEVELS_MAX, TRADE
from trading.orders.config import ExecutionConfig
from trading.quoting.config import QuotingConfig
from trading.quoting.params import Units
from trading.quoting.quoter import Quoter
from trading.quoting.records import words_of
from trading.quoting.user.code import StrategyCode

ANSWERS_AT_ONCE = 1 << 12  # they stay in the processor's cache
SAMPLES_AT_ONCE = 1 << 12
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


class Engine:
    """The engine's memory, and the way from block to block."""

    def __init__(self, file: EventFile, settings: Settings) -> None:
        header = file.header
        self.lot_base = header.lot_size * header.contract_multiplier
        units = Units(header.tick_size, header.lot_size, header.contract_multiplier)
        self.tape = tape_of(file)
        require_orders(file, self.tape, settings.venue.queue_model)
        code = code_of(settings.quoting)
        self.play_blocks = load_loop(code)
        self.quoter = _quoter(settings.quoting, units, settings.position_max_base / self.lot_base, code)
        self.run = _run_record(settings, header.tick_size, header.lot_size, self.lot_base)
        self.run["end_ns"] = self.tape.header.end_ns
        self.run["reach_lots"] = min(
            self.quoter.record["params"]["position_hard_lots"][0], self.quoter.record["limits"]["position_lots_max"][0]
        )
        self.venue = new_venue(settings.venue, header.tick_size * self.lot_base)
        self.venue["arrivals"] = self.tape.header.arrivals
        self.desk = _desk(settings.execution)
        self.their_levels = new_levels()
        self.our_levels = np.zeros((2, WINDOW), np.int64)  # lots by side and place
        self.orders = np.zeros(ORDERS_MAX, ORDER)
        self.requests = np.zeros(REQUESTS_MAX, REQUEST)
        self.answers = np.zeros(ANSWERS_AT_ONCE + ANSWERS_OF_A_ROW_MAX, ANSWER)
        self.samples = np.zeros(SAMPLES_AT_ONCE, SERIES)
        self.trade = np.zeros(1, TRADE.dtype)
        self.told, self.sampled = Spool(ANSWER), Spool(SERIES)
        self._firsts = [0, 0]  # of the blocks that are mapped: the exchange's, ours
        self._blocks = [self._map(0, 0), self._map(1, 0)]

    def _map(self, side: int, first: int) -> npt.NDArray[np.void]:
        """Return the block of a side's rows from `first` on, and let the loop know where it stands."""
        block = self.tape.block(side, first)
        self._firsts[side] = first
        self.run[("next_exchange", "next_local")[side]] = 0
        is_last = first + len(block) >= self.tape.header.rows[side]
        self.run[("is_last_exchange", "is_last_local")[side]] = is_last
        return block

    def play(self, until_ns: int = NEVER) -> None:
        """Play up to and with `until_ns`, or the end of the recording."""
        self.run["until_ns"] = until_ns
        limits = words_of("limits")
        words = self.quoter.record.view(np.int64)
        is_over = False
        while not is_over:
            is_over = self.play_blocks(
                self.run[0], self.venue[0], self.orders, self.their_levels[0], self._blocks[0],
                self.our_levels, self._blocks[1], self.requests, self.answers, self.desk[0],
                self.quoter.record[0], words[limits], words[limits].view(np.float64), self.trade[0], self.samples,
            )  # fmt: skip
            self._drain()
            self._turn_over()

    def _turn_over(self) -> None:
        """Map the next block of a side whose rows are used up."""
        for side, name in enumerate(("next_exchange", "next_local")):
            played = int(self.run[name][0])
            first = self._firsts[side] + played
            if is_cut(self._blocks[side], played) and first < self.tape.header.rows[side]:
                self._blocks[side] = self._map(side, first)

    def _drain(self) -> None:
        """Put away what was heard and sampled."""
        heard, count = int(self.run["heard"][0]), int(self.venue["answers"][0])
        samples = int(self.run["samples"][0])
        assert heard > 0 or count < len(self.answers) - ANSWERS_OF_A_ROW_MAX, "more answers on the way than fit"
        if heard:
            self.told.add(self.answers[:heard])
            size = ANSWER.itemsize
            memory = self.answers.view(np.uint8)
            memory[: (count - heard) * size] = memory[heard * size : count * size].copy()
            self.venue["answers"], self.run["heard"] = count - heard, 0
        self.sampled.add(self.samples[:samples])
        self.run["samples"] = 0

    def span(self) -> tuple[int, int]:
        """Return the times of our first row and of the last row of either side, ns."""
        ours = self._blocks[1]
        return int(ours["time_ns"][0]) if len(ours) else 0, self.tape.header.end_ns

    def notional_usd(self) -> float:
        """Return the position at the exchange at the mid, signed."""
        return int(self.venue["position_lots"][0]) * self.lot_usd()

    def worth_usd(self) -> float:
        """Return cash and position at the mid, less fees and funding."""
        venue = self.venue[0]
        points = int(venue["cash"]) - (int(venue["fees"]) + int(venue["funding"])) * FEE_UNIT
        return points * float(self.run["tick_size"][0]) * self.lot_base + self.notional_usd()

    def heard_lots(self) -> int:
        """Return the position of which we have heard."""
        return int(self.run["position_lots"][0])

    def out_lots(self) -> tuple[int, int]:
        """Return what our open orders, and those on their way in or out, may buy and sell."""
        lots = []
        for side in range(2):
            live = self.desk["live"][0, side, : int(self.desk["counts"][0, side])]
            lots.append(int((live["exposed_lots"] - live["filled_lots"]).sum()))
        return lots[0], lots[1]

    def lot_usd(self) -> float:
        """Return what a lot is worth at the mid."""
        return float(market_mid(self.venue[0])) * float(self.run["tick_size"][0]) * self.lot_base

    def liquidate(self, now_ns: int) -> None:
        """Have the exchange cancel all orders, close the position, and take no more."""
        liquidate(self.venue[0], self.orders, self.their_levels[0], now_ns, self.answers)

    def series(self) -> Rows:
        """Return the SERIES rows so far."""
        return self.sampled.rows()

    def result(self, instrument: str, settings: Settings) -> RunResult:
        """Return what it came to, with the answers that were on their way as the data ended."""
        self.told.add(self.answers[: int(self.venue["answers"][0])])
        return RunResult(
            instrument=instrument,
            tick_size=float(self.run["tick_size"][0]),
            lot_base=self.lot_base,
            parameters=settings.plain(),
            answers=self.told.rows(),
            series=self.series(),
            venue=self.venue,
            run=self.run,
        )


Watch = Callable[[float, Rows], bool]
WATCHED_PARTS = 10


def backtest(file: EventFile, settings: Settings, watch: Watch | None = None) -> RunResult:
    """Run a strategy over a recording of any length in constant memory: what it comes to goes to disk when it is much.

    Args:
        watch: told after every tenth of the recording how much of it is played, and the SERIES rows so far; the run
            ends there when it answers False.

    Raises:
        UserError: when the user's own file cannot be used, or the tape cannot be written.
    """
    engine = Engine(file, settings)
    if watch is None:
        engine.play()
    else:
        _play_watched(engine, watch)
    return engine.result(file.header.instrument, settings)


def _play_watched(engine: Engine, watch: Watch) -> None:
    begin_ns, end_ns = engine.span()
    for part in range(1, WATCHED_PARTS + 1):
        engine.play(begin_ns + (end_ns - begin_ns) * part // WATCHED_PARTS)
        if not watch(part / WATCHED_PARTS, engine.series()):
            return


def _quoter(config: QuotingConfig, units: Units, position_lots_max: float, code: StrategyCode) -> Quoter:
    """Return a quoter whose feed is up and whose limits stand open but for that of the position."""
    quoter = Quoter(instrument=0, code=code)
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
        "market_bid_ticks": EMPTY_BID,
        "market_ask_ticks": EMPTY_ASK,
        "step_ns": round(settings.step_ms * 1e6),
        "next_step_ns": NEVER,
        "sample_ns": round(settings.sample_s * 1e9),
        "next_sample_ns": NEVER,
        "flags": POST_ONLY if settings.execution.post_only else 0,
        "tick_size": tick_size,
        "lot_size": lot_size,
        "lot_base": lot_base,
        "entry_ns": (0, *settings.venue.latency.entry_ns),
        "is_latency_sampled": bool(settings.venue.latency.entry_steps),
        "entry_steps": settings.venue.latency.entry_steps or 0,
        "seed": settings.venue.latency.seed + 1,
    }.items():
        run[name] = value
    return run


def _desk(execution: ExecutionConfig) -> npt.NDArray[np.void]:
    desk = np.zeros(1, DESK)
    desk["threshold_ticks"] = execution.amend_threshold_ticks
    desk["tolerance_permille"] = round(execution.size_tolerance_ratio * _PERMILLE)
    desk["fill_threshold_permille"] = round(execution.significant_fill_threshold_ratio * _PERMILLE)
    return desk
