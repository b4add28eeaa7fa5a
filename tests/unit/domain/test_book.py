from __future__ import annotations

import random

import pytest

from domain.book import Book


def _book() -> Book:
    book = Book()
    book.apply_snapshot([[99.0, 1.0], [100.0, 2.0], [98.0, 3.0]], [[102.0, 4.0], [101.0, 5.0]])
    return book


def test_a_snapshot_is_sorted_best_first_whatever_its_order():
    book = _book()
    prices, sizes = book.bids.best(10)
    assert (list(prices), list(sizes)) == ([100.0, 99.0, 98.0], [2.0, 1.0, 3.0])
    prices, sizes = book.asks.best(10)
    assert (list(prices), list(sizes)) == ([101.0, 102.0], [5.0, 4.0])
    assert (book.best_bid, book.best_ask, book.update_count) == (100.0, 101.0, 0)


def test_a_change_sets_adds_or_removes_a_level():
    book = _book()
    book.apply_changes([[99.0, 7.0], [99.5, 1.5], [98.0, 0.0]], [[101.0, 0.0], [103.0, 1.0]])
    assert list(book.bids.best(10)[0]) == [100.0, 99.5, 99.0]
    assert list(book.bids.best(10)[1]) == [2.0, 1.5, 7.0]
    assert list(book.asks.best(10)[0]) == [102.0, 103.0]
    assert book.update_count == 1


def test_removing_a_level_that_is_not_there_changes_nothing():
    book = _book()
    book.apply_changes([[97.0, 0.0]], [[500.0, 0.0]])
    assert len(book.bids) == 3
    assert len(book.asks) == 2


def test_the_third_item_of_a_level_is_not_its_size():
    book = Book()
    book.apply_snapshot([[100.0, 2.0, 0.5]], [])
    assert list(book.bids.best(1)[1]) == [2.0]


def test_a_snapshot_replaces_everything():
    book = _book()
    book.apply_changes([[99.9, 1.0]], [])
    book.apply_snapshot([[50.0, 1.0]], [])
    assert list(book.bids.best(10)[0]) == [50.0]
    assert len(book.asks) == 0
    assert book.update_count == 0


def test_levels_behind_the_window_are_forgotten():
    book = Book(window_levels=2)
    book.apply_snapshot([[100.0, 1.0], [99.0, 1.0]], [[101.0, 1.0], [102.0, 1.0]])
    book.apply_changes([[100.5, 1.0]], [[100.9, 1.0]])
    # 99 and 102 left the window unmaintained: when the best levels go, they must not come back
    book.apply_changes([[100.5, 0.0]], [[100.9, 0.0]])
    assert list(book.bids.best(10)[0]) == [100.0]
    assert list(book.asks.best(10)[0]) == [101.0]


@pytest.mark.parametrize(("bid", "is_crossed"), [(100.9, False), (101.0, True), (101.5, True)])
def test_a_book_is_crossed_when_a_bid_reaches_an_ask(bid: float, is_crossed: bool):
    book = _book()
    book.apply_changes([[bid, 1.0]], [])
    assert book.is_crossed is is_crossed


def test_an_empty_side_is_neither_crossed_nor_two_sided():
    book = Book()
    assert not book.is_crossed
    book.apply_snapshot([[100.0, 1.0]], [])
    assert not book.is_crossed
    assert not book.is_two_sided


def test_many_random_changes_give_the_book_that_a_dictionary_gives():
    rng = random.Random(7)
    book, bids, asks = Book(), dict[float, float](), dict[float, float]()
    for _ in range(3000):
        side, first = (bids, 900) if rng.random() < 0.5 else (asks, 1000)
        price = (first + rng.randrange(90)) * 0.5
        size = rng.choice([0.0, 0.1, 1.0, 2.5])
        if size:
            side[price] = size
        else:
            side.pop(price, None)
        change = [[price, size, size]]
        book.apply_changes(change if side is bids else [], change if side is asks else [])
    prices, sizes = book.bids.best(1000)
    assert list(zip(prices, sizes, strict=True)) == sorted(bids.items(), reverse=True)
    prices, sizes = book.asks.best(10)
    assert list(zip(prices, sizes, strict=True)) == sorted(asks.items())[:10]
