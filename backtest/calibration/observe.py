"""One pass over events: what σ, A, κ and market impact are fitted from; compiled.

Kept are counts by windows of time, and the intervals of the impact's grid (32 bytes for each).

Beside the counts the estimators of a live quoter run on the same books and trades, so that both can be compared.
Mids are of the touch with best prices (BEST rows) let in, as a quoter sees it. Times are ours (local).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backtest.book import CENTRE_ROWS, apply_row, centre_of, is_usable, new_book, recentre
from backtest.data.container import EventFile
from backtest.data.events import AT_LOCAL, BID, FINAL, KIND_MASK, TRADE
from domain.clock import NS_PER_MS, NS_PER_S
from domain.jit import Array, Record, kernel
from trading.quoting.config import FIT_DEPTHS_MAX, QuotingConfig
from trading.quoting.estimators import forget_times, note_trade, roll_intervals, update_sigma
from trading.quoting.impact import impact_on_book, impact_on_trade, known_impact
from trading.quoting.params import Units, write_params
from trading.quoting.records import PARAMS, STATE

CELLS = FIT_DEPTHS_MAX + 1
REACH_TICKS_MAX = 8192
_SLACK = 1e-7  # of a tick: prices are float64
_ROWS_AT_ONCE = 1 << 20

# Counts of one window. `reached` has CELLS counts for the bid, then for the ask: hypothetical quotes whose farthest
# trade reached so many depths and no more.
WINDOW = np.dtype(
    [
        ("begin_ns", "<i8"), ("returns", "<i8"), ("pairs", "<i8"), ("trades", "<i8"), ("books", "<i8"),
        ("sum_r2", "<f8"), ("sum_r4", "<f8"), ("sum_rr", "<f8"),
        ("live_variance", "<f8"), ("live_rate", "<f8"), ("live_decay", "<f8"), ("live_r2", "<f8"),
        ("live_samples", "<i8"), ("live_fits", "<i8"), ("live_impact", "<f8"), ("live_impact_error", "<f8"),
        ("reached", "<i8", (2 * CELLS,)),
    ]
)  # fmt: skip
WINDOWS = npt.NDArray[np.void]  # of WINDOW

# An interval of the clock grid of market impact: change of the mid ($), and signed volume of takers in it and in the
# interval before it (base units).
IMPACT_INTERVAL = np.dtype([("window", "<i8"), ("move", "<f8"), ("flow", "<f8"), ("flow_before", "<f8")])

OBSERVER = np.dtype(
    [
        ("grid_ns", "<i8"), ("interval_ns", "<i8"), ("window_ns", "<i8"), ("gap_ns", "<i8"), ("begin_ns", "<i8"),
        ("depths", "<i8"), ("step", "<f8"), ("tick_size", "<f8"),
        ("time_ns", "<i8"), ("mid", "<f8"),
        ("anchor_ns", "<i8"), ("anchor_mid", "<f8"), ("last_return", "<f8"), ("has_return", "<i8"),
        ("start_ns", "<i8"), ("start_mid", "<f8"), ("reach_bid", "<f8"), ("reach_ask", "<f8"),
        ("impact_ns", "<i8"), ("impact_start_ns", "<i8"), ("impact_start_mid", "<f8"), ("size_base", "<f8"),
        ("flow", "<f8"), ("flow_before", "<f8"), ("has_flow_before", "<i8"), ("impact_intervals", "<i8"),
        ("gaps", "<i8"), ("mid_sum", "<f8"), ("mid_count", "<i8"),
    ]
)  # fmt: skip


class Observation(NamedTuple):
    """What a pass saw.

    Attributes:
        windows: counts by window, WINDOW rows.
        reaches: quotes by the ticks that their farthest trade reached (both sides); the last cell: more.
        impact_intervals: IMPACT_INTERVAL rows, by time.
        mid: average mid, $.
        gaps: outages that were skipped.
        step: depth between two cells of `reached`, $.
    """

    windows: WINDOWS
    reaches: npt.NDArray[np.int64]
    impact_intervals: npt.NDArray[np.void]
    mid: float
    gaps: int
    depths: int
    step: float


def observe(file: EventFile, config: QuotingConfig, window_s: float) -> Observation:
    """Run over all rows of a file; grid, interval, depths and gap rule are those of `config`."""
    header = file.header
    params, state = np.zeros(1, PARAMS), np.zeros(1, STATE)
    write_params(params, config, Units(header.tick_size, header.lot_size, header.contract_multiplier))
    params["fit_arrivals"] = params["measure_impact"] = 1
    observer = np.zeros(1, OBSERVER)
    step = config.fit_depth_step_ticks * header.tick_size
    for name, value in {
        "grid_ns": config.sigma_grid_ms * NS_PER_MS,
        "interval_ns": config.fit_interval_ms * NS_PER_MS,
        "window_ns": round(window_s * NS_PER_S),
        "gap_ns": config.sigma_gap_ms_max * NS_PER_MS,
        "begin_ns": header.begin_ns,
        "depths": config.fit_depths,
        "step": step,
        "tick_size": header.tick_size,
        "impact_ns": config.shaping.impact_interval_ms * NS_PER_MS,
        "size_base": header.lot_size * header.contract_multiplier,
    }.items():
        observer[name] = value
    count = max(1, -(-(header.end_ns - header.begin_ns) // int(observer["window_ns"][0])))
    windows = np.zeros(count, WINDOW)
    windows["begin_ns"] = header.begin_ns + np.arange(count) * observer["window_ns"][0]
    reaches = np.zeros(REACH_TICKS_MAX + 1, np.int64)
    impact_intervals = np.zeros(1 + (header.end_ns - header.begin_ns) // int(observer["impact_ns"][0]), IMPACT_INTERVAL)
    book = new_book(centre_of(file.block(0, CENTRE_ROWS)))
    for block in file.blocks(_ROWS_AT_ONCE):
        rows = np.array(block)  # of the same type in memory as from a map
        follow(
            book.state[0],
            book.bids,
            book.asks,
            observer[0],
            windows,
            reaches,
            impact_intervals,
            rows,
            params[0],
            state[0],
        )
    mid = float(observer["mid_sum"][0] / max(observer["mid_count"][0], 1))
    impact_intervals = impact_intervals[: int(observer["impact_intervals"][0])]
    return Observation(windows, reaches, impact_intervals, mid, int(observer["gaps"][0]), config.fit_depths, step)


@kernel
def follow(
    book: Record, bids: Array, asks: Array, observer: Record, windows: Array, reaches: Array, impact_intervals: Array,
    rows: Array, params: Record, state: Record,
) -> None:  # fmt: skip
    """Take `rows` into the book, the counts and the live estimators."""
    for i in range(rows.shape[0]):
        row = rows[i]
        flags = row["flags"]
        if flags & AT_LOCAL == 0:
            continue
        time_ns = row["local_time_ns"]
        if flags & KIND_MASK == TRADE:
            if observer["time_ns"] != 0:
                side = 1 if flags & BID != 0 else -1
                _close_impact_intervals(observer, windows, impact_intervals, time_ns)
                observer["flow"] += side * row["size_lots"] * observer["size_base"]
                _trade(observer, windows, reaches, row, flags, time_ns)
                roll_intervals(params, state, time_ns)
                note_trade(state, row["price_ticks"] * observer["tick_size"], side)
                impact_on_trade(params, state, time_ns, row["size_lots"] * params["lot_size"], side)
            continue
        apply_row(book, bids, asks, row, True)
        if flags & FINAL == 0:
            continue
        recentre(book, bids, asks)
        if not is_usable(book):
            _forget(observer)
            forget_times(state)
            continue
        mid = 0.5 * (book["best_bid_ticks"] + book["best_ask_ticks"]) * observer["tick_size"]
        _close_impact_intervals(observer, windows, impact_intervals, time_ns)
        _book(observer, windows, reaches, mid, time_ns)
        if time_ns - state["book_time_ns"] > params["sigma_gap_ns_max"]:
            forget_times(state)
        state["book_time_ns"] = time_ns
        state["mid"] = mid
        update_sigma(params, state, time_ns)
        roll_intervals(params, state, time_ns)
        impact_on_book(params, state, time_ns)
        _note_live(windows[_window(observer, windows, time_ns)], params, state)


@kernel
def _window(observer: Record, windows: Array, time_ns: int) -> int:
    index = (time_ns - observer["begin_ns"]) // observer["window_ns"]
    return int(min(max(index, 0), windows.shape[0] - 1))


@kernel
def _note_live(window: Record, params: Record, state: Record) -> None:
    """Keep what the live estimators say; the last note of a window stays."""
    window["live_variance"] = state["sigma_variance"]
    window["live_samples"] = state["sigma_samples"]
    window["live_rate"] = state["arrival_rate"]
    window["live_decay"] = state["arrival_decay"]
    window["live_r2"] = state["fit_r2"]
    window["live_fits"] = state["fits"]
    impact, error, is_measured = known_impact(params, state)
    window["live_impact"] = impact if is_measured else math.nan
    window["live_impact_error"] = error


@kernel
def _forget(observer: Record) -> None:
    """What lies between now and the next book is neither a return nor the life of a quote."""
    observer["time_ns"] = 0
    observer["anchor_ns"] = 0
    observer["start_ns"] = 0
    observer["has_return"] = 0


@kernel
def _book(observer: Record, windows: Array, reaches: Array, mid: float, time_ns: int) -> None:
    if observer["time_ns"] != 0 and time_ns - observer["time_ns"] > observer["gap_ns"]:
        observer["gaps"] += 1
        _forget(observer)
    if observer["time_ns"] == 0:
        observer["anchor_ns"] = time_ns
        observer["anchor_mid"] = mid
        observer["start_ns"] = time_ns
        observer["start_mid"] = mid
        observer["reach_bid"] = -1.0
        observer["reach_ask"] = -1.0
        observer["impact_start_ns"] = time_ns
        observer["impact_start_mid"] = mid
        observer["flow"] = 0.0
        observer["has_flow_before"] = 0
    else:
        _advance(observer, windows, reaches, time_ns)
    observer["time_ns"] = time_ns
    observer["mid"] = mid
    observer["mid_sum"] += mid
    observer["mid_count"] += 1
    windows[_window(observer, windows, time_ns)]["books"] += 1


@kernel
def _trade(observer: Record, windows: Array, reaches: Array, row: Record, flags: int, time_ns: int) -> None:
    _advance(observer, windows, reaches, time_ns)
    price = row["price_ticks"] * observer["tick_size"]
    if flags & BID != 0:
        observer["reach_ask"] = max(observer["reach_ask"], price - observer["start_mid"])
    else:
        observer["reach_bid"] = max(observer["reach_bid"], observer["start_mid"] - price)
    windows[_window(observer, windows, time_ns)]["trades"] += 1


@kernel
def _advance(observer: Record, windows: Array, reaches: Array, time_ns: int) -> None:
    """Close the points of the grid and the lives of quotes that ended by now, with the mid that was in force."""
    steps = (time_ns - observer["anchor_ns"]) // observer["grid_ns"]
    if steps > 0:
        window = windows[_window(observer, windows, observer["anchor_ns"])]
        move = observer["mid"] - observer["anchor_mid"]
        window["returns"] += steps
        window["sum_r2"] += move * move
        window["sum_r4"] += move * move * move * move
        if observer["has_return"] == 1:
            window["sum_rr"] += move * observer["last_return"]
            window["pairs"] += steps
        else:
            window["pairs"] += steps - 1
        observer["last_return"] = move if steps == 1 else 0.0
        observer["has_return"] = 1
        observer["anchor_ns"] += steps * observer["grid_ns"]
        observer["anchor_mid"] = observer["mid"]
    lives = (time_ns - observer["start_ns"]) // observer["interval_ns"]
    if lives > 0:
        window = windows[_window(observer, windows, observer["start_ns"])]
        _count(observer, window["reached"], reaches, 0, observer["reach_bid"])
        _count(observer, window["reached"], reaches, CELLS, observer["reach_ask"])
        window["reached"][0] += lives - 1  # further lives in a quiet market: no trade reached them
        window["reached"][CELLS] += lives - 1
        reaches[0] += 2 * (lives - 1)
        observer["start_ns"] += lives * observer["interval_ns"]
        observer["start_mid"] = observer["mid"]
        observer["reach_bid"] = -1.0
        observer["reach_ask"] = -1.0


@kernel
def _count(observer: Record, reached: Array, reaches: Array, first: int, reach: float) -> None:
    slack = observer["tick_size"] * _SLACK
    if reach <= 0.0:
        reached[first] += 1
        reaches[0] += 1
        return
    cell = int((reach + slack) / observer["step"])
    reached[first + min(cell, observer["depths"])] += 1
    ticks = int((reach + slack) / observer["tick_size"])
    reaches[min(ticks, REACH_TICKS_MAX)] += 1


@kernel
def _close_impact_intervals(observer: Record, windows: Array, impact_intervals: Array, time_ns: int) -> None:
    """Write the intervals of market impact that ended by now, with the mid that was in force; before the news is taken.

    The first one after a beginning or an outage has no interval before it and is not written.
    """
    last_ns = observer["time_ns"]
    if last_ns == 0 or time_ns - last_ns > observer["gap_ns"]:
        return
    while observer["impact_start_ns"] + observer["impact_ns"] <= time_ns:
        if observer["has_flow_before"] == 1:
            row = impact_intervals[observer["impact_intervals"]]
            row["window"] = _window(observer, windows, observer["impact_start_ns"])
            row["move"] = observer["mid"] - observer["impact_start_mid"]
            row["flow"] = observer["flow"]
            row["flow_before"] = observer["flow_before"]
            observer["impact_intervals"] += 1
        observer["flow_before"] = observer["flow"]
        observer["has_flow_before"] = 1
        observer["flow"] = 0.0
        observer["impact_start_mid"] = observer["mid"]
        observer["impact_start_ns"] += observer["impact_ns"]
