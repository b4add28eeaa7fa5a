"""The grid of benchmarks/grid_strategy.py in hftbacktest, with its requests and fills logged. For benchmarks.fills.

python -m benchmarks.fills_theirs DATA.npy -o LOG.npz --queue risk_averse --lots 1 --tick 0.1 --lot 0.001
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from hftbacktest import GTX, LIMIT, BacktestAsset, ROIVectorMarketDepthBacktest
from numba import njit, uint64

from benchmarks.backtest_theirs import grid_of
from benchmarks.parameters import BACKTEST_LATENCY_NS

LIMIT_ORDERS = 20.0  # largest position, in orders
LOGGED_MAX = 4_000_000
NEW, CANCEL = 1, 3  # as in backtest/engine/records.py
_INVALID_TICK = 2147483647
_FILLED, _EXPIRED = 3, 2


@njit
def run_logged(hbt: Any, step_ns: int, tick: float, qty: float, limit: float, requests: Any, fills: Any) -> Any:
    """Run the script of `run_arrays`, and write what it sends and what it hears of fills.

    `requests`: (local time, kind, order id, side, price in ticks); `fills`: (exchange time, order id, side, price in
    ticks, filled part of the order in millionths). Returns (requests, fills, what stopped the run).
    """
    last_mid = 0.0
    variance = 0.0
    sent = 0
    filled = 0
    while True:
        stopped = hbt.elapse(step_ns)
        orders = hbt.orders(0)
        values = orders.values()
        while values.has_next():
            order = values.get()
            if order.status == _FILLED and filled < fills.shape[0]:
                fills[filled, 0] = order.exch_timestamp
                fills[filled, 1] = order.order_id
                fills[filled, 2] = order.side
                fills[filled, 3] = order.exec_price_tick
                fills[filled, 4] = round(order.exec_qty / qty * 1e6)
                filled += 1
        if stopped != 0:
            break
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        bid_ticks = depth.best_bid_tick
        ask_ticks = depth.best_ask_tick
        if bid_ticks == _INVALID_TICK or ask_ticks == _INVALID_TICK or bid_ticks >= ask_ticks or bid_ticks <= 0:
            continue
        mid = 0.5 * (bid_ticks + ask_ticks)
        if last_mid != 0.0:
            variance += ((mid - last_mid) ** 2 - variance) / 100.0
        last_mid = mid
        position = round(hbt.position(0) / qty)
        bid, ask, step, bids, asks = grid_of(mid, bid_ticks, ask_ticks, position, variance, limit)
        now_ns = hbt.current_timestamp
        values = orders.values()
        while values.has_next():
            order = values.get()
            if not order.cancellable:
                continue
            away = bid - int(order.order_id) if order.side == 1 else int(order.order_id) - ask
            count = bids if order.side == 1 else asks
            if away < 0 or away % step != 0 or away // step >= count:
                note(requests, sent, now_ns, CANCEL, order.order_id, order.side, 0)
                sent += 1
                hbt.cancel(0, order.order_id, False)
        for i in range(bids):
            ticks = bid - i * step
            if uint64(ticks) not in orders:
                note(requests, sent, now_ns, NEW, ticks, 1, ticks)
                sent += 1
                hbt.submit_buy_order(0, uint64(ticks), ticks * tick, qty, GTX, LIMIT, False)
        for i in range(asks):
            ticks = ask + i * step
            if uint64(ticks) not in orders:
                note(requests, sent, now_ns, NEW, ticks, -1, ticks)
                sent += 1
                hbt.submit_sell_order(0, uint64(ticks), ticks * tick, qty, GTX, LIMIT, False)
    return sent, filled, stopped


@njit
def note(requests: Any, place: int, now_ns: int, kind: int, order_id: int, side: int, ticks: int) -> None:
    """Write one request."""
    requests[place, 0] = now_ns
    requests[place, 1] = kind
    requests[place, 2] = order_id
    requests[place, 3] = side
    requests[place, 4] = ticks


QUEUES: dict[str, Callable[[Any], Any]] = {
    "risk_averse": lambda asset: asset.risk_adverse_queue_model(),
    "power1": lambda asset: asset.power_prob_queue_model(3.0),
    "power2": lambda asset: asset.power_prob_queue_model2(3.0),
    "power3": lambda asset: asset.power_prob_queue_model3(3.0),
    "log1": lambda asset: asset.log_prob_queue_model(),
    "log2": lambda asset: asset.log_prob_queue_model2(),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--output", "-o", required=True)
    parser.add_argument("--step-ms", type=float, default=100.0)
    parser.add_argument("--queue", choices=list(QUEUES), required=True)
    parser.add_argument("--lots", type=int, default=1)
    parser.add_argument("--tick", type=float, required=True)
    parser.add_argument("--lot", type=float, required=True)
    given = parser.parse_args()
    data = np.load(given.data)  # kept alive by this name: the asset keeps the address alone
    low, high = float(data["px"][data["px"] > 0].min()), float(data["px"].max())
    asset = BacktestAsset().data([data]).linear_asset(1.0)
    asset = asset.constant_order_latency(BACKTEST_LATENCY_NS, BACKTEST_LATENCY_NS)
    asset = QUEUES[given.queue](asset).no_partial_fill_exchange().trading_value_fee_model(0.0001, 0.0005)
    asset = asset.tick_size(given.tick).lot_size(given.lot).roi_lb(max(0.0, low - 100.0)).roi_ub(high + 100.0)
    hbt = ROIVectorMarketDepthBacktest([asset])
    requests, fills = np.zeros((LOGGED_MAX, 5), np.int64), np.zeros((LOGGED_MAX, 5), np.int64)
    sent, filled, stopped = run_logged(
        hbt, round(given.step_ms * 1e6), given.tick, given.lots * given.lot, LIMIT_ORDERS, requests, fills
    )
    end_ns = int(hbt.current_timestamp)
    hbt.close()
    np.savez(given.output, requests=requests[:sent], fills=fills[:filled], stopped=stopped, end_ns=end_ns)


if __name__ == "__main__":
    main()
