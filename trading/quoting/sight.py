"""What a quoter sees of its session: the segments of one instrument, read by kernels where they lie.

A tick would otherwise be a dozen short calls from Python, each through code and data that have left the caches since
the last tick. A SIGHT record says where each ring and row lies and up to where it was read; what is there is copied
into the roles of the QUOTER record. Nothing is written to shared memory here.

A row that is just being written is left for the next look: its writer may be dead inside it. A ring's slot is checked
after the copy, as shm/ring.py explains.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from domain.addressed import address_of, word_at
from domain.codes import OrderEventKind
from domain.jit import Array, Record, kernel
from domain.records import ACCOUNT, BOOK, FEED, LIMITS, ORDER_EVENT, TICKER
from trading.quoting.news import News
from trading.quoting.records import words_of
from trading.words import WORD_BYTES, Words, ints, role

_ROWS, _DEFINITION = int(News.ROWS), int(News.DEFINITION)
_FILLED = int(OrderEventKind.FILLED)
_TRIES_MAX = 20

_BOOK_WORDS, _EVENT_WORDS, _FEED_WORDS = (record.size_bytes // WORD_BYTES for record in (BOOK, ORDER_EVENT, FEED))
_ACCOUNT_WORDS, _LIMITS_WORDS, _TICKER_WORDS = (record.size_bytes // WORD_BYTES for record in (ACCOUNT, LIMITS, TICKER))
_LAST_WORD = max(_BOOK_WORDS, _EVENT_WORDS, _FEED_WORDS, _ACCOUNT_WORDS, _LIMITS_WORDS, _TICKER_WORDS)
_TO_BOOK, _TO_ACCOUNT = words_of("book").start, words_of("account").start
_TO_LIMITS, _TO_TICKER = words_of("limits").start, words_of("ticker").start
_BOOK_INSTRUMENT, _EVENT_INSTRUMENT = BOOK.word("instrument"), ORDER_EVENT.word("instrument")
_EVENT_KIND = ORDER_EVENT.word("kind")
_IS_CONNECTED, _ALIVE = FEED.word("is_connected"), FEED.word("alive_time_ns")

SIGHT = role(
    [
        *ints(
            "instrument",
            "feed", "feed_seen",  # address and sequence of a row
            "account", "account_seen",
            "limits", "limits_seen",
            "ticker", "ticker_seen",
            "definition", "definition_seen",
            # of a ring: addresses of its head and its first slot, capacity - 1, next position to read
            "books_head", "books", "books_mask", "book_position", "books_lost",
            "events_head", "events", "events_mask", "event_position", "events_lost",
            "books_taken",
        ),
        Words("copied", "i8", _LAST_WORD),  # a record, until it is known to be whole
    ]
)  # fmt: skip


def blind() -> npt.NDArray[np.void]:
    """Return a SIGHT record, shape (1,), in which there is nothing to see."""
    record = np.zeros(1, SIGHT)
    for field in ("feed", "account", "limits", "ticker", "definition", "books_head", "books", "events_head", "events"):
        record[field] = _NOTHING_ADDRESS
    return record


_NOTHING = np.zeros(_LAST_WORD, np.int64)
_NOTHING_ADDRESS = address_of(_NOTHING.view(np.uint8).data)


@kernel
def take_rows(moment: Record, words: Array, sight: Record) -> int:
    """Take every row that was written since the last look into the QUOTER record; return the News of it."""
    news = 0
    copied = sight["copied"]
    sequence = _copy_row(sight["feed"], sight["feed_seen"], _FEED_WORDS, copied)
    if sequence != sight["feed_seen"]:
        sight["feed_seen"] = sequence
        moment["is_connected"] = copied[_IS_CONNECTED]
        moment["alive_time_ns"] = copied[_ALIVE]
    sequence = _copy_row(sight["account"], sight["account_seen"], _ACCOUNT_WORDS, copied)
    if sequence != sight["account_seen"]:
        sight["account_seen"] = sequence
        _put(words, _TO_ACCOUNT, copied, _ACCOUNT_WORDS)
        news |= _ROWS
    sequence = _copy_row(sight["limits"], sight["limits_seen"], _LIMITS_WORDS, copied)
    if sequence != sight["limits_seen"]:
        sight["limits_seen"] = sequence
        _put(words, _TO_LIMITS, copied, _LIMITS_WORDS)
        news |= _ROWS
    sequence = _copy_row(sight["ticker"], sight["ticker_seen"], _TICKER_WORDS, copied)
    if sequence != sight["ticker_seen"]:
        sight["ticker_seen"] = sequence
        _put(words, _TO_TICKER, copied, _TICKER_WORDS)
        news |= _ROWS
    sequence = word_at(sight["definition"])
    if sequence != sight["definition_seen"] and sequence & 1 == 0:
        sight["definition_seen"] = sequence
        news |= _DEFINITION
    return news


@kernel
def _put(words: Array, first: int, copied: Array, count: int) -> None:
    for i in range(count):
        words[first + i] = copied[i]


@kernel
def _copy_row(row: int, seen: int, count: int, copied: Array) -> int:
    """Copy a table's row of `count` words if it was written since sequence `seen`; return the sequence now seen."""
    for _ in range(_TRIES_MAX):
        sequence = word_at(row)
        if sequence == seen or sequence & 1:
            return seen
        for i in range(count):
            copied[i] = word_at(row + WORD_BYTES * i)
        if word_at(row) == sequence:
            return sequence
    return seen


@kernel
def books_end(sight: Record) -> int:
    """Return the position behind the newest book of the ring."""
    return word_at(sight["books_head"])


@kernel
def skip_rings(sight: Record) -> None:
    """Pass over every book and order event that is there."""
    sight["book_position"] = word_at(sight["books_head"])
    sight["event_position"] = word_at(sight["events_head"])


@kernel
def next_book(moment: Record, words: Array, sight: Record, end: int) -> bool:
    """Bring the next book of the instrument before position `end` into the QUOTER record; False when there is none."""
    copied = sight["copied"]
    head = word_at(sight["books_head"])
    while sight["book_position"] < end:
        position = sight["book_position"]
        oldest = head - sight["books_mask"] - 1
        if position < oldest:
            sight["books_lost"] += oldest - position
            sight["book_position"] = oldest
            continue
        sight["book_position"] = position + 1
        slot = sight["books"] + (position & sight["books_mask"]) * (_BOOK_WORDS * WORD_BYTES)
        is_ours = word_at(slot + WORD_BYTES * _BOOK_INSTRUMENT) == sight["instrument"]
        if is_ours:
            for i in range(_BOOK_WORDS):
                copied[i] = word_at(slot + WORD_BYTES * i)
        if word_at(slot) != position + 1:
            sight["books_lost"] += 1
            head = word_at(sight["books_head"])
        elif is_ours:
            _put(words, _TO_BOOK, copied, _BOOK_WORDS)
            moment["book_position"] = position
            sight["books_taken"] += 1
            return True
    return False


@kernel
def next_fill(sight: Record) -> bool:
    """Bring the next fill of the instrument, an ORDER_EVENT, into `copied`; False when there is none yet."""
    copied = sight["copied"]
    head = word_at(sight["events_head"])
    while sight["event_position"] < head:
        position = sight["event_position"]
        oldest = head - sight["events_mask"] - 1
        if position < oldest:
            sight["events_lost"] += oldest - position
            sight["event_position"] = oldest
            continue
        sight["event_position"] = position + 1
        slot = sight["events"] + (position & sight["events_mask"]) * (_EVENT_WORDS * WORD_BYTES)
        is_ours = word_at(slot + WORD_BYTES * _EVENT_INSTRUMENT) == sight["instrument"]
        is_ours = is_ours and word_at(slot + WORD_BYTES * _EVENT_KIND) == _FILLED
        if is_ours:
            for i in range(_EVENT_WORDS):
                copied[i] = word_at(slot + WORD_BYTES * i)
        if word_at(slot) != position + 1:
            sight["events_lost"] += 1
            head = word_at(sight["events_head"])
        elif is_ours:
            return True
    return False
