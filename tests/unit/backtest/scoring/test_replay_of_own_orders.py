"""A session's own orders played again: out of the recorded book, and back as requests at the same moments."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backtest.data.container import EventFile, EventWriter
from backtest.data.events import ASK, BID, KIND_MASK, LEVEL
from backtest.engine.records import AMEND, ANSWER, CANCEL, INSERT
from backtest.engine.replay import replay
from backtest.engine.venue import Latency, VenueSettings
from backtest.scoring.others import without_own
from backtest.scoring.requests import GRACE_NS, own_requests
from domain.codes import OrderEventKind
from fills.queue import QueueModel
from tests.engine_case import BUY, MS, SELL, T0_NS, Orders, Tape, known_session, played

ACCEPTED, CANCELLED, FILLED = OrderEventKind.ACCEPTED, OrderEventKind.CANCELLED, OrderEventKind.FILLED
INSTANT = VenueSettings(latency=Latency.constant(0, 0), queue_model=QueueModel.RISK_AVERSE)


def answers_of(*rows: tuple[float, int, int, int, int, int]) -> np.ndarray:
    """Return ANSWER rows: (ms, kind, order, side, ticks, remaining)."""
    answers = np.zeros(len(rows), ANSWER)
    for answer, (time_ms, kind, order, side, ticks, remaining) in zip(answers, rows, strict=True):
        answer["exchange_time_ns"] = answer["local_time_ns"] = T0_NS + round(time_ms * MS)
        answer["kind"], answer["order_id"], answer["side"] = kind, order, side
        answer["price_ticks"], answer["size_lots"], answer["remaining_lots"] = ticks, 5, remaining
    return answers


def levels(rows: np.ndarray) -> list[tuple[float, int, int, int]]:
    """Return (ms, side, ticks, lots) of the level rows."""
    found = rows[rows["flags"] & KIND_MASK == LEVEL]
    return [
        ((int(row["exchange_time_ns"]) - T0_NS) / MS, int(row["flags"]) & (BID | ASK), int(row["price_ticks"]),
         int(row["size_lots"]))
        for row in found
    ]  # fmt: skip


def test_our_lots_are_taken_off_the_levels_on_which_they_stood(tmp_path: Path) -> None:
    # Given 5 lots of ours in the bid at 99 from 10 ms until they are cancelled at 40 ms
    tape = Tape().book(0, {99: 10}, {101: 10}).bid(20, 99, 15).bid(30, 99, 12).bid(50, 99, 7).bid(60, 98, 3)
    played(tmp_path, tape, Orders().insert(5, 1, BUY, 90, 1))
    ours = answers_of((10, ACCEPTED, 1, BUY, 99, 5), (40, CANCELLED, 1, BUY, 99, 0))
    others = np.concatenate(list(without_own(EventFile(tmp_path / "tape.events"), ours)))
    # I expect the others alone at every message
    assert levels(others)[2:] == [(20, BID, 99, 10), (30, BID, 99, 7), (50, BID, 99, 7), (60, BID, 98, 3)]


def test_a_level_where_only_our_part_changed_is_told_anew(tmp_path: Path) -> None:
    # Given that at 30 ms our 5 lots left the level, and as many of another's came: the whole did not change
    tape = Tape().book(0, {99: 10}, {101: 10}).bid(20, 99, 15).ask(40, 102, 4)
    played(tmp_path, tape, Orders().insert(5, 1, BUY, 90, 1))
    ours = answers_of((10, ACCEPTED, 1, BUY, 99, 5), (30, CANCELLED, 1, BUY, 99, 0))
    others = np.concatenate(list(without_own(EventFile(tmp_path / "tape.events"), ours)))
    assert (40, BID, 99, 15) in levels(others)
    assert others["flags"][-1] & ASK  # the message's own last row still ends it


def test_requests_are_what_the_exchange_carried_out_and_when() -> None:
    answers = answers_of(
        (10, ACCEPTED, 1, BUY, 99, 5), (20, OrderEventKind.AMENDED, 1, BUY, 98, 5), (30, FILLED, 1, BUY, 98, 2),
        (35, ACCEPTED, 2, SELL, 101, 5), (40, FILLED, 1, BUY, 98, 0), (50, OrderEventKind.REJECTED, 2, SELL, 101, 5),
        (60, CANCELLED, 2, SELL, 101, 0), (70, FILLED, 0, BUY, 98, 0),
    )  # fmt: skip
    requests = own_requests(answers)
    told = [
        ((int(row["local_time_ns"]) - T0_NS) / MS, int(row["kind"]), int(row["order_id"]), int(row["price_ticks"]))
        for row in requests
    ]
    assert told == [
        (10, INSERT, 1, 99), (20, AMEND, 1, 98), (35, INSERT, 2, 101), (60, CANCEL, 2, 101),
        (40 + GRACE_NS / MS, CANCEL, 1, 98),
    ]  # fmt: skip


def test_orders_played_again_under_the_same_rules_are_filled_as_before(tmp_path: Path) -> None:
    # Given what the simulated exchange told of two orders that rested, were amended and filled in parts
    before = played(tmp_path, *known_session(), settings=INSTANT).answers
    before = before[np.isin(before["order_id"], (1, 2))]
    # If they are played again from what was told
    again = replay(EventFile(tmp_path / "tape.events"), own_requests(before), INSTANT).answers

    def fills(answers: np.ndarray) -> list[tuple[int, ...]]:
        told = answers[answers["kind"] == FILLED]
        names = ("exchange_time_ns", "order_id", "price_ticks", "size_lots", "reason")
        return list(zip(*(told[name].tolist() for name in names), strict=True))

    # I expect the same fills, at the same moments, by the same rules
    assert len(fills(before)) == 6
    assert fills(again) == fills(before)


def test_what_is_written_without_us_can_be_read_again(tmp_path: Path) -> None:
    tape = Tape().book(0, {99: 10}, {101: 10}).bid(20, 99, 15)
    played(tmp_path, tape, Orders().insert(5, 1, BUY, 90, 1))
    file = EventFile(tmp_path / "tape.events")
    with EventWriter(tmp_path / "others.events") as writer:
        for rows in without_own(file, answers_of((10, ACCEPTED, 1, BUY, 99, 5))):
            writer.write(rows)
        writer.finish(file.header)
    assert len(EventFile(tmp_path / "others.events").rows) == len(file.rows)
