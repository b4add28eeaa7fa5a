"""A journal of several files when the disk refuses, the process is killed or a file is damaged: it loses nothing."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.execution.journal import JournalFailsError
from actors.execution.journal_format import HEADER_BYTES_MAX
from actors.execution.journal_state import FILLS_BYTES_AT_ONCE, UNFINISHED_AT_ONCE
from actors.execution.read_journal import read_journal
from actors.recorder.followed_journal import FollowedJournal
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
from trading.ledger import LedgerState


def test_a_disk_that_refuses_to_seal_leaves_the_fills_to_the_next_file(path: Path) -> None:
    journal = opened(path, sync="never")
    write(journal, range(1, 4))
    journal.begin_next_file(lambda _: False)
    write(journal, range(4, 6))
    calls = 0

    def refuse_second_write(call: str) -> None:
        nonlocal calls
        calls += call == "pwrite"
        if call == "pwrite" and calls == 2:  # the first sealed the fills
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with faulty(refuse_second_write), pytest.raises(OSError, match="No space"):
        journal.begin_next_file(lambda _: False)
    write(journal, range(6, 8))
    journal.begin_next_file(lambda _: False)
    assert_knows(opened(path), range(1, 8), 7, [])
    assert path.with_name(f"{JOURNAL_FILE}.fills").stat().st_size == 7 * FINGERPRINT_BYTES


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "unreadable"])
def test_sealed_fills_that_are_damaged_are_put_aside_and_said(path: Path, damage: str) -> None:
    # Given a journal whose sealed fills are not what it says
    journal = opened(path)
    write(journal, range(1, 4))
    journal.begin_next_file(lambda _: False)
    write(journal, range(4, 6))
    journal.close()
    sealed = path.with_name(f"{JOURNAL_FILE}.fills")
    content = bytearray(sealed.read_bytes())
    content[5] ^= 4
    if damage in ("gone", "unreadable"):
        sealed.unlink()
        if damage == "unreadable":
            sealed.mkdir()
    else:
        sealed.write_bytes(content if damage == "flip" else content[:-1])
    # I expect everything else to be known, and the journal to go on
    again = opened(path)
    assert again.fills_lost
    assert again.damage is None
    assert_knows(again, range(4, 6), 5, [4, 5])
    write(again, range(1, 4))
    again.begin_next_file(lambda _: False)
    again.close()
    last = opened(path)
    assert not last.fills_lost
    assert_knows(last, range(1, 6), 5, [])


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


@contextmanager
def refusing(name: str, error: int = errno.ENOSPC) -> Iterator[None]:
    """A disk that refuses the system calls of this name: it is full."""

    def refuse(call: str) -> None:
        if call == name:
            raise OSError(error, os.strerror(error))

    with faulty(refuse):
        yield


@contextmanager
def killed_before(call: int) -> Iterator[list[str]]:
    """Kill the process before its system call number `call`; every later one, too: no `finally` gets to run."""
    made: list[str] = []

    def before(name: str) -> None:
        if len(made) >= call:
            raise Killed(name)
        made.append(name)

    with faulty(before):
        yield made


@pytest.mark.parametrize("sync", ["never", "interval", "always"])
def test_killed_between_any_two_system_calls_nothing_is_lost_and_nothing_told_twice(tmp_path: Path, sync: str) -> None:
    call, is_over = 0, False
    while not is_over:
        # Given a journal in two files, and a reader that has read some of it
        folder = tmp_path / f"{sync}{call}"
        folder.mkdir()
        path = folder / JOURNAL_FILE
        journal = opened(path, sync=sync, files_kept=2)
        for first in (1, 4):
            write(journal, range(first, first + 3))
            journal.begin_next_file(lambda _: True)
        follower = FollowedJournal(path)
        heard = [entry for _, entry in follower.read()]
        write(journal, range(7, 10))
        # If it is killed while it goes on in the next file, writes, and syncs
        is_over = True
        with killed_before(call) as made:
            try:
                journal.begin_next_file(lambda _: True)
                write(journal, range(10, 11))
                journal.sync()
            except Killed:
                is_over = False
        # I expect whoever reads now to find each entry once
        found = told(read_journal(path))
        assert len(found) == len(set(found)), f"killed before call {call}, after {made}: {found}"
        # ... and the next life to know all that was written, and to leave nothing of the accident
        again = opened(path, sync=sync)
        assert again.damage is None, f"killed before call {call}, after {made}"
        assert again.state.last_client_order_id in (9, 10)
        assert all((f"t{number}", "v1", 0) in again.state.fills for number in range(1, 10)), f"call {call}"
        assert sorted(again.state.unfinished)[:9] == list(range(1, 10))
        assert not path.with_name(path.name + ".next").exists()
        write(again, range(20, 21))
        again.begin_next_file(lambda _: True)
        write(again, range(21, 22))
        # ... each entry that is kept once in the files, and once for the reader
        found = told(read_journal(path))
        assert len(found) == len(set(found)), f"killed before call {call}, after {made}: {found}"
        assert set(found) >= {*expected(range(7, 10)), *expected(range(20, 22))}
        heard += [entry for entries in iter(follower.read, []) for _, entry in entries]
        assert told(heard)[-len(found) :] == found
        assert not follower.skipped
        call += 1
    assert call > 8


@pytest.mark.parametrize("name", ["open", "pwrite", "link", "replace"])
def test_a_disk_that_refuses_the_next_file_leaves_the_journal_as_it_was(path: Path, name: str) -> None:
    # Given a disk that refuses a step of it
    journal = opened(path)
    write(journal, range(1, 3))

    with refusing(name), pytest.raises(OSError, match="No space"):
        journal.begin_next_file(lambda _: True)
    # I expect it to go on in the file that it has, and to begin the next one later
    write(journal, range(3, 5))
    assert told(read_journal(path)) == expected(range(1, 5))
    journal.begin_next_file(lambda _: True)
    write(journal, range(5, 6))
    journal.close()
    assert told(read_journal(path)) == expected(range(1, 6))
    assert_knows(opened(path), range(1, 6), 5, list(range(1, 6)))


def test_a_present_file_damaged_where_it_took_over_is_begun_anew_from_the_one_before_it(path: Path) -> None:
    rng = random.Random(3)
    others = UNFINISHED_AT_ONCE + 10
    second = -200  # in the second entry that carries
    for offset in (3, 12, HEADER_BYTES_MAX + 5, HEADER_BYTES_MAX + 40, second):
        for file in path.parent.iterdir():
            file.unlink()
        journal = opened(path)
        write(journal, range(1, 4 + others))
        journal.begin_next_file(lambda _: True)
        journal.close()
        content = bytearray(path.read_bytes())
        content[offset] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        again = opened(path)
        assert again.damage is not None
        assert again.damage.size_bytes == len(content)
        assert len(again.state.fills) == 3 + others
        assert again.state.last_client_order_id == 3 + others
        assert set(again.state.unfinished) >= {1, 2, 3}
        write(again, range(9000, 9001))
        again.close()
        assert told(read_journal(path)) == [*expected(range(1, 4 + others)), *expected(range(9000, 9001))]
        assert opened(path).damage is None


@pytest.mark.parametrize("read_before", [0, 3, 6])
@pytest.mark.parametrize("where", ["header", "carried", "entry", "last", "length"])
def test_a_follower_goes_on_after_damage_to_a_file_that_it_has_read(path: Path, where: str, read_before: int) -> None:
    """It has read none, some or all of the file that is damaged when execution starts anew."""
    journal = opened(path, sync="never")
    write(journal, range(1, 4))
    journal.begin_next_file(lambda _: False)
    follower = FollowedJournal(path)
    heard = [entry for entries in iter(follower.read, []) for _, entry in entries]
    begun = path.stat().st_size
    for number in range(4, 10):
        insert(journal, number)
        if number - 3 == read_before:
            heard += [entry for _, entry in follower.read()]
    size = (path.stat().st_size - begun) // 6
    # Given a bit that flips at one of these places
    offset = {
        "header": 12, "carried": HEADER_BYTES_MAX + 30, "entry": begun + size + 30, "last": begun + 5 * size + 30,
        "length": begun + size + 1,
    }[where]  # fmt: skip
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    # If the next life of execution sends more
    again = opened(path, sync="never")
    for number in range(10, 14):
        insert(again, number)
        again.begin_next_file(lambda _: False)
    insert(again, 14)
    # I expect the follower to hear each of them once, at places of their own
    found = [entry for entries in iter(follower.read, []) for entry in entries]
    assert told([entry for _, entry in found])[-5:] == [10, 11, 12, 13, 14]
    assert told(heard) == [1, "t1", 2, "t2", 3, "t3", *range(4, 4 + read_before)]
    numbers = [*told(heard), *told([entry for _, entry in found])]
    assert len(numbers) == len(set(numbers))
    places = [place for place, _ in found]
    assert places == sorted(set(places))
    # ... and to be told what it had not read of what is lost
    lost = {4, 5, 6, 7, 8, 9} - set(numbers)
    assert sum(skipped.entries for skipped in follower.skipped) == len(lost)


@pytest.mark.parametrize("torn", ["half an entry", "an entry that was read"])
@pytest.mark.parametrize("name", ["pwrite", "link", "replace"])
def test_a_disk_that_refuses_to_go_on_after_damage_takes_no_entry_until_it_does(
    path: Path, name: str, torn: str
) -> None:
    # Given a journal with damage at its end, and a reader that has read all of it while it was good
    journal = opened(path)
    write(journal, range(1, 4))
    insert(journal, 4)
    journal.close()
    follower = FollowedJournal(path)
    heard = [entry for _, entry in follower.read()]
    content = bytearray(path.read_bytes())
    if torn == "half an entry":
        content += content[-60:-20]
    else:
        content[-9] ^= 1
    path.write_bytes(content)
    # If the disk refuses the file in which it goes on
    with refusing(name):
        again = opened(path)
        # I expect no order to leave meanwhile, and what else is told to wait
        assert again.trouble
        with pytest.raises(JournalFailsError):
            insert(again, 5)
        fill(again, 4)
        with pytest.raises(OSError, match="No space"):
            again.mend()
    # ... and once the disk takes it, all that it writes to be known to the next life and the reader
    fill(again, 5)
    again.mend()
    again.resume()
    write(again, range(6, 8))
    again.begin_next_file(lambda _: True)
    write(again, range(8, 9))
    last = opened(path)
    assert last.damage is None
    is_lost = torn != "half an entry"
    assert_knows(last, range(1, 9), 8, [1, 2, 3, 6, 7, 8] if is_lost else [1, 2, 3, 4, 6, 7, 8])
    heard += [entry for entries in iter(follower.read, []) for _, entry in entries]
    assert told(heard) == [*expected(range(1, 4)), 4, "t4", "t5", *expected(range(6, 9))]
    assert told(read_journal(path)) == [n for n in told(heard) if n != 4 or not is_lost]


@pytest.mark.parametrize("error", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_hard_links_it_goes_on_in_the_file_that_was_damaged(path: Path, error: int) -> None:
    # Given half an entry at the end of a journal, on a file system that knows no second name for a file
    journal = opened(path)
    write(journal, range(1, 4))
    journal.close()
    follower = FollowedJournal(path)
    heard = [entry for _, entry in follower.read()]
    path.write_bytes(path.read_bytes() + bytes(60))
    # If two lives write on
    with refusing("link", error):
        for number in (4, 5):
            again = opened(path)
            assert (again.damage is None, again.trouble) == (number == 5, "")
            write(again, range(number, number + 1))
    # I expect everything to be known to the next life and the reader
    assert_knows(opened(path), range(1, 6), 5, list(range(1, 6)))
    heard += [entry for _, entry in follower.read()]
    assert told(heard) == told(read_journal(path)) == expected(range(1, 6))


def test_damaged_on_a_full_disk_it_opens_and_begins_with_the_fills_that_are_not_sealed(path: Path) -> None:
    # Given a journal whose present file is damaged where it took over, and fills of the one before to be sealed
    fills = FILLS_BYTES_AT_ONCE // FINGERPRINT_BYTES + 10
    journal = opened(path, sync="never")
    for number in range(1, fills):
        fill(journal, number)
    insert(journal, 1)
    journal.begin_next_file(lambda _: True)
    journal.close()
    content = bytearray(path.read_bytes())
    content[12] ^= 1
    path.write_bytes(content)
    # If the disk is full when the next life opens it
    with refusing("pwrite"):
        again = opened(path)
        assert again.trouble
        assert_knows(again, range(1, fills), 1, [1])
    # I expect it to go on as soon as there is room, and nothing to be forgotten
    again.mend()
    again.resume()
    fill(again, fills)
    last = opened(path)
    assert last.damage is None
    assert_knows(last, range(1, fills + 1), 1, [1])
    # ... nor when the next file seals them
    last.begin_next_file(lambda _: True)
    assert_knows(opened(path), range(1, fills + 1), 1, [1])
    assert path.with_name(f"{JOURNAL_FILE}.fills").stat().st_size == fills * FINGERPRINT_BYTES


@pytest.mark.parametrize("is_sealed", [False, True])
def test_the_ledger_that_was_settled_last_outlives_damage(path: Path, is_sealed: bool) -> None:
    # Given a journal whose ledger has counted all fills, with half an entry at its end
    journal = opened(path)
    write(journal, range(1, 4))
    if is_sealed:
        journal.begin_next_file(lambda _: False)
    fill(journal, 4)
    journal.settle(77, LedgerState({}, [], 4))
    journal.close()
    path.write_bytes(path.read_bytes() + bytes(9))
    # If the life after is killed before it has settled
    again = opened(path)
    assert again.damage is not None
    fill(again, 5)
    again.close()
    # I expect the next one to know the ledger, and which fills it has counted
    last = opened(path)
    counted = last.state.settled_fills()
    assert last.state.settled is not None
    assert last.state.settled.history_from_ns == 77
    assert counted is not None
    assert [(f"t{number}", "v1", 0) in counted for number in range(1, 6)] == [True] * 4 + [False]
    # ... and after damage again to count anew: a fill came since then, which the file would have before the ledger
    last.close()
    path.write_bytes(path.read_bytes() + bytes(9))
    opened(path).close()
    assert opened(path).state.settled is None
