"""The journal of execution: nothing is lost or reordered while a thread writes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from actors.execution.journal import Journal


def test_closing_waits_for_the_thread_that_still_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def slow_write(fd: int, content: bytes) -> int:
        time.sleep(0.05)
        return write(fd, content[:4])

    monkeypatch.setattr(os, "write", slow_write)
    journal = Journal(tmp_path / "journal.jsonl")
    journal.note("first")
    thread = threading.Thread(target=journal.write, args=(journal.take(),))
    thread.start()
    time.sleep(0.02)
    journal.note("second")
    journal.close()
    thread.join()
    assert (tmp_path / "journal.jsonl").read_text() == '["first"]\n["second"]\n'


def test_what_the_disk_refused_comes_before_what_came_since(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.note("first")
    refused = journal.take()
    journal.note("second")
    journal.put_back(refused)
    journal.close()
    assert (tmp_path / "journal.jsonl").read_text() == '["first"]\n["second"]\n'


def test_a_restarted_process_journals_no_fill_again(tmp_path: Path) -> None:
    # Given a journal that a killed process left, its last line torn
    path = tmp_path / "journal.jsonl"
    first = Journal(path)
    first.note_fill(1, ("t1", "v1", 0), "BTC-PERPETUAL", 1, "100", "0.01")
    first.close()
    with path.open("ab") as file:
        file.write(b'[2,"FILL","t2","v1",0,"BTC-PER')
    # If the next process finds both fills in the venue's history
    second = Journal(path)
    for number in (1, 2):
        second.note_fill(3, (f"t{number}", "v1", 0), "BTC-PERPETUAL", 1, "100", "0.01")
    second.close()
    # I expect each fill once, and whole lines only
    assert path.read_text().splitlines() == [
        '[1,"FILL","t1","v1",0,"BTC-PERPETUAL",1,"100","0.01"]',
        '[3,"FILL","t2","v1",0,"BTC-PERPETUAL",1,"100","0.01"]',
    ]
