"""The comparison of fills with hftbacktest, on what it would have logged: the peer itself is not needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backtest.data.container import EventFile, EventWriter, Header
from backtest.data.events import EVENT
from backtest.engine.records import CANCEL, INSERT
from backtest.engine.venue import VenueSettings
from benchmarks.fills_compare import Cause, Comparison, Fill, Log, compare
from fills.queue import QueueModel
from tests.engine_case import BUY, ENTRY_MS, MS, SETTINGS, T0_NS, Tape

END_NS = T0_NS + 1000 * MS


def file_of(folder: Path, tape: Tape, lot_size: float = 1.0) -> EventFile:
    path = folder / "tape.events"
    with EventWriter(path) as writer:
        writer.write(np.array(tape.bid(900, 90, 1).rows, EVENT))
        writer.finish(Header(instrument="TAPE", tick_size=1.0, lot_size=lot_size))
    return EventFile(path)


def buys(*prices: int, filled: dict[int, float], cancelled_ms: float | None = None) -> Log:
    """Buys that arrive at 10 ms, when theirs filled them (ms, by price), and when the others are cancelled."""
    sent = T0_NS + (10 - ENTRY_MS) * MS
    requests = [(sent, INSERT, price, BUY, price) for price in prices]
    if cancelled_ms is not None:
        gone = T0_NS + round(cancelled_ms - ENTRY_MS) * MS
        requests += [(gone, CANCEL, price, BUY, 0) for price in prices if price not in filled]
    fills = [(T0_NS + round(ms * MS), price, BUY, price, 1_000_000) for price, ms in filled.items()]
    return Log(np.array(requests, np.int64).reshape(-1, 5), np.array(fills, np.int64).reshape(-1, 5), END_NS)


def model(queue: QueueModel) -> VenueSettings:
    return VenueSettings(latency=SETTINGS.latency, queue_model=queue)


def causes(found: Comparison) -> list[Cause]:
    return [difference.cause for difference in found.differences]


def test_fills_at_the_same_time_and_price_are_equal(tmp_path: Path) -> None:
    file = file_of(tmp_path, Tape().book(0, {99: 10, 98: 5}, {101: 10}).sold(20, 99, 11).sold(30, 97, 1))
    found = compare(file, buys(99, 98, filled={99: 20, 98: 30}), SETTINGS, lots=1)
    assert (found.theirs, found.ours, found.equal, causes(found)) == (2, 2, 2, [])


def test_an_order_id_that_is_used_again_is_another_order(tmp_path: Path) -> None:
    file = file_of(tmp_path, Tape().book(0, {99: 10}, {101: 10}).sold(20, 99, 11).sold(60, 98, 1))
    log = buys(99, filled={99: 20})
    again = np.array([[T0_NS + 50 * MS, INSERT, 99, BUY, 99]], np.int64)
    refilled = np.array([[T0_NS + 60 * MS, 99, BUY, 99, 1_000_000]], np.int64)
    log = Log(np.concatenate([log.requests, again]), np.concatenate([log.fills, refilled]), END_NS)
    assert compare(file, log, SETTINGS, lots=1).equal == 2


def test_an_order_that_stood_behind_ours_fills_alone_only(tmp_path: Path) -> None:
    # Given twelve ahead at 98 and our order at 99, which takes one of the thirteen that are sold down to 98
    file = file_of(tmp_path, Tape().book(0, {99: 10, 98: 12}, {101: 10}).sold(20, 98, 13))
    found = compare(file, buys(99, 98, filled={99: 20, 98: 20}), SETTINGS, lots=1)
    assert (found.theirs, found.ours, found.equal, causes(found)) == (2, 1, 1, [Cause.SHARED])


def test_an_order_that_fills_in_parts_begins_when_theirs_fills_whole(tmp_path: Path) -> None:
    file = file_of(tmp_path, Tape().book(0, {99: 10}, {101: 10}).sold(20, 99, 12))
    found = compare(file, buys(99, filled={99: 20}), SETTINGS, lots=5)
    assert causes(found) == [Cause.PARTS]
    assert found.differences[0].ours == Fill(T0_NS + 20 * MS, BUY, 99, 2)


def test_trades_that_still_count_as_behind_explain_a_fill_of_ours(tmp_path: Path) -> None:
    # Ten ahead, ten behind, four traded, eight cancelled: 10³ of 10³ + 6³ behind us leave 4.58 ahead, 14³ of them 5.42
    tape = Tape().book(0, {99: 10}, {101: 10}).bid(20, 99, 20).sold(30, 99, 4).bid(31, 99, 8).sold(40, 99, 6)
    log = buys(99, filled={}, cancelled_ms=50)
    found = compare(file_of(tmp_path, tape), log, model(QueueModel.POWER1), lots=1)
    assert causes(found) == [Cause.BEHIND]


def test_sizes_in_base_units_explain_a_fill_of_theirs_by_logarithms(tmp_path: Path) -> None:
    # Eighty ahead, twenty behind, twenty cancelled: ln 21 of ln 21 + ln 81 behind leave 68.2 ahead, 20 of 100 64
    tape = Tape().book(0, {99: 80}, {101: 10}).bid(20, 99, 100).bid(30, 99, 80).sold(40, 99, 66)
    found = compare(file_of(tmp_path, tape, 0.001), buys(99, filled={99: 40}), model(QueueModel.LOG1), lots=1)
    assert causes(found) == [Cause.UNIT]


@pytest.mark.parametrize("queue", [QueueModel.RISK_AVERSE, QueueModel.LOG2])
def test_a_fill_that_no_rule_gives_is_unexplained(tmp_path: Path, queue: QueueModel) -> None:
    file = file_of(tmp_path, Tape().book(0, {99: 80}, {101: 10}).sold(20, 99, 10))
    found = compare(file, buys(99, filled={99: 20}), model(queue), lots=1)
    assert causes(found) == [Cause.UNEXPLAINED]


def test_what_theirs_could_not_hear_of_any_more_is_left_out(tmp_path: Path) -> None:
    file = file_of(tmp_path, Tape().book(0, {99: 10}, {101: 10}).sold(899, 99, 11))
    log = buys(99, filled={})
    found = compare(file, Log(log.requests, log.fills, T0_NS + 900 * MS), SETTINGS, lots=1)
    assert (found.ours, causes(found)) == (0, [])
