"""How much memory this process has had at most."""

from __future__ import annotations

from pathlib import Path


def peak_mb() -> float:
    """Return the largest resident memory of this process, MB; unlike `ru_maxrss` without that of who started it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status tells no VmHWM")
