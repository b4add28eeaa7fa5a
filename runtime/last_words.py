"""Files beside a process's log for what it says as it dies: standard error, and stacks by faulthandler.

A process is handed such a file as it is started, and holds it for its whole life: it cannot be told to go on in a new
one. So a full one is copied to `<name>.1` and emptied; who writes, writes at the end, wherever that is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO

FILE_BYTES_MAX = 4 << 20  # copied by the supervisor in milliseconds


def stacks_path(artifacts: Path, actor: str) -> Path:
    """Return the file into which faulthandler of an actor's process writes."""
    return artifacts / "logs" / f"{actor}.stacks"


def opened(path: Path) -> BinaryIO:
    """Return a file for last words, or nothing at all when the disk has no room for one."""
    try:
        return path.open("ab")
    except OSError:
        return open(os.devnull, "ab")


def empty_if_full(path: Path) -> bool:
    """Have the content of a full file become `<name>.1`; returns whether it was emptied.

    What is written while it is copied may be lost, and all of it where the disk has no room for the copy.
    """
    with contextlib.suppress(OSError):
        if path.stat().st_size < FILE_BYTES_MAX:
            return False
        with contextlib.suppress(OSError):
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        os.truncate(path, 0)
        return True
    return False
