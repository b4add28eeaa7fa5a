"""What this process holds now: descriptors, tasks, memory. Asked for by command, to find what leaks."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any


def read_vitals() -> dict[str, Any]:
    """Return `descriptors`, `tasks` (name -> how many; empty without an event loop) and `private_kb`.

    Memory is what is resident and this process's own: pages of segments are everybody's, and come in as rings go round.
    """
    status = Path("/proc/self/status").read_text().splitlines()
    private = next(line for line in status if line.startswith("RssAnon:"))
    return {
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,  # without the one that lists them
        "tasks": dict(Counter(task.get_name() for task in _tasks())),
        "private_kb": int(private.split()[1]),
    }


def _tasks() -> set[asyncio.Task[Any]]:
    try:
        return asyncio.all_tasks()
    except RuntimeError:  # a blocking actor
        return set()
