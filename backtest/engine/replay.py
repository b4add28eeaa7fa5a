"""Plays a list of requests against a recording: what would the exchange have made of them?

The engine without a strategy: for known answers, and to score the queue model on the requests of a session of ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backtest.book import Ladder, apply_row, centre_of, new_book, recentre
from backtest.data.container import EventFile
from backtest.data.events import AT_EXCHANGE, FINAL
from backtest.engine.fills import note_market, note_row
from backtest.engine.records import ANSWER, ORDER, ORDERS_MAX, REQUEST
from backtest.engine.requests import serve
from backtest.engine.venue import Latency, VenueSettings, new_venue
from domain.jit import Array, Record, kernel

ANSWERS_AT_ONCE = 1 << 14
ANSWERS_OF_A_ROW_MAX = 2 * ORDERS_MAX + 8
_ROWS_AT_ONCE = 1 << 20


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
    book = new_book(centre_of(file.rows))
    block = np.zeros(ANSWERS_AT_ONCE, ANSWER)
    cursor = np.zeros(2, np.int64)  # next row of the block, next request
    told = []
    for first in range(0, len(file.rows), _ROWS_AT_ONCE):
        rows = np.array(file.rows[first : first + _ROWS_AT_ONCE])
        cursor[0] = 0
        while cursor[0] < len(rows):
            _play(venue, orders, book, rows, requests, cursor, block)
            told.append(block[: int(venue["answers"][0])].copy())
            venue["answers"] = 0
    answers = np.concatenate(told) if told else np.zeros(0, ANSWER)
    return Outcome(answers, venue, orders[orders["is_open"] == 1], int(cursor[1]))


def _play(
    venue: npt.NDArray[np.void], orders: npt.NDArray[np.void], book: Ladder, rows: npt.NDArray[np.void],
    requests: npt.NDArray[np.void], cursor: npt.NDArray[np.int64], answers: npt.NDArray[np.void],
) -> None:  # fmt: skip
    play(venue[0], orders, book.state[0], book.bids, book.asks, rows, requests, cursor, answers)


@kernel
def play(
    venue: Record, orders: Array, book: Record, bids: Array, asks: Array, rows: Array, requests: Array, cursor: Array,
    answers: Array,
) -> None:  # fmt: skip
    """Play rows and requests from `cursor` on, until the rows end or the answers fill up.

    A row stands before a request that arrives at the same time.
    """
    i = cursor[0]
    k = cursor[1]
    room = answers.shape[0] - ANSWERS_OF_A_ROW_MAX
    while i < rows.shape[0] and venue["answers"] < room:
        row = rows[i]
        flags = row["flags"]
        if flags & AT_EXCHANGE == 0:
            i += 1
            continue
        if k < requests.shape[0] and requests[k]["arrival_time_ns"] < row["exchange_time_ns"]:
            serve(venue, orders, book, bids, asks, requests[k], answers)
            k += 1
            continue
        apply_row(book, bids, asks, row, True)
        if venue["open_orders"] > 0:
            note_row(venue, orders, book, bids, asks, row, answers)
        if flags & FINAL != 0:
            recentre(book, bids, asks)
            note_market(venue, book)
        i += 1
    cursor[0] = i
    cursor[1] = k
