from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.priority import give_priority, may_be_realtime, may_lock_memory
from tests.conftest import REPOSITORY

NOBODY = 65534
HEAD = """
import os, threading, structlog
from pathlib import Path
from runtime.priority import lock_memory, take_priority, take_realtime
log = structlog.get_logger()
os.setsid()
"""
REALTIME = """
def policy(): print(os.sched_getscheduler(0))
take_realtime(3, log)
policy()
thread = threading.Thread(target=policy)
thread.start()
thread.join()
"""
LOCK = """
lock_memory(log)
before = Path("/proc/self/status").read_text()
block = bytearray(50_000_000)
for text in (before, Path("/proc/self/status").read_text()):
    print(next(line.split()[1] for line in text.splitlines() if line.startswith("VmLck")))
"""
UNPRIVILEGED = f"os.setuid({NOBODY}); import resource; resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))\n"
PRIVATE = """
import ctypes
from runtime.priority import open_group
from runtime.secrecy import keep_private
os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as after the start of a program: to change the user has made it private
group = open_group()
keep_private(holds_keys=True)
"""
TAKE = "take_priority(int(os.environ['WANTED']), log{}); print(os.getpriority(os.PRIO_PROCESS, 0))\n"
grouped = pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not group by session")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give its rights away")


def told(code: str, **variables: str) -> list[str]:
    """Return the words that `code` prints in a process of its own; its log is among them."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + code], cwd=REPOSITORY, env={**os.environ, **variables},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_process_takes_the_niceness_that_it_is_told() -> None:
    wanted = os.getpriority(os.PRIO_PROCESS, 0) + 1
    code = "take_priority(int(os.environ['WANTED']), log); print(os.getpriority(os.PRIO_PROCESS, 0))"
    assert told(code, WANTED=str(wanted)) == [str(wanted)]


@grouped
def test_the_session_of_a_process_is_as_nice_as_the_process() -> None:
    wanted = os.getpriority(os.PRIO_PROCESS, 0) + 2
    code = "take_priority(int(os.environ['WANTED']), log); print(Path('/proc/self/autogroup').read_text())"
    assert told(code, WANTED=str(wanted))[-2:] == ["nice", str(wanted)]
    inherited = "os.nice(2); " + code
    assert told(inherited, WANTED=str(wanted))[-2:] == ["nice", str(wanted)]


@grouped
def test_a_process_is_given_its_niceness_before_it_has_run_far() -> None:
    wanted = os.getpriority(os.PRIO_PROCESS, 0) + 2
    process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        give_priority(process.pid, wanted)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == wanted
        assert Path(f"/proc/{process.pid}/autogroup").read_text().split()[-1] == str(wanted)
    finally:
        process.kill()
        process.wait()


@grouped
@as_root
def test_the_session_of_a_process_that_cannot_be_looked_into_is_as_nice_as_the_process() -> None:
    wanted = str(os.getpriority(os.PRIO_PROCESS, 0) + 2)
    code = "fd = os.open('/proc/self/autogroup', os.O_RDONLY)" + PRIVATE + TAKE.format(", group")
    words = told(code + "print(os.pread(fd, 99, 0).decode())", WANTED=wanted)
    assert "warning" not in words
    assert [words[0], *words[-2:]] == [wanted, "nice", wanted]


@grouped
def test_a_session_whose_niceness_cannot_be_set_is_told_and_the_process_takes_its_own() -> None:
    wanted = str(os.getpriority(os.PRIO_PROCESS, 0) + 2)
    code = "import runtime.priority; runtime.priority._GROUP_FILE = '/proc'\n" + TAKE.format("")
    words = told(code, WANTED=wanted)
    assert "session" in words
    assert "CAP_SYS_NICE," not in words
    assert words[-1] == wanted


@grouped
def test_a_session_that_is_as_nice_as_it_should_be_is_left_alone() -> None:
    # Given a file that says the niceness and does not take one
    wanted = str(os.getpriority(os.PRIO_PROCESS, 0) + 2)
    code = f"os.nice(2); Path('/proc/self/autogroup').write_text('{wanted}')\n" + (
        "class Closed(__import__('io').FileIO):\n    def write(self, text): raise OSError('written')\n"
        "group = Closed('/proc/self/autogroup', 'r+')\n"
    )
    # I expect no attempt to write it
    assert told(code + TAKE.format(", group"), WANTED=wanted) == [wanted]


@grouped
def test_a_process_that_gives_way_has_its_session_give_way() -> None:
    code = "from runtime.priority import give_way; give_way(); print(os.getpriority(os.PRIO_PROCESS, 0))\n"
    words = told(code + "print(Path('/proc/self/autogroup').read_text())")
    assert [words[0], *words[-2:]] == ["19", "nice", "19"]


@as_root
def test_a_niceness_that_is_refused_is_told_and_nothing_else_happens() -> None:
    words = told(UNPRIVILEGED + "take_priority(-7, log); print(os.getpriority(os.PRIO_PROCESS, 0))")
    assert "CAP_SYS_NICE," in words
    assert words[-1] == str(os.getpriority(os.PRIO_PROCESS, 0))


@pytest.mark.skipif(not may_be_realtime(3), reason="the system allows no real-time priority here")
def test_real_time_is_the_threads_own_and_not_that_of_threads_it_makes() -> None:
    assert told(REALTIME) == [str(os.SCHED_FIFO | os.SCHED_RESET_ON_FORK), str(os.SCHED_OTHER)]


@as_root
def test_real_time_that_is_refused_is_told_and_nothing_else_happens() -> None:
    words = told(UNPRIVILEGED + REALTIME)
    assert "runtime.realtime_priority" in words
    assert words[-2:] == [str(os.SCHED_OTHER)] * 2


@pytest.mark.skipif(not may_lock_memory(), reason="the system allows no memory to be locked here")
def test_locked_memory_is_what_is_touched_before_and_after() -> None:
    before_kb, after_kb = map(int, told(LOCK))
    assert before_kb > 1_000
    assert after_kb - before_kb > 45_000


@as_root
def test_memory_is_not_locked_under_a_limit_that_would_be_met_later() -> None:
    words = told(UNPRIVILEGED + LOCK)
    assert "runtime.lock_memory" in words
    assert words[-2:] == ["0", "0"]
