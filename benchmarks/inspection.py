"""What the processes of a session of ours use: CPU time and memory, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from benchmarks.full_system import FullSystem

SUPERVISOR = "supervisor"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Memory(NamedTuple):
    """MB. `pss` counts what several processes map in shares."""

    rss: float
    pss: float


def pids_of(system: FullSystem) -> dict[str, int]:
    """Return every process of a session by name, the supervisor too; those that do not live are missing."""
    actors = {name: int(actor["pid"]) for name, actor in system.status()["actors"].items() if actor["pid"]}
    return {SUPERVISOR: system.process.pid, **actors}


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used so far, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory(pid: int) -> Memory:
    """Return what a process holds now."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            found[name] = int(rest.split()[0]) / 1024
    return Memory(found["Rss"], found["Pss"])
