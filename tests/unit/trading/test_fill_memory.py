"""A fill counts once, also when the ledger no longer remembers it."""

from __future__ import annotations

from decimal import Decimal

from domain.clock import NS_PER_S
from domain.order import LiquiditySide, Side
from domain.reports import FillReport, TradeReport
from trading.fill_memory import FillMemory
from trading.ledger import Ledger

NAME = "BTC-PERPETUAL"
ONE = Decimal(1)
BEGIN_S = 1_700_000_000


def fill(number: int, time_s: float) -> FillReport:
    time_ns = int((BEGIN_S + time_s) * NS_PER_S)
    return FillReport(f"t{number}", f"o{number}", 0, ONE, ONE, LiquiditySide.MAKER, time_ns)


def trade(number: int, time_s: float) -> TradeReport:
    return TradeReport(
        f"t{number}", f"o{number}", 0, NAME, Side.BUY, ONE, ONE, Decimal("0.01"), ONE, Decimal(0), Decimal(0),
        LiquiditySide.MAKER, "", int((BEGIN_S + time_s) * NS_PER_S),
    )  # fmt: skip


def told(book: Ledger, count: int) -> Ledger:
    """Tell `count` fills, one a second, each with its order and in the history."""
    for number in range(count):
        assert book.book_fill(fill(number, number), NAME, Side.BUY)
        assert not book.book_trade(trade(number, number))
    return book


def test_fills_that_are_told_again_after_they_are_forgotten_do_not_count() -> None:
    # Given a hundred fills, those of the first minute forgotten
    book = told(Ledger({NAME: ONE}), 100)
    book.forget_before((BEGIN_S + 60) * NS_PER_S)
    # If the venue tells all of them again, with their orders, stamped a little apart, and in the history
    news = [book.book_fill(fill(number, number + shift), NAME, Side.BUY) for number in range(100) for shift in (0, 0.5)]
    news += [book.book_trade(trade(number, number)) for number in range(100)]
    # I expect no news, and each fill and fee counted once
    line = book.lines[NAME]
    assert not any(news)
    assert (line.fill_count, line.position, line.fees, line.unbooked) == (100, Decimal(100), ONE, 0)
    # ... and a new one counted
    assert book.book_fill(fill(100, 100), NAME, Side.BUY)


def test_what_is_forgotten_is_gone_and_the_rest_is_not() -> None:
    book = told(Ledger({NAME: ONE}), 100)
    book.forget_before((BEGIN_S + 60) * NS_PER_S)
    assert not book.is_counted(fill(10, 10).key)
    assert book.is_counted(fill(60, 60).key)


def test_the_fee_of_an_old_fill_is_booked_when_it_comes() -> None:
    # Given a fill whose fee was never told, long ago
    book = Ledger({NAME: ONE})
    assert book.book_fill(fill(0, 0), NAME, Side.BUY)
    book.forget_before((BEGIN_S + 600) * NS_PER_S)
    # If the history tells it at last, twice
    assert not book.book_trade(trade(0, 0))
    assert not book.book_trade(trade(0, 0))
    # I expect one fee, for one fill
    line = book.lines[NAME]
    assert (line.fill_count, line.fees, line.unbooked) == (1, Decimal("0.01"), 0)


def test_a_fill_that_came_without_a_time_is_never_forgotten() -> None:
    # Given a fill told once with a time, and once without
    book = Ledger({NAME: ONE})
    untimed = FillReport("t0", "o0", 0, ONE, ONE, LiquiditySide.MAKER, 0)
    assert book.book_trade(trade(0, 0))
    assert not book.book_fill(untimed, NAME, Side.BUY)
    # If its time is long past, I expect it known even so
    book.forget_before((BEGIN_S + 600) * NS_PER_S)
    assert not book.book_fill(untimed, NAME, Side.BUY)


def test_the_time_from_which_fills_are_news_never_goes_back() -> None:
    memory: FillMemory[None] = FillMemory()
    memory.forget_before(60 * NS_PER_S)
    memory.forget_before(30 * NS_PER_S)
    assert memory.is_past(59 * NS_PER_S)
    assert not memory.is_past(0)
