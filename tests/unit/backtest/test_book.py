"""The compiled book, interpreted here: levels, best prices that overtake levels, the window, the records."""

from __future__ import annotations

import numpy as np
import pytest

from backtest.book import (
    NO_ASK,
    NO_BID,
    Ladder,
    apply_row,
    centre_of,
    fill_record,
    fill_trade,
    is_usable,
    new_book,
    recentre,
)
from backtest.data.events import (
    ASK,
    BEST,
    BID,
    BOTH_SIDES,
    CLEAR,
    EVENT,
    EVERY_PRICE,
    FINAL,
    LEVEL,
    SNAPSHOT_LEVEL,
    TRADE,
)
from backtest.synthetic import Market, blocks
from domain.book import Book
from domain.records import BOOK
from domain.records import TRADE as TRADE_RECORD

WINDOW = 1 << 10


def row(kind: int, side: int, ticks: int, lots: int, time_ns: int = 1, venue_id: int = 0) -> np.void:
    rows = np.zeros(1, EVENT)
    rows["flags"] = kind | side | FINAL | BOTH_SIDES
    rows["price_ticks"], rows["size_lots"] = ticks, lots
    rows["exchange_time_ns"], rows["local_time_ns"], rows["venue_id"] = time_ns, time_ns + 5, venue_id
    return rows[0]


def apply(book: Ladder, *rows: np.void, with_best: bool = True) -> None:
    for one in rows:
        apply_row(book.state[0], book.bids, book.asks, one, with_best)


def touch(book: Ladder) -> tuple[int, int]:
    return int(book.state["best_bid_ticks"][0]), int(book.state["best_ask_ticks"][0])


@pytest.fixture
def book() -> Ladder:
    """A book of 98, 99 | 101, 102 with ten lots each."""
    made = new_book(100, WINDOW)
    apply(
        made,
        row(LEVEL, BID, 98, 10), row(LEVEL, BID, 99, 10), row(LEVEL, ASK, 101, 10), row(LEVEL, ASK, 102, 10),
    )  # fmt: skip
    return made


def test_levels_move_the_touch_and_their_removal_finds_the_next(book: Ladder) -> None:
    assert touch(book) == (99, 101)
    apply(book, row(LEVEL, BID, 100, 1), row(LEVEL, ASK, 101, 0))
    assert touch(book) == (100, 102)
    apply(book, row(LEVEL, BID, 100, 0), row(LEVEL, BID, 100, 0))  # twice removed is removed
    assert touch(book) == (99, 102)
    apply(book, row(LEVEL, ASK, 102, 0))
    assert touch(book) == (99, NO_ASK)
    assert not is_usable(book.state[0])


def test_a_clear_takes_levels_up_to_its_price_or_all(book: Ladder) -> None:
    apply(book, row(CLEAR, BID, 99, 0))
    assert touch(book) == (98, 101)
    apply(book, row(CLEAR, BID, EVERY_PRICE, 0), row(CLEAR, ASK, EVERY_PRICE, 0))
    assert touch(book) == (NO_BID, NO_ASK)
    assert not book.bids.any()
    assert not book.asks.any()


def test_best_prices_take_away_what_was_better_and_what_they_cross(book: Ladder) -> None:
    apply(book, row(BEST, BID, 98, 7), row(BEST, ASK, 103, 4))
    assert touch(book) == (98, 103)
    apply(book, row(BEST, BID, 103, 2, time_ns=2))
    assert touch(book) == (103, NO_ASK)


def test_without_best_prices_the_levels_alone_make_the_book(book: Ladder) -> None:
    apply(book, row(BEST, BID, 100, 7), with_best=False)
    assert touch(book) == (99, 101)


@pytest.mark.parametrize(
    ("news", "late", "expected"),
    [
        ((50, 0), (49, 0), 98),  # by time: the level is older
        ((50, 0), (50, 0), 99),  # at the same time it counts
        ((50, 7), (60, 6), 98),  # ids decide where both have one
        ((50, 7), (40, 8), 99),
    ],
)
def test_a_level_older_than_the_best_price_does_not_bring_back_what_is_gone(
    book: Ladder, news: tuple[int, int], late: tuple[int, int], expected: int
) -> None:
    apply(book, row(BEST, BID, 98, 7, *news), row(LEVEL, BID, 99, 10, *late))
    assert touch(book)[0] == expected
    assert int(book.state["stale_rows"][0]) == (expected == 98)


def test_rows_outside_the_window_are_counted_and_left_out(book: Ladder) -> None:
    apply(book, row(LEVEL, BID, 100 - WINDOW, 5), row(LEVEL, ASK, 100 + WINDOW // 2, 5))
    assert touch(book) == (99, 101)
    assert int(book.state["far_rows"][0]) == 2


def test_the_window_follows_the_touch_and_keeps_what_it_still_holds() -> None:
    book = new_book(1000, WINDOW)
    apply(book, row(LEVEL, BID, 600, 3), row(LEVEL, BID, 1400, 10), row(LEVEL, ASK, 1402, 10))
    apply(book, row(LEVEL, BID, 1000, 4))
    recentre(book.state[0], book.bids, book.asks)
    assert int(book.state["first_ticks"][0]) == 1401 - WINDOW // 2
    apply(book, row(LEVEL, BID, 1400, 0), row(LEVEL, ASK, 1402, 0), row(LEVEL, ASK, 1900, 1))
    assert touch(book) == (1000, 1900)  # 600 was left behind
    apply(book, row(LEVEL, BID, 1000, 0))
    assert touch(book)[0] == NO_BID


def test_records_hold_the_best_levels_in_prices(book: Ladder) -> None:
    record = np.zeros(1, BOOK.dtype)
    last = row(LEVEL, BID, 97, 4, time_ns=9)
    apply(book, last)
    fill_record(book.state[0], book.bids, book.asks, last, 0.5, 0.01, record[0])
    assert record["bid_count"][0] == 3
    assert record["ask_count"][0] == 2
    assert record["bid_price"][0, :4].tolist() == [49.5, 49.0, 48.5, 0.0]
    assert record["bid_size"][0, :3] == pytest.approx([0.1, 0.1, 0.04])
    assert record["ask_price"][0, :2].tolist() == [50.5, 51.0]
    assert (record["exchange_time_ns"][0], record["receive_time_ns"][0], record["is_valid"][0]) == (9, 14, 1)


def test_a_trade_record_tells_price_size_and_aggressor() -> None:
    record = np.zeros(1, TRADE_RECORD.dtype)
    fill_trade(row(TRADE, ASK, 99, 3, time_ns=9), 0.5, 0.01, record[0])
    assert record[["price", "size", "aggressor_side"]][0].item() == (49.5, pytest.approx(0.03), -1)


def test_the_centre_is_near_the_touch() -> None:
    rows = np.array([row(LEVEL, BID, 10, 1), row(BEST, BID, 95, 1), row(TRADE, BID, 99, 1)], EVENT)
    assert centre_of(rows) == 95
    assert centre_of(np.array([row(SNAPSHOT_LEVEL, BID, 90, 1), row(LEVEL, ASK, 110, 1)], EVENT)) == 100


def test_it_is_the_same_book_as_the_live_one_over_a_generated_session() -> None:
    live = Book()
    market = Market(sigma=2.0, seed=3)
    book = None
    for rows in blocks(market, 60.0):
        book = book or new_book(centre_of(rows))
        for one in rows:
            apply(book, one)
            flags, change = int(one["flags"]), (float(one["price_ticks"]), float(one["size_lots"]))
            if flags & 0xFF in (LEVEL, SNAPSHOT_LEVEL):
                (live.bids if flags & BID else live.asks).apply([change])
            if flags & FINAL and flags & 0xFF != TRADE:
                assert touch(book) == (live.best_bid, live.best_ask)
    assert book is not None
    kept = np.flatnonzero(book.bids)
    assert len(kept) == len(live.bids) == market.levels
    assert sorted(book.bids[kept].tolist()) == sorted(live.bids.sizes)
