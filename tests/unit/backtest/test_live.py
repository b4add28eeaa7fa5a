"""A live session's orders and fills as the rows in which a backtest is told."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from backtest.engine.result import orders_of
from backtest.live import live_answers
from domain.codes import OrderEventKind
from domain.errors import UserError
from runtime.recordings.audit import FILE_NAME, SCHEMA, SCHEMA_VERSION

EVENT = "INSERT INTO order_events VALUES (?, ?, ?, 'BTC-PERPETUAL', 7, 'V7', 'sell', ?, 5, ?, ?, 1, '', 0, ?, ?)"
FILL = (
    "INSERT INTO fills VALUES "
    "('T', 'V7', 0, 200, 'BTC-PERPETUAL', 'sell', '50.5', '0.002', 7, 'maker', 1, -2, 190, ?, '0')"
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.executescript(SCHEMA)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("INSERT INTO instruments VALUES ('BTC-PERPETUAL', 0.5, 0.001, 1.0)")
    connection.execute(EVENT, (0, 100, "accepted", 101, 5, 0, 90, 1))
    connection.execute(EVENT, (1, 200, "filled", 101, 3, -2, 190, 2))
    connection.execute(EVENT, (2, 300, "cancelled", 101, 0, -2, 290, 3))
    connection.execute(FILL, ("0.00000505",))
    connection.commit()
    connection.close()
    return tmp_path


def test_an_order_is_told_from_its_acceptance_to_its_end_with_the_fee_of_its_fill_in_points(run: Path) -> None:
    answers = live_answers(run, "BTC-PERPETUAL")
    assert answers["kind"].tolist() == [OrderEventKind.ACCEPTED, OrderEventKind.FILLED, OrderEventKind.CANCELLED]
    assert answers["exchange_time_ns"].tolist() == [90, 190, 290]
    assert answers["local_time_ns"].tolist() == [100, 200, 300]
    fill = answers[1]
    assert (fill["price_ticks"], fill["size_lots"], fill["remaining_lots"], fill["position_lots"]) == (101, 2, 3, -2)
    assert fill["fee"] == 1_010_000  # 0.00000505 $ over 0.0005 $ for a point, in 1e-8
    (order,) = orders_of(answers)
    assert (order["order_id"], order["filled_lots"], order["end_kind"]) == (7, 2, OrderEventKind.CANCELLED)


def changed(run: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(run / FILE_NAME)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_fill_that_was_read_from_the_journal_first_leaves_its_order_open_as_the_event_says(run: Path) -> None:
    # Given the journal's stamp, before the event's, and an earlier fill of the order that left it at the same position
    changed(
        run,
        "UPDATE fills SET time_ns = 195",
        "INSERT INTO order_events SELECT 9, 150, kind, instrument, client_order_id, venue_order_id, side, price_ticks, "
        "size_lots, 4, position_lots, wish_id, reason, venue_code, 140, 9 FROM order_events WHERE kind = 'filled'",
    )
    answers = live_answers(run, "BTC-PERPETUAL")
    assert answers["local_time_ns"].tolist() == [100, 195, 300]
    assert answers["remaining_lots"].tolist() == [5, 3, 0]
    assert [order["end_kind"] for order in orders_of(answers)] == [OrderEventKind.CANCELLED]


def test_a_fill_whose_event_was_lost_leaves_what_there_was_less_the_fill(run: Path) -> None:
    changed(run, "DELETE FROM order_events WHERE kind = 'filled'", "UPDATE fills SET position_lots = NULL")
    assert live_answers(run, "BTC-PERPETUAL")["remaining_lots"].tolist() == [5, 3, 0]
    # If nothing is known of the order before, I expect nothing that remains
    changed(run, "DELETE FROM order_events WHERE kind = 'accepted'")
    assert live_answers(run, "BTC-PERPETUAL")["remaining_lots"].tolist() == [0, 0]


def test_an_instrument_that_the_run_had_not_has_no_answers(run: Path) -> None:
    assert len(live_answers(run, "ETH-PERPETUAL")) == 0


def test_a_run_without_a_trail_says_what_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no audit trail in this run; was \[recorder\] enabled"):
        live_answers(tmp_path, "BTC-PERPETUAL")
