"""Finishes hours in a process of its own: merging one takes a hundred megabytes and more for some seconds.

They go back to the system with that process. In the recorder's own they would stay with its allocators, and it would
grow by them for good.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from actors.recorder import finishing
from actors.recorder.damaged import Damaged
from actors.recorder.footprint import do_without_pandas
from runtime.parent import die_with
from runtime.priority import NICE_MAX, give_priority, give_way

LOOK_S = 0.2


class Task(msgspec.Struct, frozen=True):
    """What is to be finished in the folder of a kind.

    Attributes:
        hour: this one alone; empty = all hours but `but_hour`.
        lives_before: parts of this life of the recorder and later ones are left alone.
        parent_pid: who asks; with it the work ends, for a successor begins it again.
    """

    folder: str
    hour: str
    but_hour: str
    lives_before: int
    parent_pid: int


class Done(msgspec.Struct, frozen=True):
    """What came of it, as it is printed."""

    files: int
    damaged: list[Damaged]


def finish_apart(
    folder: Path,
    *,
    hour: str = "",
    but_hour: str = "",
    lives_before: int = finishing.LIVES_MAX,
    is_awaited: Callable[[], bool] = lambda: False,
    is_given_up: Callable[[], bool] = lambda: False,
    on_damage: Callable[[Damaged], None] = lambda _part: None,
) -> int:
    """Do what `finishing.finish`, without `hour` what `finishing.finish_all` does; return how many files that gave.

    The thread that calls must live until it returns. Its cores are those of the work, too, which gives way to all.

    Args:
        is_awaited: whether somebody waits for it now: then it gives way no more.
        is_given_up: whether nobody wants it any more: it is killed, and the parts wait for who tries next.
        on_damage: told of each part that could not be read in whole.

    Raises:
        OSError: it could not be done, and why.
    """
    task = Task(str(folder), hour, but_hour, lives_before, os.getpid())
    with subprocess.Popen(
        [sys.executable, "-m", "actors.recorder.finishing_apart", msgspec.json.encode(task).decode()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # in the recorder's its niceness may count among the two alone
    ) as process:
        give_priority(process.pid, NICE_MAX)  # for its imports; it makes sure itself
        printed, said = _communicate(process, is_awaited, is_given_up)
    done = msgspec.json.decode(printed, type=Done) if printed else Done(0, [])  # also of hours beside one that failed
    for one in done.damaged:
        on_damage(one)
    if process.returncode:
        lines = said.strip().splitlines() or [f"ended with {process.returncode}"]
        raise OSError(f"{folder}: {lines[-1]}")
    return done.files


def _communicate(
    process: subprocess.Popen[str], is_awaited: Callable[[], bool], is_given_up: Callable[[], bool]
) -> tuple[str, str]:
    while True:
        try:
            return process.communicate(timeout=LOOK_S)
        except subprocess.TimeoutExpired:
            if is_given_up():
                process.kill()
            elif is_awaited():
                give_priority(process.pid, 0)


def main() -> None:
    """Do the task that is the argument, and print what came of it."""
    task = msgspec.json.decode(sys.argv[1], type=Task)
    die_with(task.parent_pid, signal.SIGKILL)
    give_way()
    do_without_pandas()
    folder, lives_before = Path(task.folder), task.lives_before
    damaged: list[Damaged] = []
    files = 0
    try:
        if task.hour:
            path = finishing.finish(folder, task.hour, lives_before=lives_before, on_damage=damaged.append)
            files = int(path is not None)
        else:
            files = finishing.finish_all(
                folder, but_hour=task.but_hour, lives_before=lives_before, on_damage=damaged.append
            )
    finally:
        print(msgspec.json.encode(Done(files, damaged)).decode())


if __name__ == "__main__":
    main()
