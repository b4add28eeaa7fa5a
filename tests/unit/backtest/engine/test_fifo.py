"""The queue of a recording that tells its orders: our place in it is exact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from backtest.data.findings import DataError
from backtest.engine.records import REQUEST, FillRule
from backtest.engine.replay import Outcome, replay
from backtest.engine.venue import VenueSettings
from domain.codes import OrderEventKind
from fills.queue import QueueModel
from tests.engine_case import BUY, MS, SELL, SETTINGS, T0_NS, Orders, Tape, played
from tests.orders_case import OrderTape, written

FIFO = VenueSettings(latency=SETTINGS.latency, queue_model=QueueModel.FIFO)
QUEUE, THROUGH = int(FillRule.QUEUE), int(FillRule.TRADE_THROUGH)


def start() -> OrderTape:
    """Fifteen bid at 99 by two orders, four at 98; ten asked at 101."""
    return OrderTape().add(0, 1, BUY, 99, 10).add(1, 2, BUY, 99, 5).add(2, 3, BUY, 98, 4).add(3, 4, SELL, 101, 10)


def outcome_of(folder: Path, tape: OrderTape, orders: Orders, venue: VenueSettings = FIFO) -> Outcome:
    return replay(written(folder, tape), np.array(orders.rows, REQUEST), venue)


def fills(outcome: Outcome) -> list[tuple[int, int, int, int]]:
    """Return (ms, order, lots, rule) of every fill."""
    rows = outcome.answers[outcome.answers["kind"] == OrderEventKind.FILLED]
    times = ((rows["exchange_time_ns"] - T0_NS) // MS).tolist()
    return list(zip(times, rows["order_id"].tolist(), rows["size_lots"].tolist(), rows["reason"].tolist(), strict=True))


def ahead(outcome: Outcome) -> dict[int, float]:
    return dict(zip(outcome.orders["order_id"].tolist(), outcome.orders["ahead"].tolist(), strict=True))


def test_only_what_leaves_ahead_of_us_brings_us_forward(tmp_path: Path) -> None:
    tape = start().add(20, 5, BUY, 99, 7).cancel(30, 2).modify(31, 1, 99, 6).cancel(32, 5)
    outcome = outcome_of(tmp_path, tape.add(40, 6, SELL, 105, 1), Orders().insert(10, 1, BUY, 99, 5))
    assert ahead(outcome) == {1: 6.0}  # 15 less the 5 of order 2 and 4 of order 1; order 5 stood behind


def test_an_order_that_grows_or_moves_goes_to_the_end(tmp_path: Path) -> None:
    tape = start().modify(20, 1, 99, 11).modify(21, 2, 98, 5).modify(22, 2, 99, 5)
    outcome = outcome_of(tmp_path, tape.add(40, 6, SELL, 105, 1), Orders().insert(10, 1, BUY, 99, 5))
    assert ahead(outcome) == {1: 0.0}


def test_a_fill_behind_us_is_ours_first_and_one_ahead_is_not(tmp_path: Path) -> None:
    tape = start().add(20, 5, BUY, 99, 7)
    # Nine are sold: six of order 1, which is what it has left, and three of order 5
    tape.modify(30, 1, 99, 6).cancel(31, 2).fill(40, 1, 6).cancel(41, 1).fill(42, 5, 3).modify(43, 5, 99, 4)
    tape.fill(50, 5, 4).cancel(51, 5)
    outcome = outcome_of(tmp_path, tape, Orders().insert(10, 1, BUY, 99, 5))
    assert fills(outcome) == [(42, 1, 3, QUEUE), (50, 1, 2, QUEUE)]


def test_a_fill_at_a_worse_price_is_ours_first_the_best_of_ours_before_the_others(tmp_path: Path) -> None:
    tape = start().cancel(20, 1).cancel(21, 2).fill(30, 3, 4).cancel(31, 3).add(32, 9, BUY, 97, 1)
    orders = Orders().insert(10, 1, BUY, 98, 3).insert(11, 2, BUY, 99, 3)
    # Order 3 stood ahead of ours at 98: of its four lots three are ours at 99
    assert fills(outcome_of(tmp_path, tape, orders)) == [(30, 2, 3, THROUGH)]


def test_trades_do_not_count_beside_the_fills_that_they_led_to(tmp_path: Path) -> None:
    tape = start().trade(20, SELL, 99, 4)
    outcome = outcome_of(tmp_path, tape.fill(20, 1, 4).modify(21, 1, 99, 6), Orders().insert(10, 1, BUY, 99, 5))
    assert fills(outcome) == []
    assert ahead(outcome) == {1: 11.0}


def test_our_own_orders_at_one_price_stand_in_their_order(tmp_path: Path) -> None:
    tape = OrderTape().add(0, 1, BUY, 99, 10).add(1, 4, SELL, 101, 10).add(20, 2, BUY, 99, 4).add(30, 3, BUY, 99, 4)
    tape.cancel(40, 1).fill(50, 2, 4).cancel(51, 2).fill(60, 3, 4)
    orders = Orders().insert(10, 1, BUY, 99, 2).insert(25, 2, BUY, 99, 3)
    # Our second order stands behind order 2: of that fill it gets nothing
    assert fills(outcome_of(tmp_path, tape, orders)) == [(50, 1, 2, QUEUE), (60, 2, 3, QUEUE)]


def test_places_survive_a_book_that_is_told_anew(tmp_path: Path) -> None:
    tape = start().add(20, 5, BUY, 99, 7).clear(30, BUY).add(31, 1, BUY, 99, 10).add(32, 5, BUY, 99, 7)
    outcome = outcome_of(tmp_path, tape.add(40, 6, BUY, 99, 1), Orders().insert(10, 1, BUY, 99, 5))
    assert ahead(outcome) == {1: 10.0}  # order 2 did not come back; 5 stands behind as before


def test_other_queue_models_take_the_same_recording_by_its_levels(tmp_path: Path) -> None:
    tape = start().cancel(20, 2)
    outcome = outcome_of(tmp_path, tape.add(40, 6, SELL, 105, 1), Orders().insert(10, 1, BUY, 99, 5), SETTINGS)
    assert ahead(outcome) == {1: 10.0}  # risk-averse: no more than the level holds


def test_a_recording_of_levels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="queue fifo needs a recording of orders and their fills, found price levels"):
        played(tmp_path, Tape().book(0, {99: 10}, {101: 10}), Orders().insert(10, 1, BUY, 99, 1), FIFO)
    with pytest.raises(DataError, match="found orders without their fills"):
        outcome_of(tmp_path, start().trade(20, SELL, 99, 1), Orders().insert(10, 1, BUY, 99, 1))


# -- against a plain model


@dataclass
class Resting:
    """An order in a queue of the model: one of the recording's, or ours."""

    order_id: int
    lots: int
    is_ours: bool


class Model:
    """Queues as plain lists, ours among the others; writes the recording and what we are filled."""

    def __init__(self) -> None:
        self.queues: dict[tuple[int, int], list[Resting]] = {}
        self.tape = OrderTape()
        self.orders = Orders()
        self.fills: list[tuple[int, int]] = []  # order, lots
        self.ids = 0
        self.now_ms = 0.0

    def tick(self) -> float:
        self.now_ms += 1.0
        return self.now_ms

    def queue(self, side: int, ticks: int) -> list[Resting]:
        return self.queues.setdefault((side, ticks), [])

    def others(self) -> list[tuple[int, int, Resting]]:
        return [(*place, one) for place, queue in sorted(self.queues.items()) for one in queue if not one.is_ours]

    def ours(self) -> list[tuple[int, int, Resting]]:
        return [(*place, one) for place, queue in sorted(self.queues.items()) for one in queue if one.is_ours]

    def add(self, side: int, ticks: int, lots: int) -> None:
        self.ids += 1
        self.tape.add(self.tick(), self.ids, side, ticks, lots)
        self.queue(side, ticks).append(Resting(self.ids, lots, is_ours=False))

    def modify(self, choice: int, ticks_away: int, lots: int) -> None:
        if not self.others():
            return
        side, ticks, one = self.others()[choice % len(self.others())]
        to = ticks + side * (ticks_away % 2) * -1 if ticks_away else ticks
        self.tape.modify(self.tick(), one.order_id, to, lots)
        if to == ticks and lots <= one.lots:
            one.lots = lots
            return
        self.queue(side, ticks).remove(one)
        one.lots = lots
        self.queue(side, to).append(one)

    def cancel(self, choice: int) -> None:
        if self.others():
            side, ticks, one = self.others()[choice % len(self.others())]
            self.tape.cancel(self.tick(), one.order_id)
            self.queue(side, ticks).remove(one)

    def aggress(self, side: int, lots: int) -> None:
        """Somebody takes from the queues of `side`, as the recording had it: from the others' orders alone."""
        for ticks in sorted((place[1] for place in self.queues if place[0] == side), reverse=side > 0):
            for one in [other for other in self.queue(side, ticks) if not other.is_ours]:
                taken = min(lots, one.lots)
                if taken == 0:
                    return
                lots -= taken
                self._give(side, ticks, one, taken)
                self.tape.fill(self.tick(), one.order_id, taken)
                one.lots -= taken
                if one.lots:
                    self.tape.modify(self.tick(), one.order_id, ticks, one.lots)
                else:
                    self.tape.cancel(self.tick(), one.order_id)
                    self.queue(side, ticks).remove(one)

    def _give(self, side: int, ticks: int, met: Resting, lots: int) -> None:
        """Whoever of ours stands before the order that was met gets its lots."""
        for at in sorted((place[1] for place in self.queues if place[0] == side), reverse=side > 0):
            if side * (at - ticks) < 0:
                return
            queue = self.queue(side, at)
            before = queue[: queue.index(met)] if at == ticks else list(queue)
            for one in before:
                if one.is_ours and lots:
                    got = min(lots, one.lots)
                    lots -= got
                    one.lots -= got
                    self.fills.append((one.order_id, got))
                    if one.lots == 0:
                        queue.remove(one)

    def insert(self, side: int, ticks: int, lots: int) -> None:
        self.ids += 1
        self.orders.insert(self.tick(), self.ids, side, ticks, lots)
        self.queue(side, ticks).append(Resting(self.ids, lots, is_ours=True))

    def withdraw(self, choice: int) -> None:
        if self.ours():
            side, ticks, one = self.ours()[choice % len(self.ours())]
            self.orders.cancel(self.tick(), one.order_id)
            self.queue(side, ticks).remove(one)

    def clear(self, side: int, lost: int) -> None:
        """The book of a side is told anew, in the order of its queues; one order of it is gone."""
        self.tape.clear(self.tick(), side)
        others = [(ticks, one) for its_side, ticks, one in self.others() if its_side == side]
        for place, (ticks, one) in enumerate(others):
            if place == lost:
                self.queue(side, ticks).remove(one)
            else:
                self.tape.add(self.tick(), one.order_id, side, ticks, one.lots)


SIDE = st.sampled_from([BUY, SELL])
LOTS = st.integers(1, 9)
AWAY = st.integers(1, 2)
CHOICE = st.integers(0, 20)
STEPS = st.one_of(
    *2 * [st.tuples(st.just("add"), SIDE, AWAY, LOTS)],
    *2 * [st.tuples(st.just("insert"), SIDE, AWAY, LOTS)],
    st.tuples(st.just("modify"), CHOICE, st.integers(0, 1), LOTS),
    st.tuples(st.just("cancel"), CHOICE),
    st.tuples(st.just("withdraw"), CHOICE),
    st.tuples(st.just("aggress"), SIDE, st.integers(1, 25)),
    st.tuples(st.just("clear"), SIDE, CHOICE),
)


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=20, max_size=60))
def test_fills_and_places_are_those_of_plain_queues(tmp_path: Path, steps: list[tuple[str, int, int, int]]) -> None:
    model = Model()
    model.add(BUY, 90, 5)
    model.add(SELL, 110, 5)
    for name, *numbers in steps:
        if name in ("add", "insert"):
            side, away, lots = numbers
            getattr(model, name)(side, 100 - side * away, lots)
        else:
            getattr(model, name)(*numbers)
    model.add(BUY, 80, 5)
    model.aggress(BUY, 1)  # there is a fill in every recording
    if not model.orders.rows:
        return
    outcome = outcome_of(tmp_path, model.tape, model.orders)
    assert [(order, lots) for _, order, lots, _ in fills(outcome)] == model.fills
    expected = {}
    for side, ticks, one in model.ours():
        queue = model.queue(side, ticks)
        expected[one.order_id] = float(sum(other.lots for other in queue[: queue.index(one)] if not other.is_ours))
    assert ahead(outcome) == expected
