"""The ids of hedges that were begun: on disk before they count, and few of them in memory."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from actors.execution.hedge_runs import BegunHedges


def test_ids_outlive_the_process_that_wrote_them(tmp_path: Path) -> None:
    begun = BegunHedges(tmp_path / "hedges.begun")
    for command_id in ("strategy.BTC/1/1", "strategy.BTC/1/2", "by hand", "strategy.BTC/2/1"):
        begun.add(command_id)
    begun.close()
    again = BegunHedges(tmp_path / "hedges.begun")
    for command_id in ("strategy.BTC/1/1", "strategy.BTC/1/2", "by hand", "strategy.BTC/2/1"):
        assert command_id in again
    for command_id in ("strategy.BTC/1/3", "strategy.BTC/2/2", "strategy.ETH/1/1", "by hand again", ""):
        assert command_id not in again
    again.close()


def test_a_hedge_that_the_disk_does_not_take_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = BegunHedges(tmp_path / "hedges.begun")
    begun.add("strategy.BTC/1/1")
    write = os.write

    # If the disk is full, after half of the line or before it
    def full(fd: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        begun.add("strategy.BTC/1/2")
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:5]))
    with pytest.raises(OSError, match="No space"):
        begun.add("strategy.BTC/1/2")
    monkeypatch.undo()
    # I expect it not to count, and the next line to be whole
    assert "strategy.BTC/1/2" not in begun
    begun.add("strategy.BTC/1/3")
    begun.close()
    assert (tmp_path / "hedges.begun").read_text() == "strategy.BTC/1/1\nstrategy.BTC/1/3\n"


def test_many_hedges_of_one_owner_take_the_memory_of_one(tmp_path: Path) -> None:
    begun = BegunHedges(tmp_path / "hedges.begun")
    for number in range(1, 2001):
        begun.add(f"strategy.BTC/1/{number}")
    assert len(begun) == 1
    assert "strategy.BTC/1/1" in begun
    assert "strategy.BTC/1/2000" in begun
    begun.close()
    assert len(BegunHedges(tmp_path / "hedges.begun")) == 1
