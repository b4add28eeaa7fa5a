"""What of the machine matters to any session. Each function looks at one thing and judges it."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from domain.errors import ExitCode
from runtime.doctor.finding import Finding, fail, ok, warn
from shm import layout
from shm.attach import list_sessions
from shm.segment import list_segments

PYTHON_MIN = (3, 11)
NOFILE_WANTED = 256  # over five times what the busiest process of a session over one instrument holds
CLOCK_OFF_MS_MAX = 100
GOVERNORS = Path("/sys/devices/system/cpu")

# struct timex of 64-bit Linux, adjtimex(2): modes, offset, freq, maxerror (µs), esterror, status, ...
_TIMEX = struct.Struct("i4xqqqqi")
_TIMEX_BYTES = 256
_STA_UNSYNC = 0x40


def look_at_python(version: tuple[int, ...] = sys.version_info[:3], machine: str = platform.machine()) -> Finding:
    """Python and processor: what this program is written for."""
    found = f"{'.'.join(map(str, version))} on {platform.system()} {machine}"
    if version < PYTHON_MIN:
        return fail("python", found, f"install Python {'.'.join(map(str, PYTHON_MIN))} or newer, then `make clean run`")
    if machine != "x86_64" or platform.system() != "Linux":
        return fail("python", found, "x86-64 Linux alone keeps the order of stores that the rings rely on")
    return ok("python", found)


def look_at_load(load: float, cores: Sequence[int]) -> Finding:
    """What else the machine does: `load` is the mean number of processes that ran or waited in the last minute."""
    text = f"{load:.1f} in the last minute on {len(cores)} cores"
    if load > len(cores) / 2:
        return warn("load", text, "other work delays every quote: move it to another machine")
    return ok("load", text)


def look_at_frequency(cores: Sequence[int], folder: Path = GOVERNORS) -> list[Finding]:
    """Whether the cores run at full speed before there is work; nothing where the system does not say."""
    found = set()
    for core in cores:
        try:
            found.add((folder / f"cpu{core}" / "cpufreq" / "scaling_governor").read_text().strip())
        except OSError:
            return []
    names = ", ".join(sorted(found))
    if found <= {"performance"}:
        return [ok("frequency", f"governor {names}")]
    return [
        warn(
            "frequency", f"governor {names}: cores are slow when a tick comes", "cpupower frequency-set -g performance"
        )
    ]


def look_at_files(limit: int | None = None) -> Finding:
    """How many files a process may have open (ulimit -n)."""
    found = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if limit is None else limit
    text = "no limit" if found == resource.RLIM_INFINITY else f"{found} a process"
    if found != resource.RLIM_INFINITY and found < NOFILE_WANTED:
        return fail("files", text, f"ulimit -n {NOFILE_WANTED} or more", ExitCode.CRASH)
    return ok("files", text)


def look_at_clock(timex: bytes | None = None) -> Finding:
    """Whether something keeps the wall clock right: logins carry it, and the venue refuses one that is far off."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES) if timex is None else ctypes.create_string_buffer(timex)
    if timex is None and ctypes.CDLL(None, use_errno=True).adjtimex(buffer) < 0:
        return warn(
            "clock", f"the kernel does not tell ({os.strerror(ctypes.get_errno())})", "see that it is synchronised"
        )
    _, _, _, error_us, _, status = _TIMEX.unpack_from(buffer.raw)
    if status & _STA_UNSYNC:
        return warn("clock", "nothing synchronises it", "start chrony or systemd-timesyncd: logins carry the time")
    if error_us > CLOCK_OFF_MS_MAX * 1000:
        return warn("clock", f"may be {error_us / 1000:.0f} ms off", "look at `chronyc tracking` or `timedatectl`")
    return ok("clock", f"synchronised, at most {error_us / 1000:.1f} ms off")


def look_at_segments(uid: int | None = None) -> Finding:
    """What sessions that were killed have left in shared memory."""
    prefix = f"ringmaker.{os.getuid() if uid is None else uid}."
    running = set(list_sessions(uid))
    found = {name.removeprefix(prefix).split(".")[0] for name in list_segments(prefix)}
    if stale := sorted(found - running):
        names = ", ".join(stale)
        return warn(
            "segments",
            f"left in {layout.SHM_FOLDER} by killed sessions: {names}",
            f"the next start of the same session takes them away, or rm {layout.SHM_FOLDER}/{prefix}NAME.*",
        )
    return ok("segments", f"nothing stale; running: {', '.join(sorted(running)) or 'none'}")
