"""When an order was amended: the venue tells when it was created, so the moment is found from when we heard of it."""

from __future__ import annotations

import numpy as np

from backtest.engine.records import ANSWER
from backtest.live import by_exchange_time
from domain.codes import OrderEventKind

MS = 10**6
ACCEPTED, AMENDED, FILLED = OrderEventKind.ACCEPTED, OrderEventKind.AMENDED, OrderEventKind.FILLED


def told(*rows: tuple[int, int, float, float]) -> np.ndarray:
    """Return ANSWER rows: (kind, order, the exchange's ms, ours)."""
    answers = np.zeros(len(rows), ANSWER)
    for answer, (kind, order, theirs, ours) in zip(answers, rows, strict=True):
        answer["kind"], answer["order_id"] = kind, order
        answer["exchange_time_ns"], answer["local_time_ns"] = round(theirs * MS), round(ours * MS)
    return answers


def times(answers: np.ndarray) -> list[tuple[int, int, float]]:
    found = by_exchange_time(answers)
    names = ("kind", "order_id", "exchange_time_ns")
    return [(kind, order, ns / MS) for kind, order, ns in zip(*(found[name].tolist() for name in names), strict=True)]


def test_an_amend_happened_the_median_way_back_before_we_heard_of_it() -> None:
    # Given a way back of 2 ms, and an order of 10 ms amended as we hear at 100 ms, when it was created
    answers = told((ACCEPTED, 1, 10, 12), (ACCEPTED, 2, 50, 52), (AMENDED, 1, 10, 100))
    assert times(answers) == [(ACCEPTED, 1, 10), (ACCEPTED, 2, 50), (AMENDED, 1, 98)]


def test_an_amend_never_comes_after_the_fill_that_followed_it() -> None:
    # Given a fill at 97 ms whose news took long, after that of an amend
    answers = told((ACCEPTED, 1, 10, 12), (AMENDED, 1, 10, 100), (FILLED, 1, 97, 101))
    assert times(answers) == [(ACCEPTED, 1, 10), (AMENDED, 1, 97), (FILLED, 1, 97)]


def test_fills_of_others_orders_keep_their_times() -> None:
    answers = told((FILLED, 0, 40, 60), (FILLED, 0, 30, 61))
    assert times(answers) == [(FILLED, 0, 30), (FILLED, 0, 40)]
