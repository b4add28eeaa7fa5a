"""Execution against a model venue: orders, questions and answers come late, twice, out of order or never, connections
break with messages under way, the process is killed and starts again. In the end both sides agree, and each fill was
told once.

`test_orders.py` drives the order manager alone; here it is driven by everything around it, on a clock that stands
still unless a rule moves it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import structlog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.execution.desk import disown_accounts
from domain.clock import NS_PER_MS, NS_PER_S, SimClock
from domain.codes import OrderEventKind
from domain.order import Side
from domain.records import ACCOUNT
from shm.segment import list_segments, unlink_segment
from tests.execution_rig import LABEL, Bench, Ladder
from tests.model_venue import INSTRUMENT, Rejection, Request, VenueOrder
from tests.session_venue import Answer, Positions, SessionGateway, SessionVenue, Trades
from trading.orders.states import OrderState

PICK = st.integers(0, 1_000_000)
STEP_NS = 200 * NS_PER_MS  # the wish is written again this often, as strategy does
RECOVERY_PAUSE_NS = 20 * NS_PER_MS
ROUNDS_OF_CALM = 6
AGREEMENT_S = 25
LEVELS_MAX = 3
_numbers = itertools.count(1)


def ladders(prices: list[int]) -> st.SearchStrategy[Ladder]:
    """Return up to three levels, best first, at `prices`, which are best first."""
    picked = st.lists(st.sampled_from(prices), max_size=LEVELS_MAX, unique=True)
    return picked.flatmap(
        lambda chosen: st.tuples(*(st.integers(1, 5) for _ in chosen)).map(
            lambda sizes: list(zip(sorted(chosen, key=prices.index), sizes, strict=True))
        )
    )


class SimLoop(asyncio.SelectorEventLoop):
    """An event loop on the clock of the test: a pause of a second passes when the test says so."""

    def __init__(self, clock: SimClock) -> None:
        self._sim_clock = clock
        super().__init__()

    def time(self) -> float:
        return self._sim_clock.monotonic_ns() / NS_PER_S


class ExecutionAgainstVenue(RuleBasedStateMachine):
    """Rules are what strategy wants, what the venue and the market do, and what becomes of messages."""

    def __init__(self) -> None:
        super().__init__()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
        self._prefix = f"ringmaker.test.{os.getpid()}.o{next(_numbers)}."
        names = itertools.count(1)
        self._folder = tempfile.TemporaryDirectory(prefix="rmo")
        self.bench = Bench(lambda: f"{self._prefix}{next(names)}", Path(self._folder.name), gateway_type=SessionGateway)
        self.loop = SimLoop(self.bench.clock)
        self.told: Counter[str] = Counter()
        self.strangers: list[VenueOrder] = []
        self.wanted: tuple[Ladder, Ladder] = ([], [])
        self.run(self.bench.core.on_ready)
        self.wish([(100, 4), (98, 4)], [(102, 4), (104, 4)])
        self.all_goes_well()

    @property
    def venue(self) -> SessionVenue:
        venue = self.bench.gateway.venue
        assert isinstance(venue, SessionVenue)
        return venue

    @property
    def now_ns(self) -> int:
        return self.bench.clock.monotonic_ns()

    # ---- what strategy wants -----------------------------------------------------------------------

    @rule(bids=ladders([100, 99, 98, 97]), asks=ladders([101, 102, 103, 104]))
    def wish(self, bids: Ladder, asks: Ladder) -> None:
        self.wanted = (bids, asks)
        self.bench.wish(bids, asks)
        self.work()

    # ---- time --------------------------------------------------------------------------------------

    @rule(steps=st.sampled_from([1, 1, 3, 12, 60]))
    def time_passes(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    @rule(minutes=st.sampled_from([1, 2, 10]), often=PICK)
    def minutes_pass(self, minutes: int, often: int) -> None:
        """So that the history is asked from a later time on. Nobody does anything meanwhile, as if all were asleep."""
        if often % 3:
            return
        for _ in range(minutes):
            self.bench.clock.advance(60 * NS_PER_S)
            self.step()

    @rule(hours=st.sampled_from([-1, 1]), often=PICK)
    def the_wall_clock_steps(self, hours: int, often: int) -> None:
        if often % 4 == 0:
            self.bench.clock.step_realtime(hours * 3600 * NS_PER_S)

    @rule()
    def a_moment_passes(self) -> None:
        self.bench.clock.advance(NS_PER_MS)
        self.work()

    # ---- what the venue and the market do ----------------------------------------------------------

    @precondition(lambda self: self.venue.inbox)
    @rule(refuse=st.sampled_from([False, False, False, True]))
    def venue_takes(self, refuse: bool) -> None:
        self.venue.take_next(refuse=refuse)

    @precondition(lambda self: self.venue.inbox)
    @rule()
    def venue_takes_all(self) -> None:
        while self.venue.inbox:
            self.venue.take_next(refuse=False)

    @precondition(lambda self: self.ours())
    @rule(pick=PICK, lots=st.integers(1, 5))
    def taker_comes(self, pick: int, lots: int) -> None:
        self.venue.time_ns = self.venue.now_ns
        ours = self.ours()
        self.venue.fill(ours[pick % len(ours)], lots)

    @precondition(lambda self: self.of_living_session())
    @rule(pick=PICK)
    def venue_cancels(self, pick: int) -> None:
        ours = self.of_living_session()
        self.venue.cancel_by_itself(ours[pick % len(ours)])

    @precondition(lambda self: len(self.strangers) < 2)
    @rule(price=st.integers(90, 95))
    def somebody_else_trades_the_account(self, price: int) -> None:
        number = -1 - len(self.strangers)
        self.strangers.append(self.venue.place(Request("insert", number, Side.BUY, price, 1, "manual")))
        self.venue.session_of[number] = 1_000_000  # no session of ours

    @precondition(lambda self: self.bench.gateway.is_ready)
    @rule(side=st.sampled_from(list(Side)), lots=st.integers(1, 5), calm=st.sampled_from([0, 3, 12]))
    def the_portfolio_shows_a_trade_long_before_its_push(self, side: Side, lots: int, calm: int) -> None:
        """Somebody trades the account by hand; the history lags, so that only the push tells it in the end."""
        number = -1000 - len(self.venue.trades)
        order = self.venue.place(Request("insert", number, side, 100, lots, "manual"))
        self.venue.session_of[number] = 1_000_000  # no session of ours
        self.venue.time_ns = self.venue.now_ns
        self.venue.fill(order, lots)
        session, outbox = self.venue.session, cast(list[Any], self.venue.outbox)
        push = next(message for message in reversed(outbox) if isinstance(message, Trades))
        outbox.remove(push)
        self.venue.history_lag = max(self.venue.history_lag, 1)
        for _ in range(calm):
            self.all_goes_well(1)
            self.step()
        if session == self.venue.session and self.bench.gateway.is_ready:
            self.everything_arrives()  # so that the push comes while nothing is asked
            self.hear(push)

    @rule(lag=st.integers(0, 2))
    def the_history_lags(self, lag: int) -> None:
        self.venue.history_lag = lag

    # ---- connections and processes -----------------------------------------------------------------

    @precondition(lambda self: self.bench.gateway.is_ready)
    @rule(lets_go=st.booleans(), often=PICK)
    def connection_breaks(self, lets_go: bool, often: int) -> None:
        if often % 4 == 0:  # mostly a session lasts, so that other things get to happen
            self.lose_connection(lets_go)

    @precondition(lambda self: not self.bench.gateway.is_ready)
    @rule()
    def connection_is_back(self) -> None:
        self.bench.gateway.is_ready = True
        self.run(self.bench.core.on_ready)

    @precondition(lambda self: self.venue.limbo)
    @rule()
    def a_message_of_the_broken_session_arrives(self) -> None:
        self.venue.late_one_arrives()

    @rule()
    def the_venue_lets_broken_sessions_go(self) -> None:
        self.venue.let_go()

    @rule(lets_go=st.booleans(), often=PICK)
    def execution_is_killed_and_starts_again(self, lets_go: bool, often: int) -> None:
        if often % 6:
            return
        self.bench.gateway.is_ready = False
        self.venue.break_connection(lets_go=lets_go)
        for task in self.bench.tasks:
            task.cancel()
        self.spin()
        self.bench.clock.advance(500 * NS_PER_MS)  # a process takes at least so long to start
        disown_accounts(self.bench._writer("accounts"))
        self.bench.core = self.bench._new_core()

    # ---- what becomes of messages ------------------------------------------------------------------

    @precondition(lambda self: self.venue.outbox)
    @rule(pick=PICK, again=st.sampled_from([False, False, True]))
    def deliver(self, pick: int, again: bool) -> None:
        outbox: list[Any] = self.venue.outbox
        index = pick % len(outbox)
        self.hear(outbox[index] if again else outbox.pop(index))

    @precondition(lambda self: self.venue.outbox)
    @rule()
    def deliver_all(self) -> None:
        while self.venue.outbox:
            self.hear(self.venue.outbox.pop(0))

    @rule(rounds=st.just(ROUNDS_OF_CALM))
    def all_goes_well(self, rounds: int = ROUNDS_OF_CALM) -> None:
        """Everything arrives in order, until nobody has anything to say."""
        if not self.bench.gateway.is_ready:
            self.connection_is_back()
        for _ in range(rounds):
            self.everything_arrives()
            self.bench.clock.advance(RECOVERY_PAUSE_NS)
            self.work()

    @precondition(lambda self: self.venue.outbox)
    @rule(pick=PICK)
    def lose(self, pick: int) -> None:
        lost: Any = self.venue.outbox.pop(pick % len(self.venue.outbox))
        if isinstance(lost, Answer):  # the gateway leaves a connection on which a question is not answered
            self.venue.outbox.append(lost)  # type: ignore[arg-type]
            self.lose_connection(lets_go=True)

    # ---- helpers -----------------------------------------------------------------------------------

    def everything_arrives(self) -> None:
        while self.venue.inbox or self.venue.outbox:
            while self.venue.inbox:
                self.venue.take_next(refuse=False)
            while self.venue.outbox:
                self.hear(self.venue.outbox.pop(0))

    def run(self, action: Callable[[], Any]) -> None:
        """Do something on the loop, let what follows from it happen, and raise what a task died of."""

        async def main() -> None:
            action()

        self.loop.run_until_complete(main())
        self.spin()
        self.bench.check_tasks()

    def spin(self) -> None:
        """Let every task go as far as it can without time passing."""
        for _ in range(8):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def work(self) -> None:
        self.bench.beat()
        self.run(self.bench.work)

    def step(self) -> None:
        """Let STEP_NS pass, everybody alive and the wish fresh."""
        self.bench.clock.advance(STEP_NS)
        self.bench.wish(*self.wanted)
        if self.bench.gateway.is_ready and self.venue.overdue(self.now_ns):
            self.lose_connection(lets_go=True)
        self.work()

    def lose_connection(self, lets_go: bool) -> None:
        self.bench.gateway.is_ready = False
        self.venue.break_connection(lets_go=lets_go)
        self.run(lambda: self.bench.core.on_disconnected("test"))

    def hear(self, message: Any) -> None:
        core = self.bench.core
        if isinstance(message, Answer):
            future = message.question.future
            self.run(lambda: None if future.done() else future.set_result(message.content))
        elif isinstance(message, Trades):
            self.run(lambda: core.on_trades(message.trades))
        elif isinstance(message, Positions):
            self.run(lambda: core.on_positions(message.positions, False))
        elif isinstance(message, Rejection):
            kind: Any = message.kind
            self.run(lambda: core.on_rejected(kind, message.client_order_id, message.error))
        else:
            self.run(lambda: core.on_orders([message]))
        self.work()

    def ours(self) -> list[VenueOrder]:
        return [order for order in self.venue.open if order.label == LABEL]

    def of_living_session(self) -> list[VenueOrder]:
        return [order for order in self.ours() if self.venue.is_of_living_session(order)]

    # ---- what must hold ----------------------------------------------------------------------------

    @invariant()
    def what_this_session_has_open_counts_as_live(self) -> None:
        live = {order.client_order_id: order for order in self.bench.core.books.manager.live(0)}
        for venue_order in self.of_living_session():
            order = live.get(venue_order.client_order_id)
            assert order is not None, f"{venue_order} is open and not counted"
            assert order.exposed_lots >= venue_order.size_lots - venue_order.filled_lots, f"{venue_order} {order}"

    @invariant()
    def a_fill_is_told_at_most_once(self) -> None:
        records = self.bench.events.read()
        for record in records[records["kind"] == OrderEventKind.FILLED]:
            self.told[record["trade_id"].decode()] += 1
        assert all(times == 1 for times in self.told.values()), self.told
        assert self.told.keys() <= {trade.trade_id for trade in self.venue.trades}

    @invariant()
    def strangers_orders_stand(self) -> None:
        assert all(order.is_open for order in self.strangers)

    def teardown(self) -> None:
        try:
            self.agree()
        finally:
            for task in self.bench.tasks:
                task.cancel()
            self.spin()
            self.bench.core.close()
            self.loop.close()
            for name in list_segments(self._prefix):
                unlink_segment(name)
            self._folder.cleanup()
            structlog.reset_defaults()

    def agree(self) -> None:
        """Let everything arrive and time pass: both sides agree, and the wish rests at the venue."""
        self.venue.history_lag = 0
        self.venue.let_go()
        if not self.bench.gateway.is_ready:
            self.connection_is_back()
        for _ in range(AGREEMENT_S * NS_PER_S // STEP_NS):
            self.all_goes_well(1)
            self.step()
        while self.venue.inbox:
            self.venue.take_next(refuse=False)
        self.deliver_all()
        self.a_fill_is_told_at_most_once()
        self.what_this_session_has_open_counts_as_live()
        self.assert_agreement()

    def assert_agreement(self) -> None:
        core = self.bench.core
        ours = {
            (o.venue_order_id, o.side, o.price_ticks, o.size_lots, o.filled_lots) for o in core.books.manager.live(0)
        }
        theirs = {(o.venue_order_id, o.side, o.price_ticks, o.size_lots, o.filled_lots) for o in self.ours()}
        assert ours == theirs
        assert all(order.state is OrderState.WORKING for order in core.books.manager.live(0))
        assert not core.books.manager.has_doubt()
        assert core.truth.differences() == {}
        line = core.books.ledger.lines[INSTRUMENT.name]
        assert INSTRUMENT.size_lots(abs(line.position)) == abs(self.venue.position_lots)
        assert line.fill_count == len(self.venue.trades)
        assert core.books.ledger.unbooked == 0
        assert self.told == Counter(trade.trade_id for trade in self.venue.trades)
        for side, wanted in zip((Side.BUY, Side.SELL), self.wanted, strict=True):
            assert [price for price, _ in self.bench.resting(side)] == [price for price, _ in wanted]
        self.assert_account_row()

    def assert_account_row(self) -> None:
        """What strategy and risk read is the venue's truth."""
        account = self.bench.account
        assert account.load(0)
        row = account.latest[0]
        assert row["is_known"] == 1
        assert row["position_lots"] == self.venue.position_lots
        assert (row["pending_buy_lots"], row["pending_sell_lots"]) == (0, 0)
        for side, prefix in ((Side.BUY, "bid"), (Side.SELL, "ask")):
            count = account.ints[ACCOUNT.word(f"{prefix}_count")]
            shown = list(zip(row[f"{prefix}_price_ticks"][:count], row[f"{prefix}_size_lots"][:count], strict=True))
            assert shown == self.bench.resting(side)


ExecutionAgainstVenue.TestCase.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)
TestExecutionAgainstVenue = ExecutionAgainstVenue.TestCase
