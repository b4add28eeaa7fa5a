"""Has a process end with the one that started it, and says whether another lives."""

from __future__ import annotations

import ctypes
import os
import signal

from domain.errors import ExitCode

_PR_SET_PDEATHSIG = 1


def die_with(parent_pid: int, orphan_signal: signal.Signals) -> None:
    """Have the kernel send `orphan_signal` when the parent dies (the thread of it that started this process), also
    when it already has."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        os._exit(ExitCode.CRASH)  # nothing has been begun yet: there is nothing to undo


def is_alive(pid: int) -> bool:
    """Return whether a process lives, of whatever user; one that nobody has reaped yet counts. 0 is nobody."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
