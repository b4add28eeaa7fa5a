"""How the processes of a session stand against everything else on the machine: the system's niceness."""

from __future__ import annotations

import os

from runtime.logs import Logger


def take_priority(nice: int, log: Logger) -> None:
    """Run at niceness `nice` from now on, threads made later too; where that is refused, say so and go on as before.

    Below 0 needs CAP_SYS_NICE (root has it), or a limit on niceness that allows it (`ulimit -e`).
    """
    if nice == os.getpriority(os.PRIO_PROCESS, 0):
        return
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except PermissionError:
        in_force = os.getpriority(os.PRIO_PROCESS, 0)
        log.warning("runtime.nice needs CAP_SYS_NICE, or a higher `ulimit -e`", nice=nice, in_force=in_force)
