from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from actors.execution.journal import Journal
from actors.execution.journal_format import Began, Sent
from actors.recorder.followed_journal import FollowedJournal
from domain.clock import SimClock
from domain.order import Side
from runtime.paths import JOURNAL_FILE
from trading.orders.config import JournalConfig

CLOCK = SimClock(monotonic_ns=5, realtime_ns=7)


def journal(path: Path) -> Journal:
    return Journal(path, CLOCK, JournalConfig(sync="never"))


def insert(writer: Journal, number: int) -> None:
    writer.order("INSERT", number, "BTC-PERPETUAL", Side.BUY, Decimal(100), Decimal("0.01"), 9)


def test_entries_come_once_each_while_the_journal_grows_and_over_a_restart_of_either(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL_FILE
    follower = FollowedJournal(path)
    assert follower.read() == []  # execution has not begun

    writer = journal(path)
    insert(writer, 1)
    assert [type(entry) for _, entry in follower.read()] == [Began, Sent]
    assert follower.read() == []

    insert(writer, 2)
    writer.close()
    writer = journal(path)  # execution's next life
    insert(writer, 3)
    again = FollowedJournal(path, *follower.place)  # the recorder's next life
    found = [entry for _, entry in again.read()]
    assert [type(entry) for entry in found] == [Sent, Began, Sent]
    assert [entry.client_order_id for entry in found if isinstance(entry, Sent)] == [2, 3]
    assert again.read() == []


def test_an_entry_that_is_half_written_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL_FILE
    writer = journal(path)
    follower = FollowedJournal(path)
    follower.read()
    size = path.stat().st_size
    insert(writer, 1)
    whole = path.read_bytes()
    for cut in range(size, len(whole)):
        path.write_bytes(whole[:cut])
        assert follower.read() == []
    path.write_bytes(whole)
    assert [place for place, _ in follower.read()] == [size]


def test_a_place_that_was_taken_back_is_read_again(tmp_path: Path) -> None:
    writer = journal(tmp_path / JOURNAL_FILE)
    insert(writer, 1)
    follower = FollowedJournal(tmp_path / JOURNAL_FILE)
    first = follower.read()
    follower.go_to(0, 0)
    assert follower.read() == first
