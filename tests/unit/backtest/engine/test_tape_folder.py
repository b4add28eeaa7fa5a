"""Tapes of recordings in folders that may not be written: they are kept apart, within bounds, and none in use goes."""

from __future__ import annotations

import errno
import gc
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from backtest.data.container import EventFile
from backtest.data.findings import DataError
from backtest.engine import tape as tapes
from backtest.engine.tape import Tape, tape_of
from backtest.engine.tape_folder import elsewhere
from tests.backtest_run import written


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def refused(code: int, beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the folder of the recordings take nothing."""
    build = tapes._build

    def building(file: EventFile, path: Path) -> Any:
        if path.parent == beside:
            raise OSError(code, os.strerror(code))
        return build(file, path)

    monkeypatch.setattr(tapes, "_build", building)


def recording(folder: Path, name: str) -> EventFile:
    (folder / name).mkdir()
    return written(folder / name, seconds=1.0)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_recording_where_nothing_may_be_written_has_its_tape_apart_in_a_private_folder(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    file = recording(tmp_path, "one")
    refused(code, file.path.parent, monkeypatch)
    made = tape_of(file)
    assert made.path == elsewhere(file.path)
    assert made.path.is_relative_to(temporary)
    assert made.path.parent.stat().st_mode & 0o077 == 0
    # If it is wanted again, I expect the one that is there
    again = tape_of(file)
    assert (again.path.stat().st_ino, again.header) == (made.path.stat().st_ino, made.header)


def test_a_full_disk_is_told_of_the_place_that_was_full(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = recording(tmp_path, "one")
    monkeypatch.setattr(
        tapes,
        "_build",
        lambda file, path: raising(errno.ENOSPC if path.parent.is_relative_to(temporary) else errno.EROFS),
    )
    with pytest.raises(DataError, match=r"\.tape: the tape cannot be written: No space left"):
        tape_of(file)


def raising(code: int) -> None:
    raise OSError(code, os.strerror(code))


def played_at(tape: Tape, played_ns: int) -> None:
    """Say when a tape was played; who called lets go of it."""
    os.utime(tape.path, ns=(played_ns, played_ns))


def test_tapes_apart_go_when_there_are_too_many_those_played_longest_ago_first_and_none_in_use(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backtest.engine.tape_folder.TAPES_MAX", 3)
    files = [recording(tmp_path, name) for name in "abcde"]
    for file in files:
        refused(errno.EROFS, file.path.parent, monkeypatch)
    places = [elsewhere(file.path) for file in files]
    # Given two that were played, one of them twice, and one that is being played
    for number, file in enumerate(files[:2]):
        played_at(tape_of(file), number)
    in_use = tape_of(files[2])
    os.utime(in_use.path, ns=(0, 0))
    other = temporary / f"ringmaker-{os.getuid()}" / "account-1.lock"
    other.touch()
    os.utime(tape_of(files[0]).path, ns=(10**18, 10**18))
    gc.collect()
    # If a fourth and a fifth come
    played_at(tape_of(files[3]), 2 * 10**18)
    assert [place.exists() for place in places] == [True, False, True, True, False]
    played_at(tape_of(files[4]), 3 * 10**18)
    # I expect three, that in use among them, and what is no tape
    assert [place.exists() for place in places] == [False, False, True, True, True]
    assert other.exists()
    assert len(in_use.block(0, 0)) > 0


def test_tapes_apart_go_when_they_are_too_large_half_written_ones_too(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = recording(tmp_path, "a"), recording(tmp_path, "b")
    for file in (first, second):
        refused(errno.EROFS, file.path.parent, monkeypatch)
    place = tape_of(first).path
    gc.collect()
    left = place.with_name(place.name + ".7.partial")
    left.write_bytes(b"half")
    monkeypatch.setattr("backtest.engine.tape_folder.BYTES_MAX", 3)
    assert tape_of(second).path.exists()
    assert not place.exists()
    assert not left.exists()
