"""What we had in the market once a second, from what the exchange told: quotes, position, cash, time quoted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from backtest.engine.result import SERIES
from domain.codes import OrderEventKind
from domain.jit import Array, Record, kernel

OPEN_MAX = 1024  # orders open at one time
_ACCEPTED = int(OrderEventKind.ACCEPTED)
_AMENDED = int(OrderEventKind.AMENDED)
_CANCELLED = int(OrderEventKind.CANCELLED)
_FILLED = int(OrderEventKind.FILLED)
_REJECTED = int(OrderEventKind.REJECTED)
_OPEN = np.dtype([("order_id", "<i8"), ("side", "<i8"), ("price_ticks", "<i8")])
_DESK = np.dtype([(name, "<i8") for name in ("open_orders", "since_ns")])


def own_series(answers: npt.NDArray[np.void], times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.void]:
    """Return SERIES rows at each time, with all that is ours filled in; a moment sees what happened at it.

    Args:
        answers: ANSWER rows by exchange time.
        times_ns: exchange time, in order; quoted time is counted from the first one on.
    """
    series = np.zeros(len(times_ns), SERIES)
    series["time_ns"] = times_ns
    desk = np.zeros(1, _DESK)
    desk["since_ns"] = times_ns[0]
    follow(answers, np.zeros(OPEN_MAX, _OPEN), desk[0], np.zeros(1, SERIES)[0], series)
    return series


@kernel
def follow(answers: Array, orders: Array, desk: Record, own: Record, series: Array) -> None:
    """Go through the answers, and note what we have at the time of each row of the series."""
    i = 0
    for k in range(series.shape[0]):
        row = series[k]
        while i < answers.shape[0] and answers[i]["exchange_time_ns"] <= row["time_ns"]:
            _count_time(desk, own, answers[i]["exchange_time_ns"])
            _take(orders, desk, own, answers[i])
            i += 1
        _count_time(desk, own, row["time_ns"])
        row["own_bid_ticks"] = own["own_bid_ticks"]
        row["own_ask_ticks"] = own["own_ask_ticks"]
        row["position_lots"] = own["position_lots"]
        row["cash"] = own["cash"]
        row["fees"] = own["fees"]
        row["fills"] = own["fills"]
        row["volume_lots"] = own["volume_lots"]
        row["bid_quoted_ns"] = own["bid_quoted_ns"]
        row["ask_quoted_ns"] = own["ask_quoted_ns"]


@kernel
def _count_time(desk: Record, own: Record, time_ns: int) -> None:
    passed = max(0, time_ns - desk["since_ns"])
    if own["own_bid_ticks"] != 0:
        own["bid_quoted_ns"] += passed
    if own["own_ask_ticks"] != 0:
        own["ask_quoted_ns"] += passed
    desk["since_ns"] = max(desk["since_ns"], time_ns)


@kernel
def _take(orders: Array, desk: Record, own: Record, answer: Record) -> None:
    kind = answer["kind"]
    if kind == _FILLED:
        signed = answer["side"] * answer["size_lots"]
        own["position_lots"] += signed
        own["cash"] -= signed * answer["price_ticks"]
        own["fees"] += answer["fee"]
        own["fills"] += 1
        own["volume_lots"] += answer["size_lots"]
    place = 0
    while place < desk["open_orders"] and orders[place]["order_id"] != answer["order_id"]:
        place += 1
    is_known = place < desk["open_orders"]
    if kind in (_ACCEPTED, _AMENDED) and answer["remaining_lots"] > 0:
        if not is_known:
            assert place < orders.shape[0], "more open orders than are followed"
            desk["open_orders"] += 1
        order = orders[place]
        order["order_id"] = answer["order_id"]
        order["side"] = answer["side"]
        order["price_ticks"] = answer["price_ticks"]
    elif is_known and answer["remaining_lots"] <= 0 and kind in (_CANCELLED, _FILLED, _REJECTED):
        desk["open_orders"] -= 1
        last = orders[desk["open_orders"]]
        order = orders[place]
        order["order_id"] = last["order_id"]
        order["side"] = last["side"]
        order["price_ticks"] = last["price_ticks"]
    own["own_bid_ticks"] = 0
    own["own_ask_ticks"] = 0
    for i in range(desk["open_orders"]):
        ticks = orders[i]["price_ticks"]
        if orders[i]["side"] > 0:
            own["own_bid_ticks"] = max(own["own_bid_ticks"], ticks)
        elif own["own_ask_ticks"] == 0 or ticks < own["own_ask_ticks"]:
            own["own_ask_ticks"] = ticks
