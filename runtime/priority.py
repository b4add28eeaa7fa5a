"""How the processes of a session stand against everything else on the machine: niceness, real time, locked memory.

None of it is needed. What the system refuses is told in one line of the log, and the process goes on as it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import time
from io import FileIO
from pathlib import Path

from runtime.logs import Logger

# sys/mman.h of Linux: what is mapped now, what will be, and both only once it is touched, so that no memory is spent.
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_CAP_IPC_LOCK, _CAP_SYS_NICE = 14, 23
NICE_MAX = 19
# Where the kernel groups processes by session (sched_autogroup_enabled), niceness counts within the group alone, and
# each process of ours is a session of its own. A group's niceness may be set ten times a second, by all users together.
_GROUP_FILE = "/proc/{}/autogroup"
_GROUP_PAUSE_S = 0.1
_GROUP_TRIES = 10


def open_group() -> FileIO | None:
    """Open the niceness of this process's session, for `take_priority`; None where it cannot be.

    To be called before the process is private (runtime/secrecy.py): from then on the file is root's.
    """
    with contextlib.suppress(OSError):
        return FileIO(_GROUP_FILE.format("self"), "r+")
    return None


def take_priority(nice: int, log: Logger, group: FileIO | None = None) -> None:
    """Run at niceness `nice` (at most 19) from now on, threads made later too, and the process's session with it.

    Below 0 needs CAP_SYS_NICE (root has it), or a limit on niceness that allows it (`ulimit -e`).

    Args:
        group: what `open_group` returned; None = it is opened now.
    """
    nice = min(nice, NICE_MAX)
    try:
        if nice != os.getpriority(os.PRIO_PROCESS, 0):
            os.setpriority(os.PRIO_PROCESS, 0, nice)
    except PermissionError:
        in_force = os.getpriority(os.PRIO_PROCESS, 0)
        log.warning("runtime.nice needs CAP_SYS_NICE, or a higher `ulimit -e`", nice=nice, in_force=in_force)
        return
    try:
        _take_group_niceness(nice, group)
    except OSError as error:
        log.warning("the niceness of this process's session stays as it is", nice=nice, reason=str(error))


def give_way() -> None:
    """Run below everything else from now on, the session that this process leads too."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE_MAX)
        _take_group_niceness(NICE_MAX)


def give_priority(pid: int, nice: int) -> None:
    """Have a process that was just started run at `nice` from its first imports on; it says itself what is refused."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        Path(_GROUP_FILE.format(pid)).write_text(str(nice))


def _take_group_niceness(nice: int, group: FileIO | None = None) -> None:
    """Have the session that this process leads stand against others like the process against those of its session.

    A session begins at 0, whatever niceness its process has inherited.

    Raises:
        OSError: the system refuses it.
    """
    if not Path(_GROUP_FILE.format("self")).exists():
        return
    wanted = str(nice).encode()
    with group or FileIO(_GROUP_FILE.format("self"), "r+") as opened:
        for _ in range(_GROUP_TRIES):
            opened.seek(0)
            if opened.read().split()[-1:] in ([], [wanted]):  # [] = it is in no group
                return
            try:
                opened.write(wanted)
                return
            except BlockingIOError:
                time.sleep(_GROUP_PAUSE_S)


def take_realtime(priority: int, log: Logger) -> None:
    """Have this thread run before every ordinary one (SCHED_FIFO); threads and processes that it makes are ordinary.

    Needs CAP_SYS_NICE (root has it), or a limit on real-time priority that allows it (`ulimit -r`).
    """
    if priority == 0:
        return
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except PermissionError:
        log.warning("runtime.realtime_priority needs CAP_SYS_NICE, or a higher `ulimit -r`", priority=priority)


def lock_memory(log: Logger) -> None:
    """Keep what this process has touched, and will touch, in memory (mlockall with MCL_ONFAULT).

    Needs CAP_IPC_LOCK (root has it) or an unlimited `ulimit -l`: a limit that is met later would have allocations fail
    in the middle of a session.
    """
    if not may_lock_memory():
        log.warning("runtime.lock_memory needs CAP_IPC_LOCK, or `ulimit -l unlimited`")
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) != 0:
        log.warning("memory is not locked", reason=os.strerror(ctypes.get_errno()))


def may_lock_memory() -> bool:
    """Return whether this process may lock as much memory as it likes."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return limit == resource.RLIM_INFINITY or _has_capability(_CAP_IPC_LOCK)


def may_be_realtime(priority: int) -> bool:
    """Return whether this process may take SCHED_FIFO at `priority`."""
    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    return limit == resource.RLIM_INFINITY or priority <= limit or _has_capability(_CAP_SYS_NICE)


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False
