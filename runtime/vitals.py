"""What this process holds now: descriptors, tasks, memory. Asked for by command, to find what leaks."""

from __future__ import annotations

import asyncio
import os
import resource
from collections import Counter
from pathlib import Path
from typing import Any


def read_vitals() -> dict[str, Any]:
    """Return `descriptors`, `tasks` (name -> how many; empty without an event loop) and `resident_kb`."""
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,  # without the one that lists them
        "tasks": dict(Counter(task.get_name() for task in _tasks())),
        "resident_kb": resident_pages * resource.getpagesize() // 1024,
    }


def _tasks() -> set[asyncio.Task[Any]]:
    try:
        return asyncio.all_tasks()
    except RuntimeError:  # a blocking actor
        return set()
