"""The lock of a session: one supervisor, whatever kills it, and nothing left of it."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from domain.errors import UserError
from messages.commands import Status
from runtime import session as module
from runtime.commands import send_command
from runtime.paths import run_directory
from runtime.session import SessionFolderError, SessionLock, is_supervised
from runtime.topology import SUPERVISOR


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path))
    return run_directory("s")


def test_a_session_that_ended_leaves_no_folder(directory: Path) -> None:
    lock = SessionLock(directory, "s")
    assert is_supervised("s")
    lock.clear_directory()
    lock.release()
    assert not is_supervised("s")
    assert not directory.exists()


def test_what_somebody_else_left_in_the_folder_stays(directory: Path) -> None:
    lock = SessionLock(directory, "s")
    (directory / "note").touch()
    lock.release()
    assert [path.name for path in directory.iterdir()] == ["note"]


def test_a_second_supervisor_is_refused_and_takes_nothing_away(directory: Path) -> None:
    lock = SessionLock(directory, "s")
    with pytest.raises(UserError, match=rf"session s is running already \(supervisor pid {os.getpid()}\)"):
        SessionLock(directory, "s")
    assert is_supervised("s")
    lock.release()


def test_who_looks_whether_a_session_runs_is_in_nobodys_way(directory: Path) -> None:
    # Given one who looks, caught in the middle of it
    directory.mkdir(parents=True)
    fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_SH)
    over = threading.Timer(0.03, os.close, (fd,))
    over.start()
    SessionLock(directory, "s").release()
    over.join()


def test_sessions_that_start_as_another_ends_never_hold_it_both(directory: Path) -> None:
    # Given two that take the session and give it up again and again, at the same time
    held = threading.Lock()
    taken: list[bool] = []

    def take_often() -> None:
        for _ in range(300):
            try:
                lock = SessionLock(directory, "s")
            except UserError:
                continue
            taken.append(held.acquire(blocking=False))
            if taken[-1]:
                time.sleep(0.0002)
                held.release()
            lock.release()

    threads = [threading.Thread(target=take_often) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # I expect that no two of them ever had it at once
    assert taken
    assert all(taken)


def test_a_dead_disk_is_one_clear_line(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a disk that answers EIO to whatever is asked of the lock
    def dead(path: object, *_: object, **__: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(module.os, "open", dead)
    # I expect one line with the file and what to do, from whoever looks whether the session runs
    for look in (lambda: is_supervised("s"), lambda: send_command("s", SUPERVISOR, Status(), 1.0)):
        with pytest.raises(SessionFolderError, match=r"s/lock: Input/output error: whether session s runs cannot be"):
            look()
    with pytest.raises(SessionFolderError, match="set RINGMAKER_RUN_ROOT"):
        SessionLock(directory, "s")
