"""A session whose actors come before everything else, where the machine allows it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from runtime.priority import may_be_realtime, may_lock_memory
from tests.sessions import LOCAL, RunningSession, wait_until

PRIORITY = 2
ACTORS = ("market_data", "strategy", "risk", "execution")

pytestmark = pytest.mark.skipif(
    not (may_be_realtime(PRIORITY + 1) and may_lock_memory()), reason="needs CAP_SYS_NICE and CAP_IPC_LOCK"
)


def standing(pid: int) -> tuple[int, int]:
    """Return (scheduling policy, priority) of a process' first thread."""
    return os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK, os.sched_getparam(pid).sched_priority


def locked_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmLck")))


def test_actors_run_in_real_time_with_their_memory_locked_and_what_nobody_waits_for_does_not(tmp_path: Path) -> None:
    config = LOCAL + f"[runtime]\nrealtime_priority = {PRIORITY}\nlock_memory = true\n"
    with RunningSession(tmp_path, config) as session:
        session.wait_for_quotes()
        assert session.process is not None
        supervisor = session.process.pid
        assert standing(supervisor) == (os.SCHED_FIFO, PRIORITY + 1)
        for actor in ACTORS:
            pid = session.actor_pid(actor)
            wait_until(lambda pid=pid: locked_kb(pid) > 10_000, 10, f"locked memory of {actor}")  # type: ignore[misc]
            assert standing(pid) == (os.SCHED_FIFO, PRIORITY), actor
        children = {child.pid for child in psutil.Process(supervisor).children()}
        others = children - {session.actor_pid(actor) for actor in ACTORS}
        assert others, "the exchange and the recorder"
        for pid in others:
            assert standing(pid) == (os.SCHED_OTHER, 0)
        session.signal(signal.SIGINT)
        assert session.wait(60) == 0, session.said
        assert session.summary["open_orders_at_exit"] == 0
        session.assert_nothing_stays()
