"""Single rules of the simulated exchange: queues by model, latency, order of our own orders, limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backtest.engine.records import ORDERS_MAX, FillRule, Reason
from backtest.engine.replay import Outcome
from backtest.engine.venue import Latency, VenueSettings
from domain.codes import OrderEventKind
from fills.queue import QueueModel
from tests.engine_case import BUY, MS, SELL, T0_NS, Orders, Tape, played

FILLED, REJECTED = OrderEventKind.FILLED, OrderEventKind.REJECTED


def fills(outcome: Outcome) -> list[tuple[int, int, int]]:
    """Return (order, lots, rule) of every fill."""
    rows = outcome.answers[outcome.answers["kind"] == FILLED]
    return list(zip(rows["order_id"].tolist(), rows["size_lots"].tolist(), rows["reason"].tolist(), strict=True))


def start() -> Tape:
    return Tape().book(0, {99: 80}, {101: 80})


@pytest.mark.parametrize(
    ("model", "filled"),
    [
        # 80 ahead, 20 join behind, then 20 cancel; a trade of 81 fills what comes through
        (QueueModel.RISK_AVERSE, 1),  # all behind: 80 ahead
        (QueueModel.POWER1, 20),  # 20³ of 20³ + 80³ behind: 60.3 ahead
        (QueueModel.POWER2, 20),  # 0.2³ behind: 60.2 ahead
        (QueueModel.POWER3, 11),  # 1 − 0.8³ behind: 69.8 ahead
        (QueueModel.LOG1, 12),  # ln 21 / (ln 21 + ln 81) behind: 68.2 ahead
        (QueueModel.LOG2, 7),  # ln 21 / ln 101 behind: 73.2 ahead
    ],
)
def test_queue_models_share_cancels_between_ahead_and_behind(tmp_path: Path, model: QueueModel, filled: int) -> None:
    tape = start().bid(20, 99, 100).bid(30, 99, 80).sold(40, 99, 81)
    orders = Orders().insert(10, 1, BUY, 99, 30)
    outcome = played(tmp_path, tape, orders, VenueSettings(queue_model=model))
    assert fills(outcome) == [(1, filled, FillRule.QUEUE)]


def test_own_orders_at_one_price_fill_in_their_order_and_share_one_queue(tmp_path: Path) -> None:
    tape = start().sold(40, 99, 83).sold(50, 99, 3)
    orders = Orders().insert(10, 1, BUY, 99, 2).insert(11, 2, BUY, 99, 3)
    assert fills(played(tmp_path, tape, orders)) == [
        (1, 2, FillRule.QUEUE),
        (2, 1, FillRule.QUEUE),
        (2, 2, FillRule.QUEUE),
    ]


def test_what_comes_through_the_queue_is_booked_as_it_comes_and_no_more_than_that(tmp_path: Path) -> None:
    # Given twenty ahead of our ten: hftbacktest books nothing of the first fill with partial fills, all ten without
    tape = Tape().book(0, {99: 20}, {101: 20}).sold(20, 99, 24).sold(30, 99, 6).sold(40, 99, 5)
    outcome = played(tmp_path, tape, Orders().insert(10, 1, BUY, 99, 10))
    # Then four come through, the six that are left to the last lot, and the trade after that meets nobody
    assert fills(outcome) == [(1, 4, FillRule.QUEUE), (1, 6, FillRule.QUEUE)]
    assert outcome.answers["position_lots"].tolist() == [0, 4, 10]
    assert outcome.venue["position_lots"][0] == 10
    assert len(outcome.orders) == 0


def test_better_priced_orders_are_met_first_and_use_a_trade_up(tmp_path: Path) -> None:
    tape = Tape().book(0, {97: 5}, {103: 5}).sold(20, 98, 4)
    orders = Orders().insert(10, 1, BUY, 98, 3).insert(11, 2, BUY, 100, 3)
    assert fills(played(tmp_path, tape, orders)) == [(2, 3, FillRule.IMPROVED), (1, 1, FillRule.QUEUE)]


def test_an_order_is_not_there_before_it_arrives_nor_gone_before_its_cancel_does(tmp_path: Path) -> None:
    tape = start().sold(9, 98, 1).sold(20, 98, 1).sold(40, 98, 1)
    late = Orders().insert(10, 1, BUY, 99, 5).cancel(21, 1)
    assert fills(played(tmp_path, tape, late)) == [(1, 5, FillRule.TRADE_THROUGH)]
    early = Orders().insert(10, 1, BUY, 99, 5).cancel(19, 1)
    assert fills(played(tmp_path, tape, early)) == []


def test_latency_is_by_kind_and_no_request_overtakes_another(tmp_path: Path) -> None:
    latency = Latency(entry_ns=(8 * MS, 0, MS, 0), answer_ns=(2 * MS, 0, 5 * MS, 0), fill_ns=MS)
    tape = start().bid(50, 90, 1)
    orders = Orders().insert(10, 1, BUY, 99, 5).cancel(11, 1)  # sent at 8 and 9 ms
    answers = played(tmp_path, tape, orders, VenueSettings(latency=latency)).answers
    assert ((answers["exchange_time_ns"] - T0_NS) // MS).tolist() == [16, 16]
    assert ((answers["local_time_ns"] - T0_NS) // MS).tolist() == [18, 21]


def test_orders_beyond_what_may_be_open_are_rejected(tmp_path: Path) -> None:
    orders = Orders()
    for i in range(ORDERS_MAX + 1):
        orders.insert(10, i + 1, SELL, 200 + i, 1)
    outcome = played(tmp_path, start().bid(50, 90, 1), orders)
    rejected = outcome.answers[outcome.answers["kind"] == REJECTED]
    assert rejected[["order_id", "reason"]].tolist() == [(ORDERS_MAX + 1, Reason.TOO_MANY_ORDERS)]
    assert len(outcome.orders) == ORDERS_MAX


def test_an_order_outside_of_the_books_window_waits_and_does_not_fill(tmp_path: Path) -> None:
    tape = start().sold(40, 99, 5)
    orders = Orders().insert(10, 1, BUY, 99 - (1 << 17), 2)
    outcome = played(tmp_path, tape, orders)
    assert fills(outcome) == []
    assert len(outcome.orders) == 1


def test_answers_survive_more_of_them_than_fit_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape, orders = start(), Orders()
    for i in range(400):
        orders.insert(10 + i, i + 1, BUY, 99, 1)
        tape.sold(10.5 + i, 98, 1)
    whole = played(tmp_path, tape, orders)
    monkeypatch.setattr("backtest.engine.replay.ANSWERS_AT_ONCE", 2 * ORDERS_MAX + 40)
    parts = played(tmp_path, tape, orders)
    assert len(fills(whole)) == 400
    assert np.array_equal(whole.answers, parts.answers)
