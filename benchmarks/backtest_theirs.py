"""The grid of benchmarks/grid_strategy.py in hftbacktest: one process, one JSON line. Run by benchmarks.backtest.

python -m benchmarks.backtest_theirs DATA.npy… --step-ms 100 --script dictionaries|arrays --tick 0.1 --lot 0.001
"""

from __future__ import annotations

import argparse
import json
import math
import time
from typing import Any

import numpy as np
from hftbacktest import GTX, LIMIT, BacktestAsset, ROIVectorMarketDepthBacktest
from numba import njit, types, uint64
from numba.typed import Dict

from benchmarks.memory import peak_mb
from benchmarks.parameters import BACKTEST_LATENCY_NS

LEVELS = 10


@njit
def grid_of(mid: float, bid_ticks: int, ask_ticks: int, position: int, variance: float, limit: float) -> Any:
    """Return (first bid, first ask, step, bids, asks) of the grid, ticks."""
    half_spread = max(1.0, 2.0 * math.sqrt(variance))
    step = max(1, int(half_spread + 0.5))
    centre = mid - half_spread * position / limit
    bid = min(math.floor((centre - half_spread) / step) * step, bid_ticks)
    ask = max(math.ceil((centre + half_spread) / step) * step, ask_ticks)
    bids = int(min(LEVELS, max(0, limit - position)))
    asks = int(min(LEVELS, max(0, limit + position)))
    return bid, ask, step, bids, asks


@njit
def run_dictionaries(hbt: Any, step_ns: int, tick: float, lot: float, limit: float) -> Any:
    """The usual script: the new grids in typed dictionaries, as in the examples of its documentation."""
    last_mid = 0.0
    variance = 0.0
    steps = 0
    while hbt.elapse(step_ns) == 0:
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        bid_ticks = depth.best_bid_tick
        ask_ticks = depth.best_ask_tick
        if bid_ticks == 2147483647 or ask_ticks == 2147483647 or bid_ticks >= ask_ticks or bid_ticks <= 0:
            continue
        steps += 1
        mid = 0.5 * (bid_ticks + ask_ticks)
        if last_mid != 0.0:
            variance += ((mid - last_mid) ** 2 - variance) / 100.0
        last_mid = mid
        position = round(hbt.position(0) / lot)
        bid, ask, step, bids, asks = grid_of(mid, bid_ticks, ask_ticks, position, variance, limit)
        new_bids = Dict.empty(types.uint64, types.float64)
        new_asks = Dict.empty(types.uint64, types.float64)
        for i in range(bids):
            new_bids[uint64(bid - i * step)] = (bid - i * step) * tick
        for i in range(asks):
            new_asks[uint64(ask + i * step)] = (ask + i * step) * tick
        orders = hbt.orders(0)
        values = orders.values()
        while values.has_next():
            order = values.get()
            if order.cancellable and (
                (order.side == 1 and order.order_id not in new_bids)
                or (order.side == -1 and order.order_id not in new_asks)
            ):
                hbt.cancel(0, order.order_id, False)
        for order_id, price in new_bids.items():
            if order_id not in orders:
                hbt.submit_buy_order(0, order_id, price, lot, GTX, LIMIT, False)
        for order_id, price in new_asks.items():
            if order_id not in orders:
                hbt.submit_sell_order(0, order_id, price, lot, GTX, LIMIT, False)
    return steps


@njit
def run_arrays(hbt: Any, step_ns: int, tick: float, lot: float, limit: float) -> Any:
    """The same without typed dictionaries: whether a price is in a grid is arithmetic."""
    last_mid = 0.0
    variance = 0.0
    steps = 0
    while hbt.elapse(step_ns) == 0:
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        bid_ticks = depth.best_bid_tick
        ask_ticks = depth.best_ask_tick
        if bid_ticks == 2147483647 or ask_ticks == 2147483647 or bid_ticks >= ask_ticks or bid_ticks <= 0:
            continue
        steps += 1
        mid = 0.5 * (bid_ticks + ask_ticks)
        if last_mid != 0.0:
            variance += ((mid - last_mid) ** 2 - variance) / 100.0
        last_mid = mid
        position = round(hbt.position(0) / lot)
        bid, ask, step, bids, asks = grid_of(mid, bid_ticks, ask_ticks, position, variance, limit)
        orders = hbt.orders(0)
        values = orders.values()
        while values.has_next():
            order = values.get()
            if not order.cancellable:
                continue
            away = bid - int(order.order_id) if order.side == 1 else int(order.order_id) - ask
            count = bids if order.side == 1 else asks
            if away < 0 or away % step != 0 or away // step >= count:
                hbt.cancel(0, order.order_id, False)
        for i in range(bids):
            if uint64(bid - i * step) not in orders:
                hbt.submit_buy_order(0, uint64(bid - i * step), (bid - i * step) * tick, lot, GTX, LIMIT, False)
        for i in range(asks):
            if uint64(ask + i * step) not in orders:
                hbt.submit_sell_order(0, uint64(ask + i * step), (ask + i * step) * tick, lot, GTX, LIMIT, False)
    return steps


SCRIPTS = {"dictionaries": run_dictionaries, "arrays": run_arrays}


def once(given: argparse.Namespace, data: list[Any]) -> tuple[float, int, int]:
    """Return (seconds of the replay, steps, fills)."""
    low, high = float(data[0]["px"][data[0]["px"] > 0].min()), max(float(part["px"].max()) for part in data)
    asset = (
        BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(BACKTEST_LATENCY_NS, BACKTEST_LATENCY_NS)
        .power_prob_queue_model3(3.0)
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0001, 0.0005)
        .tick_size(given.tick)
        .lot_size(given.lot)
        .roi_lb(max(0.0, low - 100.0))
        .roi_ub(high + 100.0)
    )
    hbt = ROIVectorMarketDepthBacktest([asset])
    started = time.process_time()
    steps = SCRIPTS[given.script](hbt, round(given.step_ms * 1e6), given.tick, given.lot, 20.0)
    seconds = time.process_time() - started
    fills = int(hbt.state_values(0).num_trades)
    hbt.close()
    return seconds, int(steps), fills


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="+")
    parser.add_argument("--step-ms", type=float, default=100.0)
    parser.add_argument("--script", choices=sorted(SCRIPTS), default="dictionaries")
    parser.add_argument("--tick", type=float, default=0.1)
    parser.add_argument("--lot", type=float, default=0.001)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--raw", action="store_true", help="data is Binance's: converted, and that is timed")
    given = parser.parse_args()
    if given.raw:
        print(json.dumps(ingested(given)))
        return
    data = [np.load(path) for path in given.data]
    _, steps, fills = once(given, data)
    first_result_s = time.process_time()
    seconds, whole_seconds = sorted(_timed(given, data) for _ in range(given.turns))[given.turns // 2]
    print(json.dumps({
        "seconds": seconds, "whole_seconds": whole_seconds, "first_result_s": first_result_s, "peak_mb": peak_mb(),
        "steps": steps, "fills": fills,
    }))  # fmt: skip


def _timed(given: argparse.Namespace, data: list[Any]) -> tuple[float, float]:
    """Return how long one replay took, and one run with what comes before and after it."""
    begun = time.process_time()
    seconds, _, _ = once(given, data)
    return seconds, time.process_time() - begun


def ingested(given: argparse.Namespace) -> dict[str, float]:
    """Return the time of one conversion and run, machine code ready."""
    from hftbacktest.data.utils import binancefutures

    taken = []
    for _ in range(2):  # the first one compiles
        started = time.process_time()
        data = [binancefutures.convert(path) for path in given.data]
        once(given, data)
        taken.append(time.process_time() - started)
    return {"seconds": taken[-1]}


if __name__ == "__main__":
    main()
