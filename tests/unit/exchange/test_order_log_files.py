"""The order log of an exchange that runs for months: bounded where a size is set, whole where none is."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from exchange.config import parse_arguments
from exchange.core.scheduler import LoopScheduler
from exchange.order_log import OrderLog
from runtime.continued import FILES_KEPT
from tests.sessions import read_continued_lines, read_json_lines

LINES = 300
BYTES_MAX = 2000


def write_lines(path: Path, bytes_max: int) -> None:
    loop = asyncio.new_event_loop()
    try:
        log = OrderLog(path, LoopScheduler(loop), bytes_max)
        for number in range(LINES):
            log.write("request", "S1", number=number)
            log.flush()
        log.close()
    finally:
        loop.close()


def numbers(folder: Path) -> list[int]:
    """Return what all files of the log tell, oldest first."""
    return [line["number"] for line in read_continued_lines(folder / "orders.jsonl")]


def test_it_goes_on_in_a_new_file_at_its_size_and_four_before_it_stay(tmp_path: Path) -> None:
    write_lines(tmp_path / "orders.jsonl", BYTES_MAX)
    names = {"orders.jsonl", *(f"orders.jsonl.{age}" for age in range(1, FILES_KEPT + 1))}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert all(path.stat().st_size < BYTES_MAX + 500 for path in tmp_path.iterdir())
    found = numbers(tmp_path)
    assert found == list(range(LINES - len(found), LINES))
    assert len(found) > len(read_json_lines(tmp_path / "orders.jsonl"))


def test_without_a_size_it_is_one_file_with_all(tmp_path: Path) -> None:
    write_lines(tmp_path / "orders.jsonl", 0)
    assert numbers(tmp_path) == list(range(LINES))
    assert parse_arguments([]).order_log_mb_max == 0


def test_where_no_new_file_can_be_had_it_goes_on_in_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(os, "replace", refuse)
    write_lines(tmp_path / "orders.jsonl", BYTES_MAX)
    assert numbers(tmp_path) == list(range(LINES))
