"""Plays a list of requests against a recording: what would the exchange have made of them?

The engine without a strategy: for known answers, and to score the queue model on the requests of a session of ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backtest.data.container import EventFile
from backtest.engine.account import reckon_funding
from backtest.engine.market import new_levels, play_market
from backtest.engine.records import ANSWER, NEVER, ORDER, ORDERS_MAX, REQUEST
from backtest.engine.requests import serve
from backtest.engine.tape import require_orders, tape_of
from backtest.engine.venue import Latency, VenueSettings, new_venue
from backtest.engine.weave import is_cut
from domain.jit import Array, Record, kernel

ANSWERS_AT_ONCE = 1 << 14
ANSWERS_OF_A_ROW_MAX = 2 * ORDERS_MAX + 8


class Outcome(NamedTuple):
    """What came of it.

    Attributes:
        answers: ANSWER rows in the exchange's order.
        venue: the engine's state at the end, VENUE, shape (1,).
        orders: open orders at the end, ORDER rows.
        served: requests that arrived before the recording ended.
    """

    answers: npt.NDArray[np.void]
    venue: npt.NDArray[np.void]
    orders: npt.NDArray[np.void]
    served: int


def arrivals(requests: npt.NDArray[np.void], latency: Latency) -> npt.NDArray[np.void]:
    """Return the requests with their times of arrival; on one connection none overtakes another."""
    requests = requests.copy()
    entry_ns = np.array((0, *latency.entry_ns))
    requests["arrival_time_ns"] = np.maximum.accumulate(requests["local_time_ns"] + entry_ns[requests["kind"]])
    return requests


def replay(file: EventFile, requests: npt.NDArray[np.void], settings: VenueSettings) -> Outcome:
    """Play REQUEST rows, ordered by `local_time_ns`, against a recording.

    Requests that arrive after the last row are not served. Same input, same answers.
    """
    assert requests.dtype == REQUEST
    assert np.all(np.diff(requests["local_time_ns"]) >= 0), "requests must be in order of time"
    requests = arrivals(requests, settings.latency)
    venue, orders = new_venue(settings), np.zeros(ORDERS_MAX, ORDER)
    levels = new_levels()
    answers = np.zeros(ANSWERS_AT_ONCE, ANSWER)
    cursor = np.zeros(2, np.int64)  # next row of the block, next request
    tape = tape_of(file)
    require_orders(file, tape, settings.queue_model)
    venue["arrivals"] = tape.header.arrivals
    told = []
    first = 0
    while first < tape.header.rows[0]:
        rows = tape.block(0, first)
        cursor[0] = 0
        while not is_cut(rows, cursor[0]):
            play(venue[0], orders, levels[0], rows, requests, cursor, answers)
            told.append(answers[: int(venue["answers"][0])].copy())
            venue["answers"] = 0
        first += int(cursor[0])
    reckon_funding(venue[0], tape.header.end_ns)
    found = np.concatenate(told) if told else np.zeros(0, ANSWER)
    return Outcome(found, venue, orders[orders["is_open"] == 1], int(cursor[1]))


@kernel
def play(
    venue: Record, orders: Array, levels: Record, rows: Array, requests: Array, cursor: Array, answers: Array
) -> None:
    """Play rows and requests from `cursor` on, until the rows end or the answers fill up.

    A row stands before a request that arrives at the same time.
    """
    room = answers.shape[0] - ANSWERS_OF_A_ROW_MAX
    while not is_cut(rows, cursor[0]) and venue["answers"] < room:
        until_ns = requests[cursor[1]]["arrival_time_ns"] if cursor[1] < requests.shape[0] else NEVER
        told = venue["answers"]
        cursor[0] = play_market(venue, orders, levels, rows, cursor[0], until_ns, answers)
        if venue["answers"] == told and not is_cut(rows, cursor[0]) and cursor[1] < requests.shape[0]:
            serve(venue, orders, levels, requests[cursor[1]], answers)
            cursor[1] += 1
