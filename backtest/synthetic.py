"""A generated market with known σ, A, κ and impact, as an event file: for tests of estimators, where no recording is.

The mid is a Brownian motion (σ $/√s), sampled every `step_ms`; the book is a ladder of levels around it that moves with
it. Buyers and sellers come as Poisson processes; each takes up to a depth δ from the mid in force that is exponential,
so that depth δ is reached at the rate A·exp(−κδ) on either side. What they take moves the mid of the next step, for
good, by `impact` $ for each base unit. Same seed, same file. Blocks of time are drawn one
after the other, so that a week takes no more memory than a minute.

    python -m backtest.synthetic --seconds 3600 --output generated.events
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from domain import jit
from domain.clock import NS_PER_S

if __name__ == "__main__":
    os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

from backtest.data.container import EventWriter, Header
from backtest.data.events import (
    ASK,
    BID,
    BOTH_SIDES,
    CLEAR,
    EVENT,
    EVERY_PRICE,
    FINAL,
    LEVEL,
    SNAPSHOT_LEVEL,
    TRADE,
    Events,
)
from domain.errors import ExitCode, UserError
from domain.jit import Array, kernel

BLOCK_STEPS = 1 << 16
BEGIN_NS = 1_700_000_000 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Market:
    """What is generated. Prices in $, sizes in base units.

    Attributes:
        sigma: $/√s.
        rate: A, 1/s, for either side.
        decay: κ, 1/$.
        impact: $ per base unit.
        spread_ticks: between best bid and ask.
        levels: of each side.
        latency_ns: from the exchange to us.
    """

    sigma: float = 3.0
    rate: float = 0.5
    decay: float = 0.3
    impact: float = 0.0
    mid: float = 60_000.0
    tick_size: float = 0.1
    lot_size: float = 0.001
    spread_ticks: int = 1
    levels: int = 20
    step_ms: int = 50
    latency_ns: int = 5_000_000
    level_lots_mean: float = 800.0
    trade_lots_mean: float = 30.0
    seed: int = 1


def write_session(path: Path, market: Market, seconds: float) -> None:
    """Write `seconds` of the market as an event file.

    Raises:
        DataError: when the file cannot be written.
    """
    with EventWriter(path) as writer:
        first_ns = last_ns = 0
        for rows in blocks(market, seconds):
            first_ns = first_ns or int(rows["local_time_ns"][0])
            last_ns = int(rows["local_time_ns"][-1])
            writer.write(rows)
        writer.finish(
            Header(
                instrument="GENERATED",
                tick_size=market.tick_size,
                lot_size=market.lot_size,
                sources=[f"generated: {market}"],
                begin_ns=first_ns,
                end_ns=last_ns,
            )
        )


def blocks(market: Market, seconds: float) -> Iterator[Events]:
    """Yield the events of the market, block by block."""
    generator = np.random.default_rng(market.seed)
    steps_left = max(1, round(seconds * 1000 / market.step_ms))
    mid = market.mid
    time_ns = BEGIN_NS
    best_bid = _bid_ticks(np.array([mid]), market)[0]
    yield _snapshot(generator, market, int(best_bid), time_ns)
    while steps_left:
        count = min(steps_left, BLOCK_STEPS)
        mids, rows = _block(generator, market, mid, int(best_bid), time_ns, count)
        yield rows
        best_bid = _bid_ticks(mids[-1:], market)[0]
        mid = float(mids[-1])
        time_ns += count * market.step_ms * 1_000_000
        steps_left -= count


def _bid_ticks(mids: npt.NDArray[np.float64], market: Market) -> npt.NDArray[np.int64]:
    return np.rint(mids / market.tick_size - 0.5 * market.spread_ticks).astype(np.int64)


def _lots(generator: np.random.Generator, mean: float, count: int) -> npt.NDArray[np.int64]:
    return 1 + generator.exponential(mean, count).astype(np.int64)


def _stamp(rows: Events, market: Market) -> Events:
    rows["local_time_ns"] = rows["exchange_time_ns"] + market.latency_ns
    rows["flags"] |= BOTH_SIDES
    return rows


def _snapshot(generator: np.random.Generator, market: Market, best_bid: int, time_ns: int) -> Events:
    levels = market.levels
    rows = np.zeros(2 + 2 * levels, EVENT)
    rows["exchange_time_ns"] = time_ns
    rows["flags"][:2] = (CLEAR | BID, CLEAR | ASK)
    rows["price_ticks"][:2] = EVERY_PRICE
    rows["flags"][2 : 2 + levels] = SNAPSHOT_LEVEL | BID
    rows["price_ticks"][2 : 2 + levels] = best_bid - np.arange(levels)
    rows["flags"][2 + levels :] = SNAPSHOT_LEVEL | ASK
    rows["price_ticks"][2 + levels :] = best_bid + market.spread_ticks + np.arange(levels)
    rows["size_lots"][2:] = _lots(generator, market.level_lots_mean, 2 * levels)
    rows["flags"][-1] |= FINAL
    return _stamp(rows, market)


def _block(
    generator: np.random.Generator, market: Market, mid: float, best_bid: int, begin_ns: int, steps: int
) -> tuple[npt.NDArray[np.float64], Events]:
    """Return (mids after every step, events) of the steps after `begin_ns`."""
    step_s = market.step_ms / 1e3
    noise = generator.normal(0.0, market.sigma * step_s**0.5, steps)
    trades, depths = _trades(generator, market, begin_ns, steps)
    steps_of = (trades["exchange_time_ns"] - begin_ns) // (market.step_ms * 1_000_000)
    signs = np.where(trades["flags"] & BID != 0, 1.0, -1.0)
    flow = np.bincount(steps_of, signs * trades["size_lots"] * market.lot_size, steps)
    mids = mid + np.cumsum(noise + market.impact * flow)
    bids = _bid_ticks(mids, market)
    in_force = np.concatenate([[mid], mids[:-1]])[steps_of]
    trades["price_ticks"] = np.rint((in_force + signs * depths) / market.tick_size)
    moved = int(np.abs(np.diff(bids, prepend=best_bid)).sum())
    rows = np.zeros(4 * moved + 2 * steps + len(trades), EVENT)
    sizes = _lots(generator, market.level_lots_mean, len(rows))
    shape = np.array([best_bid, market.spread_ticks, market.levels, begin_ns, market.step_ms * 1_000_000])
    count = weave(rows, bids, trades, sizes, shape)
    return mids, _stamp(rows[:count], market)


def _trades(
    generator: np.random.Generator, market: Market, begin_ns: int, steps: int
) -> tuple[Events, npt.NDArray[np.float64]]:
    """Return the trades of a block by time, without prices, and how far each goes from the mid, $."""
    span_ns = steps * market.step_ms * 1_000_000
    parts = []
    reaches = []
    for flag in (BID, ASK):
        count = int(generator.poisson(market.rate * span_ns / NS_PER_S))
        rows = np.zeros(count, EVENT)
        rows["exchange_time_ns"] = begin_ns + np.sort(generator.integers(0, span_ns, count))
        rows["flags"] = TRADE | FINAL | flag
        depths = generator.exponential(1.0 / market.decay, count)
        rows["size_lots"] = _lots(generator, market.trade_lots_mean, count)
        parts.append(rows)
        reaches.append(np.maximum(depths, 0.5 * market.spread_ticks * market.tick_size))
    rows = np.concatenate(parts)
    order = np.argsort(rows["exchange_time_ns"], kind="stable")
    return rows[order], np.concatenate(reaches)[order]


@kernel
def weave(rows: Array, bids: Array, trades: Array, sizes: Array, shape: Array) -> int:
    """Write trades and changes of the book by time into `rows`; returns how many.

    `shape`: best bid before the first step, spread in ticks, levels, time of the block, ns of a step.
    """
    best = shape[0]
    spread = shape[1]
    levels = shape[2]
    n = 0
    t = 0
    for i in range(bids.shape[0]):
        time_ns = shape[3] + (i + 1) * shape[4]
        while t < trades.shape[0] and trades[t]["exchange_time_ns"] < time_ns:
            _copy(rows[n], trades[t])
            n += 1
            t += 1
        bid = bids[i]
        ask = bid + spread
        for ticks in range(best + 1, bid + 1):  # up: asks taken away first, then bids on their places
            n = _level(rows, n, time_ns, ASK, ticks - 1 + spread, 0)
            n = _level(rows, n, time_ns, BID, ticks - levels, 0)
            n = _level(rows, n, time_ns, BID, ticks, sizes[n])
            n = _level(rows, n, time_ns, ASK, ticks - 1 + spread + levels, sizes[n])
        for ticks in range(best - 1, bid - 1, -1):
            n = _level(rows, n, time_ns, BID, ticks + 1, 0)
            n = _level(rows, n, time_ns, ASK, ticks + spread + levels, 0)
            n = _level(rows, n, time_ns, ASK, ticks + spread, sizes[n])
            n = _level(rows, n, time_ns, BID, ticks + 1 - levels, sizes[n])
        n = _level(rows, n, time_ns, BID, bid, sizes[n])
        n = _level(rows, n, time_ns, ASK, ask, sizes[n])
        rows[n - 1]["flags"] |= FINAL
        best = bid
    return n


@kernel
def _level(rows: Array, n: int, time_ns: int, side: int, ticks: int, lots: int) -> int:
    row = rows[n]
    row["exchange_time_ns"] = time_ns
    row["flags"] = LEVEL | side
    row["price_ticks"] = ticks
    row["size_lots"] = lots
    return n + 1


@kernel
def _copy(row: Array, trade: Array) -> None:
    row["exchange_time_ns"] = trade["exchange_time_ns"]
    row["flags"] = trade["flags"]
    row["price_ticks"] = trade["price_ticks"]
    row["size_lots"] = trade["size_lots"]


def main(arguments: list[str] | None = None) -> int:
    """Write a generated session; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m backtest.synthetic", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--output", "-o", type=Path, required=True, help="X.events")
    parser.add_argument("--seconds", type=float, default=3600.0)
    usual = Market()
    for name, help_text in (
        ("sigma", "σ, $/√s"), ("rate", "A of either side, 1/s"), ("decay", "κ, 1/$"), ("mid", "first mid, $"),
        ("impact", "move of the mid for each base unit traded, $"),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=float, default=getattr(usual, name), help=help_text)
    parser.add_argument("--seed", type=int, default=usual.seed)
    given = parser.parse_args(arguments)
    market = Market(
        sigma=given.sigma, rate=given.rate, decay=given.decay, impact=given.impact, mid=given.mid, seed=given.seed
    )
    try:
        write_session(given.output, market, given.seconds)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return int(ExitCode.CLEAN)


if __name__ == "__main__":
    sys.exit(main())
