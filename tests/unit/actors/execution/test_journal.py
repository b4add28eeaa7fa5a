"""The journal of execution: nothing leaves before it is written, nothing damaged is believed, nothing good is lost."""

from __future__ import annotations

import errno
import os
import random
import stat
import threading
import time
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.execution.journal import Journal, JournalFailsError
from actors.execution.journal_format import (
    FRAME_BYTES,
    HEADER_BYTES,
    Began,
    Carried,
    Entry,
    Filled,
    Mended,
    Sent,
    frame,
    header,
)
from actors.execution.read_journal import main, read_journal
from domain.clock import SimClock
from domain.errors import UserError
from domain.order import Side
from runtime.paths import JOURNAL_FILE
from tests.journal_damage import damaged, judge, sample_entries
from trading.fill_keys import FillKeys
from trading.ledger import LedgerState
from trading.orders.config import JournalConfig

CLOCK = SimClock(monotonic_ns=5, realtime_ns=7)
PRICE, SIZE = Decimal("100.5"), Decimal("0.01")


class Disk:
    """What the journal's own file system does: `refuse` makes writes, or syncs, fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.write_error = self.sync_error = 0
        self.room = 1 << 40
        self._pwrite, self._fdatasync = os.pwrite, os.fdatasync
        monkeypatch.setattr(os, "pwrite", self.pwrite)
        monkeypatch.setattr(os, "fdatasync", self.fdatasync)

    def pwrite(self, fd: int, content: bytes, offset: int) -> int:
        if self.write_error:
            raise OSError(self.write_error, os.strerror(self.write_error))
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = content[: self.room]
        self.room -= len(part)
        return self._pwrite(fd, part, offset)

    def fdatasync(self, fd: int) -> None:
        if self.sync_error:
            raise OSError(self.sync_error, os.strerror(self.sync_error))
        self._fdatasync(fd)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def opened(path: Path, **config: Any) -> Journal:
    return Journal(path, CLOCK, JournalConfig(**config))


def insert(journal: Journal, number: int) -> None:
    journal.order("INSERT", number, "BTC-PERPETUAL", Side.BUY, PRICE, SIZE, 9)


def fill(journal: Journal, trade: str) -> None:
    journal.fill((trade, "v1", 0), None, "BTC-PERPETUAL", Side.SELL, PRICE, SIZE, 3)


def told(path: Path) -> list[Entry]:
    """The entries of a journal, without those that say that a life or a file began."""
    return [entry for entry in read_journal(path) if not isinstance(entry, (Began, Carried))]


def test_an_order_is_in_the_file_when_the_call_returns_and_outlives_the_process(path: Path) -> None:
    # Given a journal that is never synced and never closed
    journal = opened(path, sync="never")
    # If an order, a cancel and a fill are written down
    insert(journal, 41)
    journal.message("CANCEL", client_order_id=41, instrument="BTC-PERPETUAL")
    fill(journal, "t1")
    # I expect all of them in the file, for this user alone
    assert told(path) == [
        Sent(7, 5, "INSERT", 41, "BTC-PERPETUAL", "buy", PRICE, SIZE, 9),
        Sent(7, 5, "CANCEL", 41, "BTC-PERPETUAL"),
        Filled(7, 5, "t1", "v1", 0, 0, False, "BTC-PERPETUAL", "sell", PRICE, SIZE, 3),
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_is_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        opened(path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_restarted_process_goes_on_with_the_file_and_journals_no_fill_again(path: Path) -> None:
    # Given a journal that a killed process left, its last entry torn
    first = opened(path)
    fill(first, "t1")
    insert(first, 77)
    whole = path.stat().st_size
    fill(first, "t2")
    os.truncate(path, path.stat().st_size - 5)
    # If the next process finds both fills in the venue's history
    second = Journal(path, CLOCK, JournalConfig(), epoch=2)
    for trade in ("t1", "t2"):
        fill(second, trade)
    second.close()
    # I expect each fill once, the order known, and the torn bytes kept aside
    assert [entry.trade_id for entry in told(path) if isinstance(entry, Filled)] == ["t1", "t2"]
    fills = FillKeys([("t1", "v1", 0), ("t2", "v1", 0)])
    assert second.state.fills.to_bytes() == fills.to_bytes()
    assert second.state.last_client_order_id == 77
    assert list(second.state.unfinished) == [77]
    assert [entry.epoch for entry in read_journal(path) if isinstance(entry, Began)] == [1, 2]
    damage = second.damage
    assert damage is not None
    assert damage.kept_in is not None
    assert (damage.offset, damage.size_bytes, stat.S_IMODE(damage.kept_in.stat().st_mode)) == (
        whole, len(damage.kept_in.read_bytes()), 0o600,
    )  # fmt: skip
    assert damage.kept_in.name == f"{JOURNAL_FILE}.{whole}.damaged"


def test_cut_or_flipped_anywhere_it_opens_at_the_last_good_record(path: Path) -> None:
    # The suite does it 10,000 times: make faults ROW=journal
    rng = random.Random(1)
    for number in range(400):
        entries = sample_entries(rng)
        damage = damaged(rng, entries)
        assert judge(path, damage) == [], f"round {number}"


def test_a_block_of_another_journal_and_one_of_our_own_again_are_not_believed(path: Path) -> None:
    entries = sample_entries(random.Random(2), 4)
    ours = [frame(1, number, entry) for number, entry in enumerate(entries, 1)]
    theirs = frame(2, 3, entries[2])
    path.write_bytes(header(1) + ours[0] + ours[1] + theirs + ours[3])
    assert read_journal(path) == entries[:2]
    path.write_bytes(header(1) + ours[0] + ours[1] + ours[1] + ours[2])
    assert read_journal(path) == entries[:2]


def test_a_file_without_a_good_header_is_kept_aside_whole(path: Path) -> None:
    path.write_bytes(b'[1,"INSERT",1]\n' * 10)
    journal = opened(path)
    insert(journal, 1)
    assert journal.damage is not None
    assert journal.damage.kept_in is not None
    assert journal.damage.kept_in.read_bytes() == b'[1,"INSERT",1]\n' * 10
    assert len(told(path)) == 1


@pytest.mark.parametrize("version", [1, 3, 5])
def test_a_file_of_an_earlier_version_is_read(path: Path, version: int) -> None:
    # Given a journal whose header says that an earlier version began it
    insert(opened(path), 1)
    content = bytearray(path.read_bytes())
    content[8] = version
    content[20:24] = zlib.crc32(content[:20]).to_bytes(4, "little")
    path.write_bytes(content)
    journal = opened(path)
    assert journal.damage is None
    assert journal.state.last_client_order_id == 1


def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    content = bytearray(header(1))
    content[8] = 9
    content[20:24] = zlib.crc32(content[:20]).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(UserError, match="format version 9"):
        opened(path)
    assert path.read_bytes() == bytes(content)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EFBIG])
def test_an_order_that_cannot_be_written_must_not_leave_and_the_rest_waits(path: Path, disk: Disk, error: int) -> None:
    # Given a disk that refuses
    journal = opened(path)
    insert(journal, 1)
    disk.write_error = error
    # If something is to be sent
    with pytest.raises(JournalFailsError, match=os.strerror(error)):
        insert(journal, 2)
    # I expect orders to be refused without asking the disk again; cancels and fills to wait
    disk.write_error = 0
    with pytest.raises(JournalFailsError):
        insert(journal, 3)
    journal.message("CANCEL", client_order_id=1)
    fill(journal, "t1")
    assert len(told(path)) == 1
    # ... and everything in its order once the disk takes it, but for what never left
    journal.mend()
    journal.resume()
    insert(journal, 4)
    assert [type(entry).__name__ for entry in told(path)] == ["Sent", "Mended", "Sent", "Filled", "Sent"]
    assert [entry.client_order_id for entry in told(path) if isinstance(entry, Sent)] == [1, 1, 4]


def test_a_disk_that_fills_up_in_the_middle_of_an_entry_leaves_no_corrupt_file(path: Path, disk: Disk) -> None:
    journal = opened(path)
    insert(journal, 1)
    disk.room = FRAME_BYTES + 3
    with pytest.raises(JournalFailsError):
        insert(journal, 2)
    assert len(told(path)) == 1
    disk.room = 1 << 20
    journal.mend()
    journal.resume()
    journal.close()
    assert opened(path).damage is None
    assert [type(entry) for entry in told(path)] == [Sent, Mended]


def test_what_a_failed_sync_may_have_lost_is_written_again(path: Path, disk: Disk) -> None:
    # Given entries of which the disk lost the second half, as a kernel may after a failed sync
    journal = opened(path)
    insert(journal, 1)
    journal.sync()
    good = path.stat().st_size
    insert(journal, 2)
    disk.sync_error = errno.EIO
    with pytest.raises(OSError, match="Input/output"):
        journal.sync()
    journal.fail(OSError(errno.EIO, "Input/output error"))
    with path.open("r+b") as file:
        file.seek(good)
        file.write(bytes(path.stat().st_size - good))
    # If it is mended
    with pytest.raises(OSError, match="Input/output"):
        journal.mend()
    disk.sync_error = 0
    journal.mend()
    journal.resume()
    journal.close()
    # I expect every entry to be there
    assert [entry.client_order_id for entry in told(path) if isinstance(entry, Sent)] == [1, 2]


def test_with_sync_always_an_order_leaves_only_once_the_disk_has_it(path: Path, disk: Disk) -> None:
    journal = opened(path, sync="always")
    insert(journal, 1)
    assert not journal.needs_sync
    disk.sync_error = errno.EIO
    with pytest.raises(JournalFailsError, match="Input/output"):
        insert(journal, 2)


def test_with_sync_never_the_disk_is_not_waited_for(path: Path, disk: Disk) -> None:
    disk.sync_error = errno.EIO
    journal = opened(path, sync="never")
    insert(journal, 1)
    journal.fail(OSError(errno.ENOSPC, "No space left on device"))
    journal.mend()
    journal.resume()
    assert not journal.needs_sync


def test_what_was_never_synced_and_is_mended_is_not_written_over(path: Path) -> None:
    journal = opened(path, sync="never")
    insert(journal, 1)
    journal.fail(OSError(errno.ENOSPC, "No space left on device"))
    journal.mend()
    journal.resume()
    insert(journal, 2)
    journal.close()
    assert opened(path).damage is None
    assert [entry.client_order_id for entry in told(path) if isinstance(entry, Sent)] == [1, 2]


def test_the_thread_that_mends_leaves_the_told_fills_to_the_loop(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a fill that waits for the disk
    journal = opened(path)
    journal.fail(OSError(errno.ENOSPC, "No space left on device"))
    fill(journal, "t1")
    threads: list[int] = []
    add = FillKeys.add_fingerprint

    def noted_add(fills: FillKeys, each: int) -> bool:
        threads.append(threading.get_ident())
        return add(fills, each)

    monkeypatch.setattr(FillKeys, "add_fingerprint", noted_add)
    # If a thread mends while the loop hears of another fill
    thread = threading.Thread(target=journal.mend)
    thread.start()
    fill(journal, "t2")
    thread.join()
    journal.resume()
    # I expect the loop alone to touch the set of them, and both to be written
    assert set(threads) == {threading.get_ident()}
    assert sorted(entry.trade_id for entry in told(path) if isinstance(entry, Filled)) == ["t1", "t2"]


def test_a_ledger_that_starts_after_some_of_the_told_fills_is_written_down_and_known_again(path: Path) -> None:
    # Given fills that were told before the session's start was taken anew, after them
    journal = opened(path)
    before = [("t1", "v1", 0), ("t2", "v1", 0)]
    for trade in ("t1", "t2", "t3"):
        fill(journal, trade)
    journal.state.ignore(before)
    # If the ledger, which has counted the third alone, is written down and the next life reads it
    journal.settle(77, LedgerState({}, [], 1))
    fill(journal, "t4")
    journal.close()
    again = opened(path).state
    again.ignore(before)
    # I expect it to be known with that one
    counted = again.settled_fills()
    assert counted is not None
    assert len(counted) == 1
    assert ("t3", "v1", 0) in counted


def test_ledger_and_journal_keep_one_memory_of_the_fills_once_both_know_the_same(path: Path) -> None:
    # Given a journal, and a ledger that has counted the first of two fills
    journal = opened(path)
    fill(journal, "t1")
    fill(journal, "t2")
    counted = FillKeys([("t1", "v1", 0)])
    journal.state.share(counted)
    assert journal.state.fills is not counted
    # If it counts the second too, and then a third
    counted.add(("t2", "v1", 0))
    journal.state.share(counted)
    assert journal.state.fills is counted
    counted.add(("t3", "v1", 0))
    fill(journal, "t3")
    # I expect each in the file once, also when another ledger counts them all again
    journal.state.own()
    for trade in ("t1", "t2", "t3", "t4"):
        fill(journal, trade)
    journal.close()
    assert [entry.trade_id for entry in told(path) if isinstance(entry, Filled)] == ["t1", "t2", "t3", "t4"]
    assert len(counted) == 3
    assert opened(path).state.fills == FillKeys((f"t{number}", "v1", 0) for number in (1, 2, 3, 4))


def test_closing_waits_for_the_thread_that_still_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(path)
    journal.fail(OSError(errno.ENOSPC, "No space left on device"))
    journal.message("CANCEL", client_order_id=1)
    write = os.pwrite

    def slow_write(fd: int, content: bytes, offset: int) -> int:
        time.sleep(0.02)
        return write(fd, content[:16], offset)

    monkeypatch.setattr(os, "pwrite", slow_write)
    thread = threading.Thread(target=journal.mend)
    thread.start()
    time.sleep(0.05)
    journal.close()
    thread.join()
    assert [type(entry) for entry in told(path)][:2] == [Mended, Sent]
    assert opened(path).damage is None


@pytest.fixture
def torn(path: Path) -> Path:
    journal = opened(path)
    insert(journal, 1)
    journal.close()
    with path.open("ab") as file:
        file.write(b"\0" * 9)
    return path


def test_the_tool_prints_what_is_good_and_says_what_is_not(torn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = torn.stat().st_size
    assert main([str(torn)]) == 1
    printed = capsys.readouterr()
    assert '"entry":"sent"' in printed.out
    assert '"price":"100.5"' in printed.out
    assert printed.err == f"{torn}: 9 bytes from offset {size - 9} on are damaged or torn\n"
    assert main([str(torn.with_name("none"))]) == 2
    assert size > HEADER_BYTES
