"""A recorded market and requests written by hand, for tests of the engine. Tick 1 $, lot 1, times in ms.

Run as a process it prints the answers of the known session: `python -m tests.engine_case`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from domain import jit

if __name__ == "__main__":
    os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

import numpy as np

from backtest.data.container import EventFile, EventWriter, Header
from backtest.data.events import ASK, BEST, BID, BOTH_SIDES, CLEAR, EVENT, EVERY_PRICE, FINAL, LEVEL, TRADE
from backtest.engine.records import (
    AMEND,
    CANCEL,
    CANCEL_ALL,
    IMMEDIATE_OR_CANCEL,
    INSERT,
    POST_ONLY,
    REJECT_POST_ONLY,
    REQUEST,
)
from backtest.engine.replay import Outcome, replay
from backtest.engine.venue import Latency, VenueSettings
from fills.queue import QueueModel

MS = 1_000_000
T0_NS = 1_700_000_000_000 * MS
BUY, SELL = 1, -1
ENTRY_MS, ANSWER_MS = 2, 3
SETTINGS = VenueSettings(latency=Latency.constant(ENTRY_MS * MS, ANSWER_MS * MS), queue_model=QueueModel.RISK_AVERSE)


class Tape:
    """Rows of a recording, each one a message."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, int, int, int]] = []

    def add(self, time_ms: float, flags: int, ticks: int, lots: int) -> Tape:
        time_ns = T0_NS + round(time_ms * MS)
        self.rows.append((time_ns, time_ns + MS, flags | FINAL | BOTH_SIDES, ticks, lots, 0))
        return self

    def book(self, time_ms: float, bids: dict[int, int], asks: dict[int, int]) -> Tape:
        """A whole book: everything else is cleared."""
        for side, levels in ((BID, bids), (ASK, asks)):
            self.add(time_ms, CLEAR | side, EVERY_PRICE, 0)
            for ticks, lots in levels.items():
                self.add(time_ms, LEVEL | side, ticks, lots)
        return self

    def bid(self, time_ms: float, ticks: int, lots: int) -> Tape:
        return self.add(time_ms, LEVEL | BID, ticks, lots)

    def ask(self, time_ms: float, ticks: int, lots: int) -> Tape:
        return self.add(time_ms, LEVEL | ASK, ticks, lots)

    def best_bid(self, time_ms: float, ticks: int, lots: int) -> Tape:
        return self.add(time_ms, BEST | BID, ticks, lots)

    def bought(self, time_ms: float, ticks: int, lots: int) -> Tape:
        """A buyer crossed."""
        return self.add(time_ms, TRADE | BID, ticks, lots)

    def sold(self, time_ms: float, ticks: int, lots: int) -> Tape:
        return self.add(time_ms, TRADE | ASK, ticks, lots)


class Orders:
    """Our requests, told by when they arrive."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ...]] = []

    def _add(
        self, arrival_ms: float, kind: int, order_id: int, side: int = 0, ticks: int = 0, lots: int = 0, flags: int = 0
    ) -> Orders:
        local_ns = T0_NS + round((arrival_ms - ENTRY_MS) * MS)
        self.rows.append((local_ns, 0, kind, order_id, side, ticks, lots, flags))
        return self

    def insert(
        self, arrival_ms: float, order_id: int, side: int, ticks: int, lots: int, flags: int = POST_ONLY
    ) -> Orders:
        return self._add(arrival_ms, INSERT, order_id, side, ticks, lots, flags)

    def amend(self, arrival_ms: float, order_id: int, ticks: int, lots: int) -> Orders:
        return self._add(arrival_ms, AMEND, order_id, 0, ticks, lots)

    def cancel(self, arrival_ms: float, order_id: int) -> Orders:
        return self._add(arrival_ms, CANCEL, order_id)

    def cancel_all(self, arrival_ms: float) -> Orders:
        return self._add(arrival_ms, CANCEL_ALL, 0)


def played(folder: Path, tape: Tape, orders: Orders, settings: VenueSettings = SETTINGS) -> Outcome:
    """Write the tape as an event file and play the orders against it."""
    path = folder / "tape.events"
    with EventWriter(path) as writer:
        writer.write(np.array(tape.rows, EVENT))
        writer.finish(Header(instrument="TAPE", tick_size=1.0, lot_size=1.0))
    return replay(EventFile(path), np.array(orders.rows, REQUEST), settings)


def known_session() -> tuple[Tape, Orders]:
    """Thirty events and every rule by which an order fills, or does not; the answers stand in the test."""
    tape = Tape().book(0, {99: 10, 98: 20}, {101: 10, 102: 20})
    orders = Orders().insert(10, 1, BUY, 99, 5).insert(10, 2, SELL, 101, 8)
    tape.sold(20, 99, 4).bid(21, 99, 6)  # six left ahead
    tape.bid(30, 99, 3)  # three cancelled: nobody stands behind us, so ahead
    tape.sold(40, 99, 5).bid(41, 99, 0)  # three pass, two are ours
    tape.sold(50, 99, 1)
    tape.sold(60, 98, 1)  # we alone at 99: it meets us first, with its one lot
    orders.amend(68, 1, 99, 10)  # larger: to the end of the queue, which is empty
    tape.bid(70, 99, 7)  # joins behind us
    orders.amend(73, 1, 99, 8)  # smaller: keeps its place
    tape.sold(80, 99, 4)  # exactly what is left
    tape.bought(90, 101, 12)  # two come through the ten ahead
    tape.bought(95, 103, 1).ask(96, 101, 0)  # beyond our price: the rest of it
    orders.insert(100, 3, SELL, 100, 3)
    tape.bid(110, 100, 5).bid(115, 100, 0)  # the other side comes to our price
    orders.insert(120, 4, BUY, 102, 25, flags=0)  # takes the twenty there are, rests with five
    orders.insert(121, 5, SELL, 102, 3, flags=IMMEDIATE_OR_CANCEL)  # would meet our own bid
    tape.ask(125, 103, 4)
    orders.insert(130, 6, BUY, 103, 6, flags=IMMEDIATE_OR_CANCEL)
    orders.insert(131, 7, BUY, 103, 2, flags=IMMEDIATE_OR_CANCEL)  # it is used up until told anew
    tape.ask(140, 103, 4)
    orders.insert(140, 12, BUY, 103, 1, flags=IMMEDIATE_OR_CANCEL)  # arrives with the row: after it
    orders.insert(143, 8, BUY, 105, 1)  # post-only: moved to 102, behind our own five
    orders.insert(144, 9, BUY, 105, 1, flags=POST_ONLY | REJECT_POST_ONLY)
    orders.cancel(152, 99).insert(152, 8, BUY, 90, 1)
    tape.sold(155, 102, 7)  # five and one
    orders.insert(160, 10, BUY, 98, 2).amend(161, 10, 98, 0)
    orders.insert(162, 11, SELL, 110, 9).cancel_all(163)
    orders.insert(164, 14, BUY, 98, 3)  # behind twenty
    tape.best_bid(165, 97, 2)  # which are gone before the levels say so
    tape.sold(166, 98, 1).bid(167, 98, 4).sold(168, 98, 3)  # one, then two before those that joined behind
    tape.ask(169, 103, 5).bid(169, 97, 3)
    tape.bid(170, 97, 1)
    orders.insert(171, 13, BUY, 97, 1)  # after the end of the recording
    return tape, orders


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.stdout.buffer.write(played(Path(scratch), *known_session()).answers.tobytes())
