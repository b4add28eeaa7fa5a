"""A journal of several files: each begins with what is needed of those before it, and a follower reads all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.execution.journal_format import Carried, Entry
from actors.execution.journal_state import UNFINISHED_AT_ONCE
from actors.execution.read_journal import main, read_files, read_journal
from actors.recorder.followed_journal import FollowedJournal, Skipped
from runtime.paths import JOURNAL_FILE
from tests.journal_case import (
    assert_knows,
    expected,
    faulty,
    fill,
    insert,
    opened,
    told,
    write,
)
from trading.fill_keys import FINGERPRINT_BYTES


def names(*endings: str) -> list[str]:
    return [f"{JOURNAL_FILE}.{ending}" for ending in endings]


def test_a_new_file_begins_with_all_that_is_still_needed(path: Path) -> None:
    # Given a journal that went on in a new file twice, one order of which may still trade
    journal = opened(path)
    write(journal, range(1, 5))
    journal.begin_next_file(lambda number: number == 2)
    write(journal, range(5, 8))
    journal.begin_next_file(lambda number: number == 2)
    write(journal, range(8, 9))
    journal.close()
    # If the next life opens it, and the venue tells all fills again
    again = opened(path)
    assert_knows(again, range(1, 9), 8, [2, 8])
    for number in range(1, 9):
        fill(again, number)
    again.close()
    # I expect every entry once over all files, the present one small
    assert sorted(file.name for file in path.parent.iterdir()) == [JOURNAL_FILE, *names("1", "2", "fills")]
    assert told(read_journal(path)) == expected(range(1, 9))
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert again.damage is None


def test_much_is_carried_in_several_entries(path: Path) -> None:
    orders = 2 * UNFINISHED_AT_ONCE + 1
    journal = opened(path, sync="never")
    write(journal, range(1, orders + 1))
    journal.begin_next_file(lambda _: True)
    carried = [entry for entry in read_journal(path) if isinstance(entry, Carried)]
    assert [entry.is_whole for entry in carried] == [False, False, True]
    assert_knows(opened(path), range(1, orders + 1), orders, list(range(1, orders + 1)))


def test_fills_are_sealed_once_each_whatever_comes_between(path: Path) -> None:
    # Given a journal of many files and several lives, to which the venue tells every fill again and again
    rng = random.Random(6)
    journal = opened(path, sync="never")
    for number in range(1, 120):
        write(journal, range(number, number + 1))
        fill(journal, rng.randint(1, number))
        if rng.random() < 0.2:
            journal.begin_next_file(lambda _: False)
        if rng.random() < 0.1:
            journal.close()
            journal = opened(path, sync="never")
    journal.begin_next_file(lambda _: False)
    # I expect eight bytes for each beside the journal, and none in its present file
    assert path.with_name(f"{JOURNAL_FILE}.fills").stat().st_size == 119 * FINGERPRINT_BYTES
    assert path.stat().st_size < 200
    assert_knows(opened(path), range(1, 120), 119, [])


def test_it_is_full_by_what_was_written_since_the_file_began(path: Path) -> None:
    journal = opened(path, sync="never", file_mb_max=1)
    number = 0
    while not journal.is_full:
        number += 1
        fill(journal, number)
    assert path.stat().st_size == pytest.approx(1 << 20, abs=1000)
    journal.begin_next_file(lambda _: False)
    assert not journal.is_full
    # ... not by what the file took over, be it larger
    for number in range(22_000):
        insert(journal, number)
    journal.begin_next_file(lambda _: True)
    assert path.stat().st_size > 1 << 20
    assert not journal.is_full
    journal.trouble = "No space left on device"
    assert not journal.is_full


def test_the_oldest_files_go(path: Path) -> None:
    journal = opened(path, files_kept=2)
    for number in range(1, 6):
        insert(journal, number)
        journal.begin_next_file(lambda _: False)
    insert(journal, 6)
    assert told(read_journal(path)) == [4, 5, 6]
    left = [JOURNAL_FILE, f"{JOURNAL_FILE}.4", f"{JOURNAL_FILE}.5", f"{JOURNAL_FILE}.fills"]
    assert sorted(file.name for file in path.parent.iterdir()) == left


def test_with_sync_always_names_and_both_files_are_on_the_disk_before_an_order_leaves(path: Path) -> None:
    journal = opened(path, sync="always")
    insert(journal, 1)
    journal.begin_next_file(lambda _: True)
    calls: list[str] = []
    with recorded(calls):
        insert(journal, 2)
    assert calls == ["pwrite", "fdatasync", "open", "fsync", "close", "close", "fdatasync"]


@contextmanager
def recorded(calls: list[str]) -> Iterator[None]:
    """Note the system calls that a journal makes."""
    with faulty(lambda name: calls.append(name)):
        yield


def test_a_follower_reads_each_entry_once_through_many_files_and_its_own_restarts(path: Path) -> None:
    journal = opened(path, sync="never")
    heard: list[tuple[int, Entry]] = []
    follower = FollowedJournal(path)
    rng = random.Random(4)
    for number in range(1, 200):
        write(journal, range(number, number + 1))
        if rng.random() < 0.2:
            journal.begin_next_file(lambda _: False)
        if rng.random() < 0.1:
            heard += follower.read()
            follower = FollowedJournal(path, *follower.place)
    while found := follower.read():
        heard += found
    assert told([entry for _, entry in heard]) == expected(range(1, 200))
    places = [place for place, _ in heard]
    assert places == sorted(set(places))
    assert not follower.skipped


def test_a_follower_is_told_what_was_deleted_before_it_was_read(path: Path) -> None:
    # Given a reader that was away while files were deleted
    journal = opened(path, sync="never", files_kept=1)
    follower = FollowedJournal(path)
    insert(journal, 1)
    assert len(follower.read()) == 2
    for number in range(2, 6):
        insert(journal, number)
        journal.begin_next_file(lambda _: False)
    # If it reads on, I expect what is kept, and to be told of the rest
    found = [entry for entries in iter(follower.read, []) for _, entry in entries]
    assert told(found) == [5]
    assert follower.skipped == [Skipped(3, 5)]


def test_the_tool_prints_all_files_of_a_journal_and_each_alone(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = opened(path)
    write(journal, range(1, 2))
    journal.begin_next_file(lambda _: False)
    write(journal, range(2, 3))
    journal.close()
    assert main([str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split('"')[3] for line in lines] == ["began", "sent", "filled", "carried", "sent", "filled"]
    assert '"fills":1,' in lines[3]
    assert main([str(path.with_name(f"{JOURNAL_FILE}.1"))]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert [file.path.name for file in read_files(path)] == [f"{JOURNAL_FILE}.1", JOURNAL_FILE]
