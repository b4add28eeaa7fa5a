"""What a process says as it dies is kept, and cannot fill the disk, however much it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from domain.clock import NS_PER_S
from runtime import last_words
from runtime.last_words import empty_if_full, opened
from runtime.supervision import deaths
from runtime.supervision.deaths import Death, Trail

CHATTERBOX = """
import os, sys
for line in sys.stdin:
    os.write(2, line.encode())
    print("written", flush=True)
"""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_words, "FILE_BYTES_MAX", 1000)


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    (tmp_path / "logs").mkdir()
    return Trail(tmp_path, "strategy")


def test_standard_error_of_a_living_process_is_bounded_and_its_last_words_are_kept(trail: Trail) -> None:
    # given a process that was handed the file as the launcher does
    with opened(trail.stderr) as stderr:
        trail.begin()
        process = subprocess.Popen(
            [sys.executable, "-c", CHATTERBOX], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    assert process.stdin is not None
    assert process.stdout is not None
    # if it talks on and on
    for number in range(300):
        process.stdin.write(f"line {number:03}\n")
        process.stdin.flush()
        process.stdout.readline()
        trail.bound(number * NS_PER_S)
    # I expect two files of about a thousand bytes, without a hole, and its last line in the page of its death
    process.stdin.close()
    process.wait(10)
    process.stdout.close()
    files = [trail.stderr.with_name("strategy.stderr.1"), trail.stderr]
    assert sorted(path.name for path in trail.stderr.parent.iterdir()) == ["strategy.stderr", "strategy.stderr.1"]
    said = b"".join(path.read_bytes() for path in files).decode().splitlines()
    assert said == [f"line {number:03}" for number in range(300 - len(said), 300)]
    assert all(path.stat().st_size < 1100 for path in files)
    assert trail.last_words() == "line 299"


def test_a_file_that_is_not_full_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.stderr"
    assert not empty_if_full(path)
    path.write_bytes(b"word\n")
    assert not empty_if_full(path)
    assert path.read_bytes() == b"word\n"


def test_without_room_for_a_copy_it_is_emptied_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(shutil, "copyfile", refuse)
    path = tmp_path / "x.stderr"
    path.write_bytes(bytes(2000))
    assert empty_if_full(path)
    assert path.read_bytes() == b""


def test_only_the_youngest_pages_of_deaths_are_kept(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deaths, "PAGES_KEPT", 3)
    for life in range(1, 11):
        trail.begin()
        page = trail.keep(Death("strategy", life, 4711, "exit 1", 1.0, "live"))
    assert {path.name for path in page.parent.iterdir()} == {f"strategy-{life}.txt" for life in (8, 9, 10)}
