"""A session whose every fill, fee and profit is known by hand."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from backtest.engine.records import FillRule, Reason
from backtest.engine.replay import Outcome
from domain.codes import OrderEventKind
from domain.order import LiquiditySide
from tests.conftest import REPOSITORY
from tests.engine_case import ANSWER_MS, MS, T0_NS, known_session, played

MAKER, TAKER = LiquiditySide.MAKER, LiquiditySide.TAKER
ACCEPTED, AMENDED, CANCELLED, FILLED, REJECTED = (
    OrderEventKind.ACCEPTED, OrderEventKind.AMENDED, OrderEventKind.CANCELLED, OrderEventKind.FILLED,
    OrderEventKind.REJECTED,
)  # fmt: skip

# exchange time in ms, order, side, price, lots, left, maker or taker, rule
FILLS = [
    (40, 1, 1, 99, 2, 3, MAKER, FillRule.QUEUE),
    (50, 1, 1, 99, 1, 2, MAKER, FillRule.QUEUE),
    (60, 1, 1, 99, 1, 1, MAKER, FillRule.IMPROVED),
    (80, 1, 1, 99, 4, 0, MAKER, FillRule.QUEUE),
    (90, 2, -1, 101, 2, 6, MAKER, FillRule.QUEUE),
    (95, 2, -1, 101, 6, 0, MAKER, FillRule.TRADE_THROUGH),
    (110, 3, -1, 100, 3, 0, MAKER, FillRule.CROSSED),
    (120, 4, 1, 102, 20, 5, TAKER, FillRule.TAKEN),
    (130, 6, 1, 103, 4, 2, TAKER, FillRule.TAKEN),
    (140, 12, 1, 103, 1, 0, TAKER, FillRule.TAKEN),
    (155, 4, 1, 102, 5, 0, MAKER, FillRule.QUEUE),
    (155, 8, 1, 102, 1, 0, MAKER, FillRule.QUEUE),
    (166, 14, 1, 98, 1, 2, MAKER, FillRule.QUEUE),
    (168, 14, 1, 98, 2, 0, MAKER, FillRule.QUEUE),
]
# exchange time in ms, kind, order, price, size, left, reason
OTHERS = [
    (10, ACCEPTED, 1, 99, 5, 5, Reason.NONE),
    (10, ACCEPTED, 2, 101, 8, 8, Reason.NONE),
    (68, AMENDED, 1, 99, 10, 6, Reason.NONE),
    (73, AMENDED, 1, 99, 8, 4, Reason.NONE),
    (100, ACCEPTED, 3, 100, 3, 3, Reason.NONE),
    (120, ACCEPTED, 4, 102, 25, 25, Reason.NONE),
    (121, ACCEPTED, 5, 102, 3, 3, Reason.NONE),
    (121, CANCELLED, 5, 102, 3, 0, Reason.SELF_TRADE),
    (130, ACCEPTED, 6, 103, 6, 6, Reason.NONE),
    (130, CANCELLED, 6, 103, 6, 0, Reason.IMMEDIATE_OR_CANCEL),
    (131, ACCEPTED, 7, 103, 2, 2, Reason.NONE),
    (131, CANCELLED, 7, 103, 2, 0, Reason.IMMEDIATE_OR_CANCEL),
    (140, ACCEPTED, 12, 103, 1, 1, Reason.NONE),
    (143, ACCEPTED, 8, 102, 1, 1, Reason.NONE),
    (144, CANCELLED, 9, 105, 1, 0, Reason.WOULD_TAKE),
    (152, REJECTED, 99, 0, 0, 0, Reason.UNKNOWN_ORDER),
    (152, REJECTED, 8, 90, 1, 1, Reason.DUPLICATE_ID),
    (160, ACCEPTED, 10, 98, 2, 2, Reason.NONE),
    (161, CANCELLED, 10, 98, 2, 0, Reason.CLIENT),
    (162, ACCEPTED, 11, 110, 9, 9, Reason.NONE),
    (163, CANCELLED, 11, 110, 9, 0, Reason.CLIENT),
    (164, ACCEPTED, 14, 98, 3, 3, Reason.NONE),
]


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    return played(tmp_path, *known_session())


def told(answers: np.ndarray, *names: str) -> list[tuple[int, ...]]:
    times_ms = (answers["exchange_time_ns"] - T0_NS) // MS
    return list(zip(times_ms.tolist(), *(answers[name].tolist() for name in names), strict=True))


def test_the_session_has_thirty_events() -> None:
    tape, _ = known_session()
    assert len(tape.rows) == 30


def test_every_fill_is_as_known(outcome: Outcome) -> None:
    fills = outcome.answers[outcome.answers["kind"] == FILLED]
    names = ("order_id", "side", "price_ticks", "size_lots", "remaining_lots", "liquidity_side", "reason")
    assert told(fills, *names) == FILLS


def test_every_other_answer_is_as_known(outcome: Outcome) -> None:
    others = outcome.answers[outcome.answers["kind"] != FILLED]
    names = ("kind", "order_id", "price_ticks", "size_lots", "remaining_lots", "reason")
    assert told(others, *names) == OTHERS


def test_position_cash_and_fees_are_as_known(outcome: Outcome) -> None:
    venue = outcome.venue[0]
    assert venue["position_lots"] == 31 == outcome.answers["position_lots"][-1]
    assert venue["cash"] == -792 + 808 + 300 - 2040 - 412 - 103 - 510 - 102 - 294 == -3145
    fees = Decimal(int(venue["fees"])) * Decimal("1e-8")
    assert fees == Decimal("0.2806") + Decimal("1.2775")  # 1 bp of 2,806 and 5 bp of 2,555
    assert outcome.answers["fee"].sum() == venue["fees"]
    worth = Decimal(int(venue["cash"])) + 31 * Decimal("100.5")  # at the mid of 98 and 103
    assert worth - fees == Decimal("-31.0581")
    assert (venue["fills"], venue["volume_lots"], venue["taken_lots"]) == (14, 53, 25)


def test_answers_come_after_their_latency_and_in_order(outcome: Outcome) -> None:
    answers = outcome.answers
    assert np.all(answers["local_time_ns"] - answers["exchange_time_ns"] == ANSWER_MS * MS)
    assert np.all(np.diff(answers["exchange_time_ns"]) >= 0)


def test_what_arrives_after_the_end_is_not_served(outcome: Outcome) -> None:
    _, orders = known_session()
    assert outcome.served == len(orders.rows) - 1
    assert len(outcome.orders) == 0


@pytest.mark.slow  # compiles the exchange where its sources are new
def test_compiled_and_interpreted_give_the_same_answers(outcome: Outcome) -> None:
    command = [sys.executable, "-m", "tests.engine_case"]
    compiled = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True).stdout
    assert compiled == outcome.answers.tobytes()
