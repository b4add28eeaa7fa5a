"""What a process does before it holds a key: none of its memory reaches a disk, none of its files another user.

RLIMIT_CORE alone does not keep memory from a program that the kernel pipes core dumps to (core(5)); a process that is
not dumpable has no core at all, and nobody but root reads its /proc/<pid>/environ or attaches a debugger.
"""

from __future__ import annotations

import ctypes
import os
import resource

DUMPABLE_VARIABLE = "RINGMAKER_DUMPABLE"  # "1": leave it readable for a debugger of the same user
PRIVATE_UMASK = 0o077
_PR_SET_DUMPABLE = 4


def keep_files_private() -> None:
    """Create files and folders for this user alone from now on, in programs started from here, too."""
    os.umask(PRIVATE_UMASK)


def keep_private(*, holds_keys: bool) -> None:
    """Create files for this user alone, and leave no core dump; a holder of keys cannot be looked into either."""
    keep_files_private()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if holds_keys and os.environ.get(DUMPABLE_VARIABLE) != "1":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE) failed")
