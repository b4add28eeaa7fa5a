"""A compiled sight over segments that another process writes without pause: prints records taken, and torn ones.

Every word that the writer stores into a record is the same number, so a copy that holds two is torn. Without the look
at the sequence after the copy it finds about one torn row in ten thousand.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from multiprocessing.synchronize import Event
from typing import Any

import numpy as np

from domain import records
from domain.codes import SegmentKind
from shm.record import TableReader, TableWriter
from shm.ring import RingReader, RingWriter
from shm.segment import create_segment, open_segment, unlink_segment

SECONDS = 3.0
LOOKS_AT_ONCE = 20_000
_FIRST_FREE = records.BOOK.word("receive_time_ns")  # the words before it are the sequence, the row and a stamp


def write(table: str, ring: str, is_over: Event) -> None:
    """Store numbers into both until told to end."""
    rows, books = TableWriter(open_segment(table, writable=True)), RingWriter(open_segment(ring, writable=True))
    row = np.frombuffer(rows.ints, np.int64)[1:]
    book = np.frombuffer(books.ints, np.int64)[_FIRST_FREE:]
    number = 0
    while not is_over.is_set():
        for _ in range(500):
            number += 1
            row[:] = number
            rows.publish(0)
            book[:] = number
            books.publish()


def compiled_looks() -> Any:
    """Return what looks often at rows and books; [rows taken, torn, books taken, torn] of each call."""
    from numba import njit

    from trading.quoting.records import words_of
    from trading.quoting.sight import books_end, next_book, take_rows

    row_first, row_end = words_of("account").start + 1, words_of("account").stop
    book_first, book_end = words_of("book").start + _FIRST_FREE, words_of("book").stop

    @njit  # type: ignore[untyped-decorator]
    def is_torn(words: Any, first: int, end: int) -> int:
        for i in range(first, end):
            if words[i] != words[first]:
                return 1
        return 0

    @njit  # type: ignore[untyped-decorator]
    def look(quoter: Any, words: Any, sight: Any, count: int) -> Any:
        rows = torn_rows = books = torn_books = 0
        moment, seen = quoter[0]["moment"], sight[0]
        for _ in range(count):
            if take_rows(moment, words, seen):
                rows += 1
                torn_rows += is_torn(words, row_first, row_end)
            if next_book(moment, words, seen, books_end(seen)):
                books += 1
                torn_books += is_torn(words, book_first, book_end)
        return rows, torn_rows, books, torn_books

    return look


def main() -> int:
    """Look for SECONDS and print what was seen."""
    from trading.quoting.quoter import Quoter
    from trading.quoting.session_sight import Segments, Sight

    look = compiled_looks()
    names = [f"ringmaker.test.{os.getpid()}.hammer{i}" for i in range(3)]
    context = multiprocessing.get_context("spawn")
    is_over = context.Event()
    try:
        accounts = TableReader(create_segment(names[0], SegmentKind.TABLE, records.ACCOUNT, 1))
        books = RingReader(create_segment(names[1], SegmentKind.RING, records.BOOK, 4))
        still = TableReader(create_segment(names[2], SegmentKind.TABLE, records.ACCOUNT, 1))
        sight = Sight(0, Segments(still, accounts, still, still, still, books, books))
        quoter = Quoter(0)
        words = quoter.record.view(np.int64)
        look(quoter.record, words, sight.record, 1)  # compiled now, not while time runs
        writer = context.Process(target=write, args=(names[0], names[1], is_over), daemon=True)
        writer.start()
        while not books.has_news:
            time.sleep(0.01)
        seen = np.zeros(4, np.int64)
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            seen += look(quoter.record, words, sight.record, LOOKS_AT_ONCE)
        is_over.set()
        writer.join(10)
    finally:
        for name in names:
            unlink_segment(name)
    print(*seen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
