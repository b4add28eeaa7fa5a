"""Folders for what a command of ours computes on the way: gone with it, or with the next one, if it was killed.

Each holds a file `lock`, locked by flock for as long as its process lives: the kernel lets go of it whatever kills that
process. So a folder whose lock nobody holds is left over, and one without a lock is not ours to judge.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "ringmaker-"
PURPOSES = ("backtest", "calibrate", "data", "report", "score", "signals")
LOCK_FILE = "lock"


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """Give an empty folder for a while, after those of killed processes were removed.

    Args:
        purpose: one of PURPOSES; it stands in the folder's name.
    """
    assert purpose in PURPOSES, purpose
    remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-"))
    try:
        lock = _locked(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned() -> None:
    """Remove the folders of ours whose processes are gone; one that cannot be removed stays."""
    for purpose in PURPOSES:
        for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}{purpose}-*"):
            with suppress(OSError):
                _remove_if_abandoned(folder)


def _locked(folder: Path) -> int:
    """Lock a new folder: the file has its name only once it is locked, so nobody finds it free in between."""
    unnamed = folder / f".{LOCK_FILE}"
    fd = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        unnamed.rename(folder / LOCK_FILE)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _remove_if_abandoned(folder: Path) -> None:
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        return
    fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in folder.iterdir():  # the lock last: of what a kill leaves of it here, the next one knows
            if path.name == LOCK_FILE:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        shutil.rmtree(folder)
    finally:
        os.close(fd)
