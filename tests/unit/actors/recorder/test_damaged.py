"""Parts that the disk has spoilt, or does not give."""

from __future__ import annotations

import errno
import io
import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.recorder.damaged import Damaged
from actors.recorder.finishing import finish, finish_all, next_position
from actors.recorder.finishing_apart import finish_apart
from domain.codes import SegmentKind
from domain.records import TRADE
from runtime.recordings.audit import FILE_NAME, SCHEMA
from runtime.recordings.files import RecordingError, metadata_of, parts_of, rows_where, table
from runtime.recordings.stream import Damage, read_stream
from shm.segment import create_segment
from tests.unit.actors.recorder.rig import TapeRig

HOUR = "2026-11-30T11"
PART = f"{HOUR}.1.trades.part"
BATCHES, ROWS = 100, 10


@pytest.fixture
def rig(segment_name: Callable[[], str], tmp_path: Path) -> TapeRig:
    """A part of a hundred batches of ten trades, whose prices count."""
    rig = TapeRig(create_segment(segment_name(), SegmentKind.RING, TRADE, 16), tmp_path / "runs" / "one")
    tape = rig.tape()
    for batch in range(BATCHES):
        rig.publish(*(float(batch * ROWS + row) for row in range(ROWS)))
        tape.write()
    tape.close()
    connection = sqlite3.connect(rig.run / FILE_NAME)
    connection.executescript(SCHEMA)
    connection.close()
    return rig


def starts(path: Path) -> list[int]:
    """Return where each message of a part begins, and its end."""
    content = path.read_bytes()
    found = [i for i in range(0, len(content), 8) if content[i : i + 4] == b"\xff" * 4]
    return [*(i for i in found if content[i + 4 : i + 8] not in (b"\xff" * 4,)), len(content)]


def spoil(path: Path, batch: int) -> bytes:
    """Flip a byte in the compressed body of a batch; return what the part is then."""
    content = bytearray(path.read_bytes())
    begin, end = starts(path)[batch + 1 : batch + 3]
    at = content.index(b"\x28\xb5\x2f\xfd", begin, end)  # a zstd frame's own first byte
    content[at] ^= 0xFF
    path.write_bytes(content)
    return bytes(content)


def gaps(rig: TapeRig) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(rig.run / FILE_NAME)
    try:
        return connection.execute("SELECT ring, first_position, records FROM gaps").fetchall()
    finally:
        connection.close()


def positions(rig: TapeRig) -> list[int]:
    found: list[int] = table(rig.run, "trades").column("position").to_pylist()
    return found


def test_a_damage_costs_its_batch_alone_is_told_and_the_part_stays(rig: TapeRig) -> None:
    # Given a part of a hundred batches with a byte in the sixth that is wrong
    (part,) = parts_of(rig.folder)
    content = spoil(part, 5)
    # If its hour is finished
    told: list[Damaged] = []
    path = finish(rig.folder, HOUR, on_damage=told.append)
    # I expect the other 99 in the file, the ten records told, and the bytes kept
    assert path is not None
    assert positions(rig) == [*range(50), *range(60, 1000)]
    assert metadata_of(path)["lost"] == 10
    assert told == [Damaged(PART, "trades", 50, 10)]
    assert gaps(rig) == [("trades", 50, 10)]
    assert [kept.read_bytes() for kept in rig.folder.glob("*.damaged")] == [content]
    assert parts_of(rig.folder) == []


def test_a_damage_at_the_end_is_told_as_far_as_its_own_description_goes(rig: TapeRig) -> None:
    (part,) = parts_of(rig.folder)
    spoil(part, BATCHES - 1)
    assert next_position(rig.folder, "market_data") == 990
    path = finish(rig.folder, HOUR)
    assert path is not None
    assert positions(rig) == [*range(990)]
    assert metadata_of(path)["lost"] == 10
    assert gaps(rig) == [("trades", 990, 10)]


def test_what_is_read_again_after_a_damage_at_the_end_is_not_lost(rig: TapeRig) -> None:
    # Given a part whose last batch is damaged, and a life of the recorder that goes on where it can be read to
    (part,) = parts_of(rig.folder)
    spoil(part, BATCHES - 1)
    rig.tape(life=2, start=990).write()
    finish_all(rig.folder)
    (path,) = rig.folder.glob("*.parquet")
    # I expect what the ring still had to be there, and nothing told as missing
    assert positions(rig) == [*range(1000)]
    assert metadata_of(path)["lost"] == 0
    assert gaps(rig) == []
    assert len(list(rig.folder.glob("*.damaged"))) == 1


def test_what_a_life_that_still_writes_has_read_again_is_not_lost(rig: TapeRig) -> None:
    # Given a part whose last two batches are damaged, and a life that goes on behind them, but for what was overtaken
    (part,) = parts_of(rig.folder)
    spoil(part, BATCHES - 1)
    spoil(part, BATCHES - 2)
    rig.tape(life=2, start=980).write()
    # If that life has the hour finished without its own part, and with it later
    told: list[Damaged] = []
    path = finish(rig.folder, HOUR, lives_before=2, on_damage=told.append)
    assert path is not None
    # I expect the four that the ring of sixteen had no more, both times
    assert told == [Damaged(PART, "trades", 980, 4)]
    assert gaps(rig) == [("trades", 980, 4)]
    assert metadata_of(path)["lost"] == 4
    finish(rig.folder, HOUR)
    assert positions(rig) == [*range(980), *range(984, 1000)]
    assert gaps(rig) == [("trades", 980, 4)]
    assert metadata_of(path)["lost"] == 4


def test_torn_bytes_between_whole_batches_and_a_batch_told_twice_lose_nothing(rig: TapeRig) -> None:
    # Given half a batch, and then all of it, and the one before it, as no writer of ours leaves it
    (part,) = parts_of(rig.folder)
    content = part.read_bytes()
    begin, end = starts(part)[6:8]
    part.write_bytes(content[:end] + content[end : end + 99] + content[begin:])
    path = finish(rig.folder, HOUR)
    # I expect no record to be missed, nor less than none
    assert path is not None
    assert metadata_of(path)["lost"] == 0
    assert set(positions(rig)) == {*range(1000)}
    assert gaps(rig) == []
    assert len(list(rig.folder.glob("*.damaged"))) == 1


def test_a_part_without_a_legible_schema_is_kept_and_all_of_it_told(rig: TapeRig) -> None:
    (part,) = parts_of(rig.folder)
    content = bytearray(part.read_bytes())
    content[8:60] = bytes(52)
    part.write_bytes(content)
    finish(rig.folder, HOUR)
    assert [kept.read_bytes() for kept in rig.folder.glob("*.damaged")] == [bytes(content)]
    assert gaps(rig) == [("trades", -1, 1000)]


def test_a_damaged_part_that_outlived_a_kill_after_its_file_was_named_is_kept(rig: TapeRig) -> None:
    (part,) = parts_of(rig.folder)
    content = spoil(part, 5)
    finish(rig.folder, HOUR)
    (kept,) = rig.folder.glob("*.damaged")
    kept.rename(part)  # as a kill between the two renames leaves it
    finish_all(rig.folder)
    assert [kept.read_bytes() for kept in rig.folder.glob("*.damaged")] == [content]
    assert len(positions(rig)) == 990
    assert gaps(rig) == [("trades", 50, 10)]


def test_a_damage_that_another_process_finds_is_told_here(rig: TapeRig) -> None:
    (part,) = parts_of(rig.folder)
    spoil(part, 5)
    told: list[Damaged] = []
    assert finish_apart(rig.folder, hour=HOUR, on_damage=told.append) == 1
    assert told == [Damaged(PART, "trades", 50, 10)]


class Failing:
    """An open file of which the disk gives the head, and then an error."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> Failing:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        if self._file.tell() > 10_000:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        taken: bytes = self._file.read(size)
        return taken


@contextmanager
def unreadable(part: Path) -> Iterator[None]:
    """Have the disk not give a part beyond its head."""
    opens = Path.open
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", lambda path, *a: Failing(opens(path, *a)) if path == part else opens(path, *a))
        yield


def test_a_disk_that_does_not_give_a_part_costs_nothing_once_it_does(rig: TapeRig) -> None:
    # Given a disk that gives the head of a part, and then an error
    (part,) = parts_of(rig.folder)
    content = part.read_bytes()
    with unreadable(part), pytest.raises(OSError, match="Input/output error"):
        finish_all(rig.folder)
    # I expect the part to stay as it is, under its name, and all of it in the file once it can be read
    assert part.read_bytes() == content
    finish_all(rig.folder)
    assert positions(rig) == [*range(1000)]
    assert list(rig.folder.glob("*.damaged")) == []


def test_a_part_that_the_disk_does_not_give_leaves_a_place_to_go_on_from(rig: TapeRig) -> None:
    # Given one, and the Parquet file of another hour that is cut off
    (part,) = parts_of(rig.folder)
    torn = rig.folder / "2026-11-30T10.parquet"
    torn.write_bytes(b"PAR1")
    # If the next life looks where to go on
    told: list[tuple[Path, str]] = []
    with unreadable(part):
        place = next_position(rig.folder, "market_data", on_fault=lambda path, error: told.append((path, str(error))))
    # I expect the place behind what came before the fault, and both files told
    assert place is not None
    assert 0 < place < 1000
    assert [path for path, _ in told] == [torn, part]
    assert "Input/output error" in told[1][1]


def test_an_hour_that_the_disk_does_not_give_keeps_none_behind_it_from_its_file(rig: TapeRig) -> None:
    # Given the part of an hour that cannot be read, and parts of the two hours after it
    (part,) = parts_of(rig.folder)
    tape = rig.tape(life=2, start=1000)
    rig.publish(1.0, hour=1)
    tape.write()
    rig.publish(2.0, hour=2)
    tape.write()
    tape.close()
    with unreadable(part), pytest.raises(OSError, match="Input/output error"):
        finish_all(rig.folder)
    # I expect their files, and the unreadable part as it is
    assert [path.name for path in sorted(rig.folder.glob("*.parquet"))] == [
        "2026-11-30T12.parquet",
        "2026-11-30T13.parquet",
    ]
    assert parts_of(rig.folder) == [part]


def test_who_reads_a_recording_that_the_disk_does_not_give_is_told_which_file(rig: TapeRig) -> None:
    (part,) = parts_of(rig.folder)
    with unreadable(part):
        with pytest.raises(RecordingError, match=r"1\.trades\.part: cannot be read \(Input/output error\)"):
            table(rig.run, "trades")
        with pytest.raises(RecordingError, match="cannot be read"):
            rows_where(rig.run, "trades", "BTC-PERPETUAL", "position", [990])
    (rig.folder / "2026-11-30T10.parquet").write_bytes(b"PAR1")
    with pytest.raises(RecordingError, match=r"T10\.parquet: cannot be read"):
        table(rig.run, "trades")


def test_a_parquet_file_that_is_torn_is_set_aside_and_told(rig: TapeRig) -> None:
    # Given a file of the hour, whose end the disk lost, beside a part of that hour, and one of an hour before
    content = b"PAR1 and what is left of it"
    for hour in ("2026-11-30T10", HOUR):
        (rig.folder / f"{hour}.parquet").write_bytes(content)
    told: list[Damaged] = []
    assert finish_all(rig.folder, on_damage=told.append) == 1
    # I expect the part in a file of its own, and the torn ones under another name
    assert positions(rig) == [*range(1000)]
    assert {path.name for path in rig.folder.glob("*.damaged")} == {f"{one.part}.damaged" for one in told}
    assert [one.part for one in told] == ["2026-11-30T10.parquet", f"{HOUR}.parquet"]
    assert gaps(rig) == []


def test_a_part_that_is_cut_anywhere_is_no_damage(rig: TapeRig) -> None:
    (part,) = parts_of(rig.folder)
    content = part.read_bytes()
    for cut in range(0, len(content), 97):
        part.write_bytes(content[:cut])
        damages: list[Damage] = []
        rows = sum(batch.num_rows for batch in read_stream(part, damages.append))
        assert (rows % ROWS, damages) == (0, []), cut


def test_a_part_that_grows_while_its_end_is_read_is_no_damage(rig: TapeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a part of which five batches and a half are there, and all of it once the end was met
    (part,) = parts_of(rig.folder)
    content = part.read_bytes()
    there = (starts(part)[6] + starts(part)[7]) // 2

    class Growing(io.BytesIO):
        def __init__(self) -> None:
            super().__init__(content[:there])

        def read(self, size: int | None = -1) -> bytes:
            taken = super().read(size)
            if size is not None and len(taken) < size:
                place = self.tell()
                self.seek(0, os.SEEK_END)
                self.write(content[there:])
                self.seek(place)
            return taken

    monkeypatch.setattr(Path, "open", lambda *_: Growing())
    damages: list[Damage] = []
    assert sum(batch.num_rows for batch in read_stream(part, damages.append)) == 50
    assert damages == []


def test_whatever_byte_of_the_framing_is_wrong_the_batches_behind_it_are_read(rig: TapeRig) -> None:
    """Of the values themselves nobody keeps a sum: only what makes a message illegible is seen."""
    (part,) = parts_of(rig.folder)
    content = part.read_bytes()
    begin = starts(part)[6]
    chance = random.Random(3)
    for at in range(begin, begin + 8):
        spoilt = bytearray(content)
        spoilt[at] ^= 1 << chance.randrange(8)
        part.write_bytes(spoilt)
        damages: list[Damage] = []
        found = [p for batch in read_stream(part, damages.append) for p in batch.column("position").to_pylist()]
        assert found == [*range(50), *range(60, 1000)], at
        assert [damage.offset for damage in damages] == [begin]
