from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from actors.recorder.finishing import finish, finish_all, next_position, try_lock, unfinished_runs
from domain.codes import SegmentKind
from domain.records import TRADE
from runtime.recordings.files import RecordingError, batches, files_of, metadata_of, parts_of, table
from runtime.recordings.stream import Damage
from shm.segment import create_segment
from tests.unit.actors.recorder.rig import TapeRig

HOUR = "2026-11-30T11"


@pytest.fixture
def rig(segment_name: Callable[[], str], tmp_path: Path) -> TapeRig:
    return TapeRig(create_segment(segment_name(), SegmentKind.RING, TRADE, 8), tmp_path / "runs" / "one")


def prices(rig: TapeRig) -> list[float]:
    found: list[float] = table(rig.run, "trades").column("price_usd").to_pylist()
    return found


def test_what_passes_through_a_ring_is_readable_at_once_and_as_parquet_when_its_hour_is_over(rig: TapeRig) -> None:
    tape = rig.tape()
    rig.publish(1.0, 2.0)
    assert tape.write() == []
    assert prices(rig) == [1.0, 2.0]

    rig.publish(3.0)
    rig.publish(4.0, hour=1)
    (ended,) = tape.write()
    assert ended * 3600 == 1_796_036_400
    path = finish(rig.folder, HOUR)
    assert path == rig.folder / f"{HOUR}.parquet"
    assert pl.read_parquet(path)["price_usd"].to_list() == [1.0, 2.0, 3.0]
    rows = duckdb.sql(f"SELECT sum(price_usd), any_value(instrument) FROM '{path}'").fetchall()
    assert rows == [(6.0, "BTC-PERPETUAL")]
    assert metadata_of(path)["next_position"] == {"market_data": 3}
    assert prices(rig) == [1.0, 2.0, 3.0, 4.0]


def test_a_tape_that_is_overtaken_tells_the_gap_and_leaves_it_in_the_positions(rig: TapeRig) -> None:
    tape = rig.tape()
    rig.publish(0.0)
    tape.write()
    rig.publish(*range(1, 21))
    tape.write()
    assert rig.gaps == [("trades", 1, 12)]
    assert (tape.rows, tape.lost) == (9, 12)
    tape.close()
    path = finish(rig.folder, HOUR)
    assert path is not None
    assert pl.read_parquet(path)["position"].to_list() == [0, *range(13, 21)]
    assert metadata_of(path)["lost"] == 12


def test_nothing_after_a_gap_is_written_before_the_gap_is_told(rig: TapeRig) -> None:
    # Given a tape that is overtaken, and a trail that does not take the gap: killed there, nobody would tell it
    tape = rig.tape()
    rig.publish(0.0)
    tape.write()
    rig.publish(*range(1, 21))
    told = tape._on_gap

    def refuse(_gap: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    tape._on_gap = refuse
    with pytest.raises(sqlite3.OperationalError):
        tape.write()
    assert (prices(rig), tape.lost) == ([0.0], 0)
    # If it takes it, I expect all of it to be told, and what comes after it
    tape._on_gap = told
    tape.write()
    assert (rig.gaps, tape.lost) == ([("trades", 1, 12)], 12)
    assert prices(rig) == [0.0, *map(float, range(13, 21))]


def test_a_killed_recorder_goes_on_at_the_first_record_that_is_not_on_disk(rig: TapeRig) -> None:
    rig.publish(1.0, 2.0)
    rig.tape(life=1).write()  # killed here: its part is neither closed nor finished
    rig.publish(3.0)
    position = next_position(rig.folder, "market_data")
    assert position == 2
    rig.tape(life=2, start=position).write()
    assert len(parts_of(rig.folder)) == 2
    assert finish_all(rig.folder) == 1
    assert prices(rig) == [1.0, 2.0, 3.0]
    assert next_position(rig.folder, "market_data") == 3
    assert parts_of(rig.folder) == []


def test_a_batch_that_a_kill_left_half_written_is_not_there_and_is_taken_again(rig: TapeRig) -> None:
    tape = rig.tape()
    rig.publish(1.0)
    tape.write()
    rig.publish(2.0)
    tape.write()
    (part,) = parts_of(rig.folder)
    whole = part.read_bytes()
    for cut in range(1, len(whole)):
        part.write_bytes(whole[:-cut])
        found = [price for batch in batches(part) for price in batch.column("price_usd").to_pylist()]
        assert found in ([], [1.0]), cut
        assert next_position(rig.folder, "market_data") in (None, 1)


def test_a_part_that_outlived_a_kill_after_its_file_was_named_is_not_taken_twice(rig: TapeRig) -> None:
    rig.publish(1.0)
    rig.tape().write()
    (part,) = parts_of(rig.folder)
    content = part.read_bytes()
    finish(rig.folder, HOUR)
    part.write_bytes(content)  # as a kill between rename and unlink leaves it
    assert prices(rig) == [1.0]
    finish_all(rig.folder)
    assert prices(rig) == [1.0]
    assert not part.exists()


def test_a_second_life_in_the_same_hour_adds_to_the_file_that_is_there(rig: TapeRig) -> None:
    rig.publish(1.0)
    rig.tape(life=1).write()
    finish_all(rig.folder)
    rig.publish(2.0)
    rig.tape(life=2, start=1).write()
    finish_all(rig.folder)
    assert [path.name for path in files_of(rig.run, "trades")] == [f"{HOUR}.parquet"]
    assert prices(rig) == [1.0, 2.0]


def test_the_hour_of_a_quiet_ring_ends_and_what_comes_late_is_in_the_next_one(rig: TapeRig) -> None:
    tape = rig.tape()
    rig.publish(1.0)
    tape.write()
    hour = tape.hour
    assert tape.begin_hour(hour) == 0
    assert tape.begin_hour(hour + 1) == hour
    rig.publish(2.0)  # stamped in the hour before
    tape.write()
    finish(rig.folder, HOUR)
    assert [path.name for path in files_of(rig.run, "trades")] == [f"{HOUR}.parquet", "2026-11-30T12.1.trades.part"]
    assert prices(rig) == [1.0, 2.0]


def test_old_hours_are_finished_without_the_part_that_the_present_life_still_writes(rig: TapeRig) -> None:
    rig.publish(1.0)
    rig.tape(life=1).write()
    rig.publish(2.0)
    late = rig.tape(life=2, start=1)  # what was left in the ring belongs to the hour before, too
    late.write()
    finish_all(rig.folder, lives_before=2)
    assert [path.name for path in files_of(rig.run, "trades")] == [f"{HOUR}.parquet", f"{HOUR}.2.trades.part"]
    rig.publish(3.0)
    late.write()
    late.close()
    finish_all(rig.folder)
    assert prices(rig) == [1.0, 2.0, 3.0]


def test_a_run_whose_recorder_is_dead_is_finished_by_a_later_one_and_one_that_lives_is_not(rig: TapeRig) -> None:
    runs = rig.run.parent
    rig.publish(1.0)
    rig.tape().write()
    lock = try_lock(rig.folder.parent)
    assert lock is not None
    assert list(unfinished_runs(runs)) == []
    os.close(lock)  # the kernel does it for a process that was killed
    assert list(unfinished_runs(runs)) == [rig.folder.parent]
    finish_all(rig.folder)
    assert list(unfinished_runs(runs)) == []


def test_two_recorders_never_finish_the_same_run_at_once(rig: TapeRig) -> None:
    # Given a run that a killed recorder left, and one that finishes it
    rig.publish(1.0)
    rig.tape().write()
    runs, recordings = rig.run.parent, rig.folder.parent
    first = unfinished_runs(runs)
    assert next(first) == recordings
    # If another one starts meanwhile, I expect that it leaves the run alone
    assert list(unfinished_runs(runs)) == []
    # until the first is done with it
    assert list(first) == []
    lock = try_lock(recordings)
    assert lock is not None
    os.close(lock)


def test_what_another_process_writes_is_left_to_it_and_what_a_dead_one_left_is_taken_away(rig: TapeRig) -> None:
    rig.publish(1.0)
    rig.tape().write()
    of_a_living, of_a_dead = (rig.folder / f"{HOUR}.{pid}.parquet.new" for pid in (os.getppid(), 1 << 30))
    of_a_living.touch()
    of_a_dead.touch()
    finish_all(rig.folder)
    assert prices(rig) == [1.0]
    assert list(rig.folder.glob("*.parquet.new")) == [of_a_living]


def test_parts_stay_until_the_file_has_been_seen_to_hold_their_rows(
    rig: TapeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an hour of one record, and a second one for it
    rig.publish(1.0)
    rig.tape(life=1).write()
    finish_all(rig.folder)
    target = rig.folder / f"{HOUR}.parquet"
    before = target.read_bytes()
    rig.publish(2.0)
    rig.tape(life=2, start=1).write()
    # If the file is another's by the time that it has its name
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda source, to: Path(to).write_bytes(before))
        with pytest.raises(OSError, match=r"1 rows instead of 2; the parts stay"):
            finish_all(rig.folder)
    # I expect nothing to be lost
    finish_all(rig.folder)
    assert prices(rig) == [1.0, 2.0]


def test_what_a_full_disk_refuses_waits_in_the_ring_and_the_file_stays_whole(
    rig: TapeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = rig.tape()
    rig.publish(1.0)
    tape.write()
    full = os.open("/dev/full", os.O_WRONLY)
    (part,) = parts_of(rig.folder)
    size = part.stat().st_size
    rig.publish(2.0)
    writes = os.write
    with monkeypatch.context() as patch:

        def half_then_full(fd: int, content: bytes) -> int:
            """Take a few bytes, as a disk does that fills up, then what /dev/full says."""
            if os.fstat(fd).st_size == size:
                return writes(fd, content[:100])
            return writes(full, content)

        patch.setattr(os, "write", half_then_full)
        with pytest.raises(OSError, match="No space left"):
            tape.write()
    os.close(full)
    assert part.stat().st_size == size
    assert tape.behind == 1
    tape.write()
    assert prices(rig) == [1.0, 2.0]
    assert rig.gaps == []


def test_torn_bytes_that_the_disk_does_not_cut_off_are_cut_off_before_the_next_append(
    rig: TapeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a disk that takes half a batch, and not even the cut behind the last whole one
    tape = rig.tape()
    rig.publish(1.0)
    tape.write()
    (part,) = parts_of(rig.folder)
    size = part.stat().st_size
    writes = os.write
    rig.publish(2.0)
    with monkeypatch.context() as patch:

        def half_then_broken(fd: int, content: bytes) -> int:
            if os.fstat(fd).st_size == size:
                return writes(fd, content[:100])
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        def refuse(_fd: int, _size: int) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        patch.setattr(os, "write", half_then_broken)
        patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(OSError, match="Input/output error"):  # the first reason, not that of the cut
            tape.write()
        patch.setattr(os, "write", writes)
        with pytest.raises(OSError, match="Read-only"):
            tape.write()
    # If it takes everything again, I expect no torn bytes between the batches
    tape.write()
    damages: list[Damage] = []
    found = [p for b in batches(part, on_damage=damages.append) for p in b.column("price_usd").to_pylist()]
    assert (found, damages, tape.lost) == ([1.0, 2.0], [], 0)


def test_an_hour_that_ends_while_the_disk_refuses_the_next_one_is_told_when_it_takes_it(
    rig: TapeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a tape whose hour ends on a disk that takes no new file
    tape = rig.tape()
    rig.publish(1.0)
    tape.write()
    hour = tape.hour
    rig.publish(2.0, hour=1)
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patch.setattr(os, "open", refuse)
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                tape.write()
    # I expect the hour to be told once, when the disk takes the next one: nobody else would finish it
    assert tape.write() == [hour]
    assert tape.write() == []
    assert prices(rig) == [1.0, 2.0]


def test_a_wall_clock_that_is_set_back_does_not_open_an_hour_again(rig: TapeRig) -> None:
    tape = rig.tape()
    rig.publish(1.0, hour=1)
    rig.publish(2.0, hour=0)
    assert tape.write() == []
    assert len(parts_of(rig.folder)) == 1


def test_a_run_without_a_recording_says_what_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"recordings/books: no recording of books in this run; was \[recorder\]"):
        files_of(tmp_path, "books")
