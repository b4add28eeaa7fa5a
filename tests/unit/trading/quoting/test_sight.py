"""What a quoter sees of its session: rows and rings of real segments, one instrument of two."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from domain import jit, records
from domain.codes import OrderEventKind, SegmentKind
from shm import layout
from shm.record import TableReader, TableWriter
from shm.ring import RingReader, RingWriter
from shm.segment import Segment, create_segment
from tests.conftest import REPOSITORY
from tests.quoting_case import BARE, UNITS
from trading.quoting import entries
from trading.quoting.news import News
from trading.quoting.quoter import Quoter
from trading.quoting.session_sight import Segments, Sight
from trading.quoting.user.code import load_code

ROW, OTHER = 1, 0
RING_SLOTS = 8


class Session:
    """The segments that a sight is of, with their writers, and a quoter that looks."""

    def __init__(self, segment_name: Callable[[], str]) -> None:
        def make(kind: SegmentKind, record: records.RecordType, capacity: int) -> Segment:
            return create_segment(segment_name(), kind, record, capacity)

        self.tables = {
            name: make(SegmentKind.TABLE, record, 2)
            for name, record in {
                "feed": records.FEED, "accounts": records.ACCOUNT, "limits": records.LIMITS,
                "tickers": records.TICKER, "instruments": records.INSTRUMENT,
            }.items()
        }  # fmt: skip
        rings = {
            "books": make(SegmentKind.RING, records.BOOK, RING_SLOTS),
            "order_events": make(SegmentKind.RING, records.ORDER_EVENT, RING_SLOTS),
        }
        self.rows = {name: TableWriter(segment) for name, segment in self.tables.items()}
        self.books, self.events = RingWriter(rings["books"]), RingWriter(rings["order_events"])
        for number in range(3):
            self.book(ROW, 50.0 + number)  # there already: nobody asks for it
        readers = {name: TableReader(segment) for name, segment in self.tables.items()}
        self.sight = Sight(
            ROW, Segments(**readers, books=RingReader(rings["books"]), order_events=RingReader(rings["order_events"]))
        )
        self.quoter = Quoter(ROW)
        self.quoter.configure(BARE, UNITS)

    def look(self) -> News:
        return News(self.quoter.take_news(self.sight))

    def write(self, table: str, row: int = ROW, **values: float) -> None:
        for name, value in values.items():
            self.rows[table].scratch[name] = value
        self.rows[table].publish(row)

    def book(self, row: int, bid: float) -> int:
        scratch = self.books.scratch
        scratch["instrument"], scratch["is_valid"], scratch["bid_count"], scratch["ask_count"] = row, 1, 1, 1
        scratch["bid_price"][0, 0], scratch["ask_price"][0, 0] = bid, bid + 1.0
        scratch["bid_size"][0, 0] = scratch["ask_size"][0, 0] = 1.0
        return self.books.publish()

    def event(self, row: int, kind: OrderEventKind, side: int = 1) -> None:
        scratch = self.events.scratch
        scratch["instrument"], scratch["kind"], scratch["side"], scratch["size_lots"] = row, kind, side, 5
        self.events.publish()

    def seen(self, role: str, field: str) -> float:
        return float(self.quoter.record[role][field][0])


@pytest.fixture
def session(segment_name: Callable[[], str]) -> Session:
    return Session(segment_name)


def test_nothing_new_is_no_news(session: Session) -> None:
    assert session.look() == News(0)
    assert not session.sight.has_news


def test_rows_that_were_written_are_taken_once(session: Session) -> None:
    session.write("accounts", position_lots=7)
    session.write("limits", order_lots_max=9)
    session.write("tickers", mark_price=101.5)
    session.write("feed", 0, is_connected=1, alive_time_ns=12)
    assert session.look() == News.ROWS
    assert (session.seen("account", "position_lots"), session.seen("limits", "order_lots_max")) == (7, 9)
    assert session.seen("ticker", "mark_price") == 101.5
    assert (session.seen("moment", "is_connected"), session.seen("moment", "alive_time_ns")) == (1, 12)
    assert session.look() == News(0)


def test_a_sign_of_life_of_the_feed_alone_is_nothing_to_quote_for(session: Session) -> None:
    session.write("feed", 0, is_connected=1, alive_time_ns=99)
    assert session.look() == News(0)
    assert session.seen("moment", "alive_time_ns") == 99


def test_rows_of_other_instruments_are_not_ours(session: Session) -> None:
    session.write("accounts", OTHER, position_lots=7)
    assert session.look() == News(0)
    assert session.seen("account", "position_lots") == 0


def test_a_row_that_is_being_written_is_left_for_the_next_look(session: Session) -> None:
    session.write("limits", order_lots_max=9)
    session.look()
    sequence_word = (layout.HEADER_BYTES + ROW * records.LIMITS.size_bytes) >> 3
    segment = session.tables["limits"]
    # Given a writer that died inside the row, half of it written
    segment.words[sequence_word] |= 1
    segment.words[sequence_word + records.LIMITS.word("order_lots_max")] = 13
    # I expect what was whole, at once
    assert session.look() == News(0)
    assert session.seen("limits", "order_lots_max") == 9
    # and the next writer's row
    session.write("limits", order_lots_max=21)
    assert session.look() == News.ROWS
    assert session.seen("limits", "order_lots_max") == 21


def test_a_definition_is_told_not_taken(session: Session) -> None:
    session.write("instruments", tick_size=0.5)
    assert session.look() == News.DEFINITION
    assert session.look() == News(0)


def test_every_book_of_the_instrument_is_taken_in_order(session: Session) -> None:
    session.book(OTHER, 10.0)
    session.book(ROW, 100.0)
    session.book(OTHER, 11.0)
    position = session.book(ROW, 102.0)
    session.book(OTHER, 12.0)
    assert session.sight.has_news
    assert session.look() == News.BOOK
    assert session.sight.books_taken == 2
    assert session.seen("state", "mid") == 102.5
    assert session.seen("moment", "book_position") == position
    assert not session.sight.has_news
    assert session.look() == News(0)


def test_books_that_were_overwritten_are_counted_and_the_newest_is_taken(session: Session) -> None:
    for number in range(RING_SLOTS + 3):
        session.book(ROW, 100.0 + number)
    assert session.look() == News.BOOK | News.LOST
    assert session.sight.lost == (3, 0)
    assert session.seen("state", "mid") == 100.5 + RING_SLOTS + 2
    assert session.look() == News(0)


def test_a_book_whose_slot_is_being_overwritten_is_lost(session: Session) -> None:
    position = session.book(ROW, 100.0)
    session.book(ROW, 101.0)
    start = layout.HEADER_BYTES + (position % RING_SLOTS) * records.BOOK.size_bytes
    session.books._words[start >> 3] = 0
    assert session.look() == News.BOOK | News.LOST
    assert (session.sight.lost, session.sight.books_taken) == ((1, 0), 1)
    assert session.seen("state", "mid") == 101.5


def test_our_fills_of_the_instrument_are_taken_and_nothing_else(session: Session) -> None:
    session.event(ROW, OrderEventKind.ACCEPTED)
    session.event(OTHER, OrderEventKind.FILLED)
    assert session.look() == News(0)
    session.event(ROW, OrderEventKind.FILLED, side=1)
    session.event(ROW, OrderEventKind.FILLED, side=-1)
    assert session.look() == News.FILL
    assert (session.seen("state", "fills"), session.seen("state", "fill_side")) == (2, -1)


def test_order_events_that_were_overwritten_are_counted(session: Session) -> None:
    for _ in range(RING_SLOTS + 2):
        session.event(ROW, OrderEventKind.FILLED)
    assert session.look() == News.FILL | News.LOST
    assert session.sight.lost == (0, 2)
    assert session.seen("state", "fills") == RING_SLOTS


def test_a_burst_that_outruns_the_quoter_does_not_keep_it(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a strategy that is slower than books come
    taken = []

    def slow(_q: object) -> None:
        taken.append(1)
        assert len(taken) < 10 * RING_SLOTS, "it never comes to an end"
        session.book(ROW, 101.0)

    monkeypatch.setattr(entries, "on_book", slow)
    session.book(ROW, 100.0)
    # If it looks, I expect what was there when it began, and the rest at the next look
    assert session.look() == News.BOOK
    assert len(taken) == 1
    assert session.look() == News.BOOK
    assert len(taken) == 2


def test_a_users_code_that_failed_misses_no_row_and_keeps_no_backlog(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a user's code that fails at a book
    monkeypatch.setenv(jit.ENV_CACHE_DIR, str(tmp_path / "cache"))
    path = tmp_path / "mine.py"
    path.write_text(
        "from trading.quoting.standard import on_fill, on_trade, quote\n\n\ndef on_book(q):\n    raise IndexError(7)\n"
    )
    config = BARE.with_values({"file": str(path)})
    session.quoter = Quoter(ROW, code=load_code(config))
    session.quoter.configure(config, UNITS)
    session.write("instruments", tick_size=0.5)
    session.book(ROW, 100.0)
    # If it does, I expect everything that may have come with it to be looked at
    assert session.look() & News.DEFINITION
    assert session.quoter.fault
    # and afterwards the account to be taken, and books to be passed over
    session.book(ROW, 101.0)
    session.write("accounts", position_lots=9)
    assert session.look() == News.ROWS
    assert session.seen("account", "position_lots") == 9
    assert not session.sight.has_news
    assert session.look() == News(0)


def test_what_is_skipped_is_not_taken(session: Session) -> None:
    position = session.book(ROW, 100.0)
    assert session.sight.skip_books() == position
    assert session.look() == News(0)


def test_compiled_looks_never_see_half_a_record_while_another_process_writes() -> None:
    command, environ = [sys.executable, "-m", "tests.hammered_sight"], {**os.environ, "RINGMAKER_JIT": "1"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows, torn_rows, books, torn_books = (int(word) for word in done.stdout.split())
    assert (torn_rows, torn_books) == (0, 0)
    assert min(rows, books) > 20_000  # an unchecked copy is torn once in some 10,000
