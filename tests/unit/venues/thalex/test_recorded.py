"""Whole sessions from recorded bytes: what we sent must be sent again to the byte, what came must mean the same.

Both were recorded from the local exchange (seed 7); `>` is ours, `<` the venue's, the token is replaced.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any

from domain.book import Book
from domain.order import LiquiditySide, Side, VenueOrderStatus
from venues.gateway import NewOrder
from venues.thalex import account_wire, market_wire
from venues.thalex.protocol import Event, Listed, Phase, Ready, Session
from venues.thalex.requests import Answer, Requests
from venues.thalex.wire import Envelope, encode_amend, encode_cancel, encode_insert

DATA = Path(__file__).parents[3] / "data"
NAME = "BTC-PERPETUAL"
PUBLIC = [f"recent_trades.{NAME}.single", f"ticker.{NAME}.raw", f"book.{NAME}.none.3.raw"]
PRIVATE = ["session.orders", "account.portfolio", "account.trade_history"]
TIMEOUT_NS = 10**12


class Replay:
    """Plays the venue's part of a recording and holds our part against it."""

    def __init__(self, session: Session, recording: str) -> None:
        self._session = session
        self._lines = deque((DATA / recording).read_bytes().splitlines())
        self.events: list[Event] = []
        session.start(0)
        self._compare()

    def run_until(self, *kinds: type) -> Event:
        """Play until an event of one of these kinds; the frames that it caused are left to `compare`."""
        while True:
            event = self._play()
            if isinstance(event, kinds):
                return event

    def run(self) -> None:
        """Play to the end; nothing of ours may be missing there."""
        self._compare()
        while self._lines:
            self._play()

    def _play(self) -> Event | None:
        line = self._lines.popleft()
        assert line.startswith(b"< "), f"the recording expects us to have sent {line!r}"
        event = self._session.receive(memoryview(line[2:]), 0)
        if event is not None:
            self.events.append(event)
        if not isinstance(event, Ready):
            self._compare()
        return event

    def _compare(self) -> None:
        for frame in self._session.data_to_send():
            assert b"> " + frame == self._lines.popleft()

    def payloads(self, channel: str) -> list[tuple[Any, bool]]:
        """Return what came on a channel, with its snapshot flag."""
        return [
            (event.notification, bool(event.snapshot))
            for event in self.events
            if isinstance(event, Envelope) and event.channel_name == channel
        ]


def test_a_recorded_public_session_is_told_again():
    session = Session.public((), Requests(TIMEOUT_NS), lambda _listed: PUBLIC)
    replay = Replay(session, "session_public.txt")
    listed = replay.run_until(Listed)
    assert isinstance(listed, Listed)
    assert listed.instruments[NAME].tick_size == 1
    replay.run_until(Ready)
    session.request("public/subscribe", {"channels": ["system", "price_index.BTCUSD"]}, bytes, 0, kind="extra")
    replay.run()
    assert (session.phase, len(session.requests), session.requests.unmatched) == (Phase.READY, 0, 0)
    # the book that follows from the recorded changes never crosses, and ends where the last ticker says
    book = Book(3)
    messages = replay.payloads(PUBLIC[2])
    assert [is_snapshot for _, is_snapshot in messages] == [True] + [False] * (len(messages) - 1)
    for payload, is_snapshot in messages:
        changes = market_wire.decode_book(payload)
        (book.apply_snapshot if is_snapshot else book.apply_changes)(changes.bid_changes, changes.ask_changes)
        assert book.is_two_sided
        assert not book.is_crossed
    tickers = [market_wire.decode_ticker(payload) for payload, _ in replay.payloads(PUBLIC[1])]
    assert (tickers[-1].best_bid_price, tickers[-1].best_ask_price) == (book.best_bid, book.best_ask)
    ((history, is_snapshot), *_) = replay.payloads(PUBLIC[0])
    assert is_snapshot
    assert all(trade.size > 0 for trade in market_wire.decode_trades(history))


def _order(client_order_id: int, side: Side, price: int, size: str, *, post_only: bool) -> NewOrder:
    return NewOrder(
        client_order_id=client_order_id, instrument_name=NAME, side=side, price=Decimal(price), size=Decimal(size),
        label="rm-rec", post_only=post_only,
    )  # fmt: skip


def _trade_as_recorded(session: Session) -> None:
    """Send what was sent: a bid moved and cancelled, a cancel of nothing, an offer that crosses."""
    requests = session.requests
    for kind, client_order_id, encode in (
        ("insert", 101, lambda n: encode_insert(n, _order(101, Side.BUY, 90_000, "0.01", post_only=True))),
        ("amend", 101, lambda n: encode_amend(n, 101, Decimal(90_001), Decimal("0.02"))),
        ("cancel", 101, lambda n: encode_cancel(n, 101)),
        ("cancel", 999, lambda n: encode_cancel(n, 999)),
        ("insert", 102, lambda n: encode_insert(n, _order(102, Side.SELL, 99_500, "0.003", post_only=False))),
    ):
        number = requests.next_id()
        requests.register(
            number, f"private/{kind}", account_wire.decode_order, 0, kind=kind, client_order_id=client_order_id
        )
        session._outgoing.append(encode(number))


def test_a_recorded_private_session_is_told_again():
    session = Session.private(PRIVATE, Requests(TIMEOUT_NS), token="TOKEN", account="", timeout_s=3)
    replay = Replay(session, "session_private.txt")
    replay.run_until(Ready)
    assert session.message_rate == 50
    _trade_as_recorded(session)
    replay.run()
    assert (len(session.requests), session.requests.unmatched) == (0, 0)
    answers = {
        (event.pending.kind, event.pending.client_order_id): event.value.status
        if event.error is None
        else event.error.code
        for event in replay.events
        if isinstance(event, Answer)
    }
    assert answers == {
        ("insert", 101): VenueOrderStatus.OPEN,
        ("amend", 101): VenueOrderStatus.OPEN,
        ("cancel", 101): VenueOrderStatus.CANCELLED,
        ("cancel", 999): 1,
        ("insert", 102): VenueOrderStatus.FILLED,
    }
    orders = [order for payload, _ in replay.payloads(PRIVATE[0]) for order in account_wire.decode_orders(payload)]
    fills = {fill.key: fill for order in orders for fill in order.fills}
    assert sum(fill.size for fill in fills.values()) == Decimal("0.003")
    trades = [trade for payload, _ in replay.payloads(PRIVATE[2]) for trade in account_wire.decode_trades(payload)]
    assert {trade.key for trade in trades} == set(fills)
    assert {trade.liquidity_side for trade in trades} == {LiquiditySide.TAKER}
    (flat, is_first), *changes = replay.payloads(PRIVATE[1])
    assert is_first
    assert account_wire.decode_positions(flat) == []
    last = account_wire.decode_positions(changes[-1][0])
    assert [(position.instrument_name, position.position) for position in last] == [(NAME, Decimal("-0.003"))]
