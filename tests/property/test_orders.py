"""The order manager against a model venue: whatever comes late, twice, out of order or never, both agree in the end."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.codes import OrderEventKind
from domain.order import Side
from domain.reports import OrderReport, TradeReport
from tests.model_venue import INSTRUMENT, ModelVenue, Rejection, Request
from trading.ledger import Ledger
from trading.orders.changes import Change
from trading.orders.manager import OrderManager
from trading.orders.order import Order
from trading.orders.states import OrderState

ANSWER_TIMEOUT_NS = 2_000
PICK = st.integers(0, 1_000_000)
PRICES = st.integers(100, 104)
SIZES = st.integers(1, 5)


class ManagerAgainstVenue(RuleBasedStateMachine):
    """Rules are what we do, what the venue does, and what becomes of its messages."""

    def __init__(self) -> None:
        super().__init__()
        self.venue = ModelVenue()
        self.manager = OrderManager({INSTRUMENT.name: (0, INSTRUMENT)}, ANSWER_TIMEOUT_NS)
        self.ledger = Ledger({INSTRUMENT.name: INSTRUMENT.contract_multiplier})
        self.now_ns = 1
        self.next_id = 1
        self.queries: list[tuple[int, list[OrderReport], list[TradeReport]]] = []
        self.fill_events = 0

    def tick(self) -> int:
        self.now_ns += 1
        return self.now_ns

    # ---- what we do --------------------------------------------------------------------------------

    @precondition(lambda self: self.manager.live_count(0) < 6)
    @rule(side=st.sampled_from(Side), price=PRICES, size=SIZES)
    def insert(self, side: Side, price: int, size: int) -> None:
        order = Order(client_order_id=self.next_id, instrument=0, side=side, price_ticks=price, size_lots=size)
        self.next_id += 1
        self.manager.insert_sent(order, self.tick())
        self.venue.inbox.append(Request("insert", order.client_order_id, side, price, size))

    @precondition(lambda self: self.in_states(OrderState.WORKING))
    @rule(pick=PICK, price=PRICES, size=SIZES)
    def amend(self, pick: int, price: int, size: int) -> None:
        order = self.picked(pick, OrderState.WORKING)
        terms = (price, order.filled_lots + size)
        if terms == order.terms:
            return
        self.manager.amend_sent(order, terms, 0, self.tick())
        self.venue.inbox.append(Request("amend", order.client_order_id, order.side, *terms))

    CANCELLABLE = (OrderState.WORKING, OrderState.PENDING_NEW, OrderState.PENDING_AMEND)

    @precondition(lambda self: self.in_states(*self.CANCELLABLE))
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        order = self.picked(pick, *self.CANCELLABLE)
        self.manager.cancel_sent(order, self.tick())
        self.venue.inbox.append(Request("cancel", order.client_order_id))

    @rule()
    def time_passes(self) -> None:
        self.now_ns += ANSWER_TIMEOUT_NS
        self.manager.expire(self.now_ns)

    @precondition(lambda self: not self.venue.inbox)  # the venue takes the messages of a connection in order
    @rule()
    def ask(self) -> None:
        self.queries.append((self.tick(), self.venue.open_orders(), list(self.venue.trades)))

    # ---- what the venue does -----------------------------------------------------------------------

    @precondition(lambda self: self.venue.inbox)
    @rule(refuse=st.sampled_from([False, False, False, True]))
    def venue_takes(self, refuse: bool) -> None:
        self.venue.take_request(refuse=refuse)

    @precondition(lambda self: self.venue.open)
    @rule(pick=PICK, lots=SIZES)
    def taker_comes(self, pick: int, lots: int) -> None:
        self.venue.fill(self.venue.open[pick % len(self.venue.open)], lots)

    @precondition(lambda self: self.venue.open)
    @rule(pick=PICK)
    def venue_cancels(self, pick: int) -> None:
        self.venue.cancel_by_itself(self.venue.open[pick % len(self.venue.open)])

    @rule(taken=st.integers(0, 5), often=PICK)
    def connection_breaks(self, taken: int, often: int) -> None:
        if often % 8:  # mostly the session lasts, so that other things get to happen
            return
        self.venue.disconnect(taken)
        self.queries.clear()
        self.manager.disconnect(self.tick())

    # ---- what becomes of its messages --------------------------------------------------------------

    @precondition(lambda self: self.venue.outbox)
    @rule(pick=PICK, again=st.booleans())
    def deliver(self, pick: int, again: bool) -> None:
        index = pick % len(self.venue.outbox)
        message = self.venue.outbox[index] if again else self.venue.outbox.pop(index)
        self.receive(message)

    @precondition(lambda self: self.venue.outbox)
    @rule(pick=PICK)
    def lose(self, pick: int) -> None:
        self.venue.outbox.pop(pick % len(self.venue.outbox))

    @precondition(lambda self: self.queries)
    @rule(pick=PICK)
    def query_is_answered(self, pick: int) -> None:
        self.answer(*self.queries.pop(pick % len(self.queries)))

    # ---- helpers -----------------------------------------------------------------------------------

    def receive(self, message: OrderReport | Rejection) -> None:
        if isinstance(message, Rejection):
            kind: Any = message.kind
            self.take(self.manager.apply_rejection(kind, message.client_order_id, message.error, self.tick()))
        else:
            changes = self.manager.apply_report(message, self.tick())
            assert changes is not None, f"{message} is of an order of ours"
            self.take(changes)

    def answer(self, asked_ns: int, shown: list[OrderReport], trades: list[TradeReport]) -> None:
        for trade in trades:
            if self.ledger.book_trade(trade):
                self.fill_events += 1
            self.manager.apply_trade(trade)
        self.take(self.manager.apply_open_orders(shown, asked_ns, self.tick()).changes)

    def take(self, changes: list[Change]) -> None:
        for change in changes:
            if change.kind is OrderEventKind.FILLED:
                assert change.fill is not None
                self.fill_events += self.ledger.book_fill(change.fill, INSTRUMENT.name, change.order.side)

    def in_states(self, *states: OrderState) -> list[Order]:
        return [order for order in self.manager.live(0) if order.state in states]

    def picked(self, pick: int, *states: OrderState) -> Order:
        orders = self.in_states(*states)
        return orders[pick % len(orders)]

    # ---- what must hold ----------------------------------------------------------------------------

    @invariant()
    def what_is_open_at_the_venue_counts_as_live(self) -> None:
        live = {order.client_order_id: order for order in self.manager.live(0)}
        for venue_order in self.venue.open:
            order = live.get(venue_order.client_order_id)
            assert order is not None, f"{venue_order} is open and not counted"
            assert order.exposed_lots >= venue_order.size_lots - venue_order.filled_lots, f"{venue_order} {order}"

    @invariant()
    def a_fill_is_told_once(self) -> None:
        fill_count = self.ledger.lines[INSTRUMENT.name].fill_count
        assert self.fill_events == fill_count <= len(self.venue.trades)

    def teardown(self) -> None:
        """Everything arrives, the venue is asked until nothing is in doubt: both sides agree."""
        while self.venue.inbox:
            self.venue.take_request(refuse=False)
        while self.venue.outbox:
            self.receive(self.venue.outbox.pop(0))
        for _ in range(4):
            self.now_ns += 2 * ANSWER_TIMEOUT_NS
            self.manager.expire(self.now_ns)
            asked_ns = self.tick()
            self.answer(asked_ns, self.venue.open_orders(), list(self.venue.trades))
        ours = {
            (o.client_order_id, o.venue_order_id, o.side, o.price_ticks, o.size_lots, o.filled_lots)
            for o in self.manager.live(0)
        }
        theirs = {
            (o.client_order_id, o.venue_order_id, o.side, o.price_ticks, o.size_lots, o.filled_lots)
            for o in self.venue.open
        }
        assert ours == theirs
        assert all(order.state is OrderState.WORKING for order in self.manager.live(0))
        assert not self.manager.has_doubt()
        line = self.ledger.lines[INSTRUMENT.name]
        assert INSTRUMENT.size_lots(line.position) == self.venue.position_lots
        assert line.fill_count == self.fill_events == len(self.venue.trades)
        assert self.ledger.unbooked == 0


ManagerAgainstVenue.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestManagerAgainstVenue = ManagerAgainstVenue.TestCase
