"""Files beside a process's log for what it says as it dies: standard error, and stacks by faulthandler."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def stacks_path(artifacts: Path, actor: str) -> Path:
    """Return the file into which faulthandler of an actor's process writes."""
    return artifacts / "logs" / f"{actor}.stacks"


def opened(path: Path) -> BinaryIO:
    """Return a file for last words, or nothing at all when the disk has no room for one."""
    try:
        return path.open("ab")
    except OSError:
        return open(os.devnull, "ab")
