"""A model venue with connections: questions wait in line like orders, and a broken session may live on for a while.

Right by its shortness, like the model venue beneath it. What is under way to the venue stands in `inbox`, what it has
said in `outbox`; the test decides when each moves on, in which order, twice or never.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, NamedTuple

from domain.clock import NS_PER_S, SimClock
from domain.errors import ConnectivityError, VenueError
from domain.reports import OrderReport, PositionReport, TradeReport
from tests.execution_rig import FakeGateway
from tests.model_venue import ModelVenue, Rejection, Request, VenueOrder

QUESTION_TIMEOUT_NS = 5 * NS_PER_S
HISTORY_LAG_NS_MAX = 30 * NS_PER_S
CODE_NOT_FOUND = 1


class Question(NamedTuple):
    """Asked at the venue; answered with what is true when the venue takes it."""

    kind: str
    since_ns: int
    asked_ns: int
    future: asyncio.Future[Any]


class Answer(NamedTuple):
    question: Question
    content: Any


class CancelOrder(NamedTuple):
    """The cancel of an order by the venue's own number."""

    venue_order_id: str


class Trades(NamedTuple):
    """A notification of the trade history."""

    trades: list[TradeReport]


class Positions(NamedTuple):
    """A notification of the portfolio."""

    positions: list[PositionReport]


class SessionVenue(ModelVenue):
    """The account's venue over several connections of ours, one at a time.

    Attributes:
        session: number of the connection that lives, or of the next one.
        limbo: what a broken connection had under way: it may arrive until the venue lets the session go.
        history_lag: newest trades that the history does not show yet, for HISTORY_LAG_NS_MAX at most.
    """

    def __init__(self, gateway: SessionGateway) -> None:
        super().__init__()
        self._began_ns = gateway.clock.realtime_ns() - gateway.clock.monotonic_ns()
        self._gateway = gateway
        self.session = 1
        self.session_of: dict[int, int] = {}
        self.limbo: deque[Any] = deque()
        self.history_lag = 0

    @property
    def now_ns(self) -> int:
        """The venue's own clock: ours may be stepped."""
        return self._began_ns + self._gateway.clock.monotonic_ns()

    # ---- what arrives ------------------------------------------------------------------------------

    def take_next(self, *, refuse: bool) -> None:
        """Take the oldest message of the living connection."""
        head: Any = self.inbox[0]
        if isinstance(head, Question):
            self.inbox.popleft()
            self.outbox.append(Answer(head, self._answer(head)))  # type: ignore[arg-type]
        elif isinstance(head, CancelOrder):
            self.inbox.popleft()
            self._cancel_order(head)
        else:
            self.take_request(refuse=refuse)

    def late_one_arrives(self) -> None:
        """A message of the broken session reaches the venue after all; nobody hears what comes of it."""
        said, taken, session = self.outbox, self.inbox, self.session
        self.outbox, self.inbox, self.session = [], deque([self.limbo.popleft()]), session - 1
        if isinstance(self.inbox[0], Request):
            self.take_request(refuse=False)
        self.outbox, self.inbox, self.session = said, taken, session

    def place(self, request: Request) -> VenueOrder:
        self.session_of[request.client_order_id] = self.session
        return super().place(request)

    # ---- what happens ------------------------------------------------------------------------------

    def fill(self, order: VenueOrder, lots: int) -> None:
        said = len(self.outbox)
        super().fill(order, lots)
        if not self._gateway.is_ready:
            self.outbox.clear()
            return
        if not self.is_of_living_session(order):
            del self.outbox[said:]  # the orders channel shows those of its own session
        self.outbox.append(Trades(self.trades[-1:]))  # type: ignore[arg-type]
        self.outbox.append(Positions(self._gateway.position_reports()))  # type: ignore[arg-type]

    def is_of_living_session(self, order: VenueOrder) -> bool:
        return self._gateway.is_ready and self.session_of.get(order.client_order_id) == self.session

    def break_connection(self, *, lets_go: bool) -> None:
        """The connection is gone. The venue may notice at once, or only when its time-out is over."""
        for question in self._questions():
            if not question.future.done():
                question.future.set_exception(ConnectivityError("the connection was lost"))
        self.limbo = deque(item for item in self.inbox if isinstance(item, Request))
        self.inbox.clear()
        self.outbox.clear()
        self.session += 1
        if lets_go:
            self.let_go()

    def let_go(self) -> None:
        """Cancel on disconnect: what broken sessions left falls, and what they had under way arrives no more."""
        self.limbo.clear()
        for order in self.open:
            if self.session_of.get(order.client_order_id, self.session) < self.session:
                self._close(order)

    def overdue(self, now_ns: int) -> bool:
        """Whether a question has waited so long that the gateway gives the connection up."""
        return any(now_ns - question.asked_ns > QUESTION_TIMEOUT_NS for question in self._questions())

    # ---- inside ------------------------------------------------------------------------------------

    def _questions(self) -> list[Question]:
        coming: list[Any] = list(self.inbox)
        said: list[Any] = self.outbox
        waiting = [item for item in coming if isinstance(item, Question)]
        return waiting + [item.question for item in said if isinstance(item, Answer)]

    def _answer(self, question: Question) -> Any:
        if question.kind == "open_orders":
            return self.open_orders()
        if question.kind == "positions":
            return self._gateway.position_reports()
        hidden = {id(trade) for trade in self.trades[len(self.trades) - self.history_lag :]}
        late_ns = self.now_ns - HISTORY_LAG_NS_MAX
        return [
            trade
            for trade in self.trades
            if trade.time_ns >= question.since_ns and (id(trade) not in hidden or trade.time_ns < late_ns)
        ]

    def _cancel_order(self, cancel: CancelOrder) -> None:
        for order in self.open:
            if order.venue_order_id == cancel.venue_order_id:
                said = len(self.outbox)
                self.cancel_by_itself(order)
                if not self.is_of_living_session(order):
                    del self.outbox[said:]
                return
        self.outbox.append(Rejection("cancel", 0, VenueError(CODE_NOT_FOUND, "order not found")))


class SessionGateway(FakeGateway):
    """A gateway whose questions wait in line behind the orders that were sent before them."""

    def __init__(self, clock: SimClock) -> None:
        super().__init__(clock)
        self.venue: SessionVenue = SessionVenue(self)

    def cancel_order(self, venue_order_id: str, client_order_id: int = 0) -> int:
        self._need_connection()
        self.venue.inbox.append(CancelOrder(venue_order_id))  # type: ignore[arg-type]
        return self.clock.monotonic_ns()

    async def open_orders(self) -> list[OrderReport]:
        reports: list[OrderReport] = await self._ask("open_orders")
        return reports

    async def positions(self) -> list[PositionReport]:
        positions: list[PositionReport] = await self._ask("positions")
        return positions

    async def trade_history(self, since_realtime_ns: int) -> list[TradeReport]:
        trades: list[TradeReport] = await self._ask("trade_history", since_realtime_ns)
        return trades

    async def _ask(self, kind: str, since_ns: int = 0) -> Any:
        self._need_connection()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.venue.inbox.append(Question(kind, since_ns, self.clock.monotonic_ns(), future))  # type: ignore[arg-type]
        return await future
