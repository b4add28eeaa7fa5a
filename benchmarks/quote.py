"""From a book to quotes: `python -m benchmarks.quote [--check] [--rounds N]`. Seconds, once the kernels are compiled.

    python     `take_book` and `decide` of a Quoter, as the strategy actor calls them: words copied in, wish,
               explanation and state hash written
    compiled   `on_book` and `quote` in a loop that is compiled itself, as a backtest calls them; the book is written
               anew in each turn
    solve      the grid of an exact model, in the largest size; it runs beside the ticks

Each of the first two with the raw model and with everything on: three levels, every shaping step, signals, the fit of
the arrivals, two-scale σ, own orders in the book, and a mid that moves with every book.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from domain import jit

os.environ[jit.ENV_JIT] = "1"  # before a kernel is imported

import numpy as np
import numpy.typing as npt

from benchmarks.report import Line, environment, exit_code, figure, show
from domain.clock import NS_PER_MS, NS_PER_S
from domain.jit import Array, kernel
from domain.order import TradingState
from domain.records import ACCOUNT, BOOK, LIMITS, QUOTE_LEVELS_MAX, TICKER
from trading.quoting import entries
from trading.quoting.config import QuotingConfig
from trading.quoting.params import Units
from trading.quoting.quoter import Quoter
from trading.quoting.standard import on_book, quote

PYTHON_US_MAX = 8.0
COMPILED_US_MAX = 1.0
TURNS = 20_000
BOOK_INTERVAL_NS = 20 * NS_PER_MS
START_NS = 1000 * NS_PER_S
UNITS = Units(tick_size=0.5, lot_size=0.001)

RAW = QuotingConfig(levels=3, requote_ticks_min=1)
ALL_ON = RAW.with_values(
    {
        "signals.is_enabled": True,
        "sigma_estimator": "two_scale",
        "fit_arrivals": True,
        "fair_price": "index",
        "funding_in_fair_price": True,
        "drift_usd_per_s": 0.001,
        "shaping.tick_filter": True,
        "shaping.dynamic_gamma": True,
        "shaping.market_stress": True,
        "shaping.flow_widening_max": 0.5,
        "shaping.market_impact": True,
        "shaping.measure_impact": True,
        "shaping.inventory_cost": True,
        "shaping.displacement_guard": True,
        "shaping.asymmetric_widening": True,
        "shaping.fill_imbalance": True,
        "shaping.post_fill_pause": True,
        "shaping.regime_filter": True,
        "shaping.ladder_spacing": "fibonacci",
        "shaping.ladder_size_multipliers": [1.0, 1.5, 2.0],
    }
)
EXACT = RAW.with_values({"model": "avellaneda_stoikov_exact", "position_hard_base": 0.64, "position_soft_base": 0.3})


def words(record: npt.NDArray[np.void]) -> memoryview:
    """Return a one-element record array as int64 words."""
    return record.view(np.uint8).data.cast("q")


def stand(config: QuotingConfig) -> tuple[Quoter, npt.NDArray[np.void]]:
    """Return a quoter that holds a position and has three orders a side at work, and a book."""
    quoter = Quoter(instrument=0)
    quoter.configure(config, UNITS)
    account = np.zeros(1, ACCOUNT.dtype)
    account["is_known"] = 1
    account["position_lots"] = 20
    account["bid_count"] = account["ask_count"] = 3
    for i in range(3):
        account["bid_price_ticks"][0, i] = 199_990 - 5 * i
        account["ask_price_ticks"][0, i] = 200_012 + 5 * i
    account["bid_size_lots"] = account["ask_size_lots"] = 10
    limits = np.zeros(1, LIMITS.dtype)
    limits["state"] = TradingState.ACTIVE
    limits["is_position_known"] = 1
    limits["written_time_ns"] = 2**62
    limits["order_lots_max"] = limits["position_lots_max"] = 10**6
    limits["order_notional_max"] = limits["gross_notional_room"] = limits["collar_high"] = 1e12
    limits["net_long_room"] = limits["net_short_room"] = 1e12
    limits["levels_max"] = QUOTE_LEVELS_MAX
    limits["mark_price"] = 100_000.0
    ticker = np.zeros(1, TICKER.dtype)
    ticker["receive_time_ns"] = 2**62
    ticker["mark_price"] = ticker["index_price"] = 100_000.0
    ticker["funding_rate"] = 1e-4
    for hand_over, record in (
        (quoter.take_account, account), (quoter.take_limits, limits), (quoter.take_ticker, ticker),
    ):  # fmt: skip
        hand_over(words(record))
    quoter.take_feed(True, 2**62)
    for i in range(10):
        quoter.take_fill(1 if i % 2 else -1, 10, START_NS - 60 * NS_PER_S)
    book = np.zeros(1, BOOK.dtype)
    book["is_valid"] = 1
    book["bid_count"] = book["ask_count"] = 10
    book["bid_size"] = book["ask_size"] = 2.0
    return quoter, book


@kernel
def move_market(quoter: Array, books: Array, turn: int, time_ns: int) -> None:
    """Write a book whose mid walks up and down, one tick at a time, and an index that goes with it."""
    book = books[0]
    shift = 0.5 * (turn % 40 if turn % 80 < 40 else 40 - turn % 40)
    book["receive_time_ns"] = time_ns
    for i in range(10):
        book["bid_price"][i] = 100_000.0 + shift - 0.5 * i
        book["ask_price"][i] = 100_000.5 + shift + 0.5 * i
    quoter[0]["ticker"]["index_price"] = 99_990.0 + shift


@kernel
def run_compiled(quoter: Array, books: Array, turns: int, first_ns: int) -> None:
    """Move the book, take it and quote, `turns` times."""
    q = quoter[0]
    for turn in range(turns):
        time_ns = first_ns + turn * BOOK_INTERVAL_NS
        move_market(quoter, books, turn, time_ns)
        q["book"] = books[0]
        on_book(q)
        q["moment"]["now_ns"] = time_ns
        q["moment"]["realtime_ns"] = time_ns
        quote(q)


def python_us(config: QuotingConfig) -> float:
    """Return the median time of one book and one quote, called from Python, µs."""
    quoter, book = stand(config)
    book_words = words(book)
    times_ns = []
    clock = time.perf_counter_ns
    for turn in range(TURNS):
        now_ns = START_NS + turn * BOOK_INTERVAL_NS
        move_market(quoter.record, book, turn, now_ns)
        started_ns = clock()
        quoter.take_book(book_words, turn)
        quoter.decide(now_ns, now_ns)
        times_ns.append(clock() - started_ns)
    assert quoter.wish_id > 0.9 * TURNS, f"only {quoter.wish_id} of {TURNS} quotes were written"
    return statistics.median(times_ns) / 1e3


def compiled_us(config: QuotingConfig) -> float:
    """Return the mean time of one book and one quote inside compiled code, µs; lowest of five runs."""
    quoter, book = stand(config)
    run_compiled(quoter.record, book, 100, START_NS)
    best = float("inf")
    for run in range(5):
        first_ns = START_NS + (run + 1) * TURNS * BOOK_INTERVAL_NS
        started_ns = time.perf_counter_ns()
        run_compiled(quoter.record, book, TURNS, first_ns)
        best = min(best, (time.perf_counter_ns() - started_ns) / TURNS / 1e3)
    assert quoter.record["ladder"]["bid_count"][0] == 3, "the benchmark does not quote"
    return best


def solve_us() -> float:
    """Return the median time to solve the grid of an exact model for 129 positions, µs."""
    quoter, book = stand(EXACT)
    move_market(quoter.record, book, 0, START_NS)
    quoter.take_book(words(book), 0)
    times_ns = []
    for turn in range(50):
        quoter.record["table"]["nodes"] = 0
        quoter.decide(START_NS + turn, START_NS + turn)
        started_ns = time.perf_counter_ns()
        entries.solve(quoter.record)
        times_ns.append(time.perf_counter_ns() - started_ns)
    assert quoter.record["table"]["nodes"][0] == 129
    return statistics.median(times_ns) / 1e3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.quote", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("expected --rounds >= 1")

    def rounds(measure: Callable[[], float]) -> list[float]:
        return [measure() for _ in range(options.rounds)]

    lines: list[Line] = [
        figure("python.raw", rounds(lambda: python_us(RAW)), "µs"),
        figure("python.all_on", rounds(lambda: python_us(ALL_ON)), "µs", target_max=PYTHON_US_MAX),
        figure("compiled.raw", rounds(lambda: compiled_us(RAW)), "µs"),
        figure("compiled.all_on", rounds(lambda: compiled_us(ALL_ON)), "µs", target_max=COMPILED_US_MAX),
        figure("solve.129_positions", rounds(solve_us), "µs"),
    ]
    show(environment(["numpy", "numba"]), lines)
    return exit_code(lines, is_check=options.check)


if __name__ == "__main__":
    sys.exit(main())
