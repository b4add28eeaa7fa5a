"""A compiled sight over segments that another process writes without pause: prints looks, records taken, torn ones.

Every word that the writer stores into a record is the same number, so a copy that holds two is torn.
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

SECONDS = 1.5
_FIRST_FREE = records.BOOK.word("receive_time_ns")  # the words before it are the sequence, the row and a stamp


def write(table: str, ring: str, is_over: Event) -> None:
    """Store numbers into both until told to end."""
    rows, books = TableWriter(open_segment(table, writable=True)), RingWriter(open_segment(ring, writable=True))
    number = 0
    while not is_over.is_set():
        for _ in range(200):
            number += 1
            np.frombuffer(rows.ints, np.int64)[1:] = number
            rows.publish(0)
            np.frombuffer(books.ints, np.int64)[_FIRST_FREE:] = number
            books.ints[records.BOOK.word("instrument")] = 0
            books.publish()


def main() -> int:
    """Look for SECONDS and print what was seen."""
    from trading.quoting.session_sight import Segments, Sight
    from trading.quoting.sight import next_book, take_rows

    names = [f"ringmaker.test.{os.getpid()}.hammer{i}" for i in range(3)]
    context = multiprocessing.get_context("spawn")
    is_over = context.Event()
    try:
        accounts = create_segment(names[0], SegmentKind.TABLE, records.ACCOUNT, 1)
        books = create_segment(names[1], SegmentKind.RING, records.BOOK, 4)
        quiet = create_segment(names[2], SegmentKind.TABLE, records.ACCOUNT, 1)
        events = RingReader(books)
        still = TableReader(quiet)
        sight = Sight(0, Segments(still, TableReader(accounts), still, still, still, RingReader(books), events))
        writer = context.Process(target=write, args=(names[0], names[1], is_over), daemon=True)
        writer.start()
        looks, taken, torn = _look(sight, take_rows, next_book)
        is_over.set()
        writer.join(10)
    finally:
        for name in names:
            unlink_segment(name)
    print(looks, taken, torn)
    return 0


def _look(sight: Any, take_rows: Any, next_book: Any) -> tuple[int, int, int]:
    from trading.quoting.quoter import Quoter
    from trading.quoting.records import words_of

    quoter = Quoter(0)
    words = quoter.record.view(np.int64)
    account = words[words_of("account")][1:]
    book = words[words_of("book")][_FIRST_FREE:]
    take_rows(quoter.record[0]["moment"], words, sight.record[0])  # compiled now, not while time runs
    while not next_book(quoter.record[0]["moment"], words, sight.record[0]):
        time.sleep(0.01)  # the writer starts
    looks = taken = torn = 0
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        for _ in range(100):
            looks += 1
            if take_rows(quoter.record[0]["moment"], words, sight.record[0]):
                taken += 1
                torn += bool((account != account[0]).any())
            if next_book(quoter.record[0]["moment"], words, sight.record[0]):
                taken += 1
                torn += bool((book != book[0]).any())
    return looks, taken, torn


if __name__ == "__main__":
    sys.exit(main())
