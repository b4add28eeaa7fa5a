"""The ledger: fills once, costs once, P&L that adds up."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from domain.order import LiquiditySide, Side
from domain.reports import FillReport, TradeReport
from trading.ledger import UNTOLD_KEPT_MAX, Ledger, LedgerState
from trading.ledger_line import LedgerLine

D = Decimal
NAME = "BTC-PERPETUAL"


def fill(trade_id: str = "t1", price: str = "100", size: str = "1", order: str = "o1", leg: int = 0) -> FillReport:
    return FillReport(trade_id, order, leg, D(price), D(size), LiquiditySide.MAKER, 0)


def trade(
    trade_id: str = "t1",
    side: Side = Side.BUY,
    price: str = "100",
    size: str = "1",
    fee: str = "0.01",
    funding: str = "0",
    order: str = "o1",
    name: str = NAME,
) -> TradeReport:
    return TradeReport(
        trade_id, order, 0, name, side, D(price), D(size), D(fee), D(0), D(0), D(funding), LiquiditySide.MAKER, "", 0
    )


def ledger() -> Ledger:
    return Ledger({NAME: D(1)})


def test_a_fill_heard_with_its_order_and_in_the_history_counts_once() -> None:
    # Given a fill that came with its order
    book = ledger()
    assert book.book_fill(fill(), NAME, Side.BUY)
    # If it comes again, and as a line of the history, twice
    assert not book.book_fill(fill(), NAME, Side.BUY)
    assert not book.book_trade(trade())
    assert not book.book_trade(trade())
    # I expect one fill and one fee
    line = book.lines[NAME]
    assert (line.position, line.fill_count, line.fees, line.unbooked) == (D(1), 1, D("0.01"), 0)


def test_a_history_line_that_comes_first_counts_and_the_fill_does_not_again() -> None:
    book = ledger()
    assert book.book_trade(trade())
    assert not book.book_fill(fill(), NAME, Side.BUY)
    assert (book.lines[NAME].position, book.lines[NAME].fees, book.unbooked) == (D(1), D("0.01"), 0)


def test_fills_of_one_trade_on_two_orders_or_legs_are_different_fills() -> None:
    book = ledger()
    assert book.book_fill(fill(order="o1"), NAME, Side.BUY)
    assert book.book_fill(fill(order="o2"), NAME, Side.BUY)
    assert book.book_fill(fill(order="o1", leg=1), NAME, Side.BUY)
    assert book.lines[NAME].position == D(3)


def test_a_fill_waits_for_its_fee_and_says_so() -> None:
    book = ledger()
    book.book_fill(fill(), NAME, Side.BUY)
    assert (book.unbooked, book.lines[NAME].unbooked, book.lines[NAME].fees) == (1, 1, D(0))
    book.book_trade(trade(fee="-0.02", funding="0.5"))
    line = book.lines[NAME]
    assert (book.unbooked, line.unbooked, line.fees, line.funding_booked) == (0, 0, D("-0.02"), D("0.5"))


def test_a_venue_that_changes_a_fill_is_not_believed_and_its_costs_count() -> None:
    book = ledger()
    book.book_fill(fill(price="100"), NAME, Side.BUY)
    assert not book.book_trade(trade(price="101", fee="0.3"))
    assert (book.lines[NAME].position, book.lines[NAME].cash, book.lines[NAME].fees) == (D(1), D(-100), D("0.3"))
    assert book.unbooked == 0
    (told,) = book.take_contradictions()
    assert told.endswith("1 at 101, and said 1 at 100 before")


def test_a_correction_of_a_trade_is_not_booked_and_told_once() -> None:
    book = ledger()
    book.book_trade(trade())
    before = book.state
    correction = msgspec.structs.replace(trade(), is_correction=True)
    for _ in range(2):
        assert not book.book_trade(correction)
    assert book.state == before
    assert len(book.take_contradictions()) == 1
    assert not book.book_trade(correction)
    assert book.take_contradictions() == []


def test_a_correction_instead_of_a_fills_own_line_leaves_no_fee_to_wait_for() -> None:
    # Given a fill that came with its order
    book = ledger()
    book.book_fill(fill(), NAME, Side.BUY)
    # If the history tells nothing of it but that it was taken back, and does so again
    correction = msgspec.structs.replace(trade(), is_correction=True)
    for _ in range(2):
        assert not book.book_trade(correction)
    # I expect nobody to wait for its fee
    line = book.lines[NAME]
    assert (book.unbooked, book.unbooked_since_ns, line.unbooked, line.fees) == (0, None, 0, D(0))
    assert book.uncharged == 1
    # If its own line comes even so, I expect what it cost to be booked, once: as if it had come first
    for _ in range(2):
        assert not book.book_trade(trade())
    assert (book.unbooked, book.uncharged, line.unbooked, line.fees) == (0, 0, 0, D("0.01"))
    assert book.state == corrected_after_its_line().state


def test_a_fee_that_was_given_up_is_waited_for_no_longer_and_booked_if_it_comes() -> None:
    book = ledger()
    book.book_fill(fill(), NAME, Side.BUY)

    book.give_up_fee(fill().key)
    assert (book.unbooked, book.unbooked_since_ns, book.uncharged) == (0, None, 1)
    assert not book.awaited_fees

    assert not book.book_trade(trade())
    assert (book.uncharged, book.lines[NAME].unbooked, book.lines[NAME].fees) == (0, 0, D("0.01"))
    assert not book.book_trade(trade())
    assert book.lines[NAME].fees == D("0.01")


@pytest.mark.parametrize("was_corrected", [False, True])
def test_a_restart_forgets_no_fee_that_is_not_waited_for(was_corrected: bool) -> None:
    book = ledger()
    book.book_fill(fill(), NAME, Side.BUY)
    if was_corrected:
        book.book_trade(msgspec.structs.replace(trade(), is_correction=True))
    else:
        book.give_up_fee(fill().key)

    resumed = ledger()
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(book.state), type=LedgerState)
    resumed.resume(state, book.counted)
    assert (resumed.unbooked, resumed.uncharged) == (0, 1)
    assert resumed.state == book.state
    assert not resumed.book_trade(trade())
    line = resumed.lines[NAME]
    assert (resumed.uncharged, line.unbooked, line.fees) == (0, 0, D("0.01"))


def test_a_state_of_a_version_without_them_is_resumed_and_counts_the_fees_that_are_missing() -> None:
    book = ledger()
    book.book_fill(fill(), NAME, Side.BUY)
    book.give_up_fee(fill().key)
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(tuple(book.state)[:3]), type=LedgerState)

    resumed = ledger()
    resumed.resume(older, book.counted)
    assert (resumed.unbooked, resumed.uncharged) == (0, 1)


def test_a_state_does_not_grow_with_the_fees_that_never_come() -> None:
    book = ledger()
    for number in range(3 * UNTOLD_KEPT_MAX):
        book.book_fill(fill(f"t{number}"), NAME, Side.BUY)
        book.give_up_fee(fill(f"t{number}").key)
    assert len(book.state.overdue) == UNTOLD_KEPT_MAX
    assert book.uncharged == 3 * UNTOLD_KEPT_MAX
    assert book.state.overdue[-1] == fill(f"t{3 * UNTOLD_KEPT_MAX - 1}").key


def test_a_fill_without_a_time_is_not_older_than_what_came_before_it() -> None:
    book = ledger()
    book.book_fill(msgspec.structs.replace(fill("t1"), time_ns=5_000), NAME, Side.BUY)
    book.book_trade(msgspec.structs.replace(trade("t1"), time_ns=5_000))

    book.book_fill(msgspec.structs.replace(fill("t2"), time_ns=0), NAME, Side.BUY)

    assert book.unbooked_since_ns == 5_000


def corrected_after_its_line() -> Ledger:
    book = ledger()
    book.book_fill(fill(), NAME, Side.BUY)
    book.book_trade(trade())
    book.book_trade(msgspec.structs.replace(trade(), is_correction=True))
    return book


def test_trades_before_the_session_and_of_other_instruments_are_left_out() -> None:
    book = Ledger({NAME: D(1)}, ignored=[trade("old").key])
    assert not book.book_trade(trade("old"))
    assert not book.book_trade(trade("other", name="ETH-PERPETUAL"))
    assert book.lines[NAME].fill_count == 0


def test_average_entry_price_follows_adding_reducing_and_turning() -> None:
    line = LedgerLine()
    line.fill(Side.BUY, D(100), D(1))
    line.fill(Side.BUY, D(103), D(2))
    assert line.average_entry == D(102)
    # Reducing realises against the average and leaves it
    line.fill(Side.SELL, D(105), D(1))
    assert (line.realised, line.average_entry, line.position) == (D(3), D(102), D(2))
    # Turning round realises the rest and starts anew
    line.fill(Side.SELL, D(101), D(5))
    assert (line.realised, line.average_entry, line.position) == (D(1), D(101), D(-3))
    pnl = line.pnl(D(100))
    assert (pnl.realised, pnl.unrealised, pnl.total) == (D(1), D(3), D(4))


def test_a_start_position_earns_only_what_happens_in_the_session() -> None:
    # Given a long position held at the start, marked at 200, with funding that is not the session's own
    line = LedgerLine()
    line.begin(D(2), D(200), D("-7"))
    assert line.pnl(D(200), D("-7")).total == 0
    # If the mark rises and half is sold
    line.fill(Side.SELL, D(210), D(1))
    line.fees += D("0.1")
    pnl = line.pnl(D(205), D("-6"))
    # I expect ten realised, five unrealised, one of funding, less the fee
    assert (pnl.realised, pnl.unrealised, pnl.funding, pnl.total) == (D(10), D(5), D(1), D("15.9"))


def test_a_flat_line_has_nothing_unrealised_whatever_was_rounded() -> None:
    line = LedgerLine()
    for price in ("100", "100", "101"):
        line.fill(Side.BUY, D(price), D(1))
    for price in ("102", "103", "104"):
        line.fill(Side.SELL, D(price), D(1))
    pnl = line.pnl(D(500))
    assert (pnl.realised, pnl.unrealised, pnl.total) == (D(8), D(0), D(8))


def test_a_changed_fill_is_noticed_among_the_newest_and_counts_once_among_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a ledger that keeps what was said of two fills, and three
    monkeypatch.setattr("trading.ledger.TERMS_KEPT_MAX", 2)
    book = ledger()
    for number in range(3):
        assert book.book_fill(fill(f"t{number}"), NAME, Side.BUY)
    # If the venue says something else of the two newest, I expect it not believed
    for number in (1, 2):
        assert not book.book_fill(fill(f"t{number}", price="101"), NAME, Side.BUY)
    assert len(book.take_contradictions()) == 2
    # ... and of the first, it not counted again
    assert not book.book_fill(fill("t0", price="101"), NAME, Side.BUY)
    assert book.lines[NAME].fill_count == 3
