"""A disk that breaks for good under a session: every access fails with EIO, or the file system turns read-only (EROFS).

The session's files lie on an ext4 of their own, in a file. It is shut down (the ioctl EXT4_IOC_SHUTDOWN, as a device
that is gone) or told of an error (`trigger_fs_error`, on which a file system mounted with errors=remount-ro stops
writing). Both are real, neither can be undone: each round is a session that must pull its quotes, say why, live on
with every process, and end in order. That needs a right to mount; without it nothing is played, and that is said.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from domain.errors import ExitCode
from messages.commands import Status
from runtime.paths import JOURNAL_FILE
from tests.faults.checks import AGAIN_TIMEOUT_S, NS_PER_MS, FillCheck
from tests.faults.row import Play, Row
from tests.faults.rows.disk import CONFIGURED
from tests.faults.stage import END_TIMEOUT_S, RuleBrokenError, Stage
from tests.faults.told import journal_fills

KINDS = ("EIO", "read-only")
DISK_MB = 192
PULLED_MS_MAX = 1000.0
REFUSES_S = 2.0
BEGUN_S, CALM_S_MAX = 3.0, 1.0  # everybody, the recorder last, has files open by then
COMMAND_TIMEOUT_S = 10.0
EXT4_IOC_SHUTDOWN = 0x8004587D
AS_IT_IS = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH: what is not on the disk yet is lost
SYSTEM_FOLDER = Path("/sys/fs/ext4")


def play(play: Play) -> None:
    """Play all rounds, each on a session and a disk of its own."""
    for number in play.rounds:
        kind = KINDS[(number - 1) % len(KINDS)]
        folder = play.folder / f"dead{number}"
        folder.mkdir()
        with disk_in_a_file(folder) as disk:
            if disk is None:
                play.findings.count("rounds not played: mounting is not allowed here")
                continue
            play.say(f"round {number}: {kind}")
            play.findings.count(kind)
            try:
                _round(play, folder, disk, kind, number)
            except RuleBrokenError as broken:
                play.findings.break_rule(number, str(broken))
                play.keep_folder(disk, number)


def _round(play: Play, folder: Path, disk: Path, kind: str, number: int) -> None:
    """Break the disk under a session that quotes, see it stop quoting, and end."""
    findings = play.findings
    sockets = folder / "sockets"  # not on the disk that dies, as /run is not
    sockets.mkdir()
    (disk / "r").symlink_to(sockets)
    with Stage(folder, seed=play.seed, config=CONFIGURED, session_folder=disk) as stage:
        stage.follow(BEGUN_S + play.rng(number).uniform(0, CALM_S_MAX))
        fills = FillCheck(stage, findings)
        journal = (stage.session.run / JOURNAL_FILE).resolve()
        pids = {name: actor["pid"] for name, actor in stage.actors().items()}
        began_ns = time.monotonic_ns()
        {"EIO": shut_down, "read-only": make_read_only}[kind](disk)
        pulled_ns = stage.wait_for_empty(began_ns, AGAIN_TIMEOUT_S)
        findings.measure(f"pulled: {kind}", (pulled_ns - began_ns) / NS_PER_MS, "ms", number, PULLED_MS_MAX)
        stage.follow(REFUSES_S)
        if stage.log.open:
            findings.break_rule(number, f"{len(stage.log.open)} orders are open while the journal cannot be written")
        said = stage.session.send(Status(), COMMAND_TIMEOUT_S, process="execution").text
        if "the journal fails" not in said:
            findings.break_rule(number, f"the status does not say why nothing is quoted: {said}")
        if (now := {name: actor["pid"] for name, actor in stage.actors().items()}) != pids:
            findings.break_rule(number, f"a process died of the disk: {pids} before, {now} after")
        fills.check(number)
        ended_ns = time.monotonic_ns()
        stage.session.signal(signal.SIGINT)
        exit_code = stage.session.wait(END_TIMEOUT_S)
        findings.measure("ends", (time.monotonic_ns() - ended_ns) / NS_PER_MS, "ms", number)
        if exit_code != ExitCode.CRASH:  # the summary cannot be written: that is not clean
            findings.break_rule(number, f"the session ended with {exit_code}, expected {ExitCode.CRASH:d}")
        stage.poll()
        for text in _left(stage):
            findings.break_rule(number, text)
        repair(disk)
        told, log = journal_fills(journal), stage.log
        if invented := [key for key in told if key not in log.fills]:
            findings.break_rule(number, f"the journal tells {len(invented)} fills that never were, e.g. {invented[0]}")


def _left(stage: Stage) -> list[str]:
    """Return what is still there after the end and must not be; sockets are on the disk that is broken."""
    found = []
    if stage.log.open:
        found.append(f"{len(stage.log.open)} orders are open after the end")
    if segments := stage.session.segments():
        found.append(f"{len(segments)} segments stay, e.g. {segments[0]}")
    if processes := stage.session.processes():
        found.append(f"processes stay: {processes}")
    return found


@contextlib.contextmanager
def disk_in_a_file(folder: Path) -> Iterator[Path | None]:
    """Mount an ext4 that lies in a file of `folder`; None when that is not allowed or cannot be done here."""
    disk, image = folder / "d", folder / "image"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(DISK_MB << 20)
    is_there = _run("mkfs.ext4", "-q", "-F", str(image)) and _mount(disk)
    try:
        yield disk if is_there else None
    finally:
        if is_there:
            _run("umount", "-l", str(disk))


def shut_down(disk: Path) -> None:
    """Have every access to the file system fail with EIO from now on."""
    descriptor = os.open(disk, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", AS_IT_IS))
    finally:
        os.close(descriptor)


def make_read_only(disk: Path) -> None:
    """Have the file system find an error, so that every write fails with EROFS from now on."""
    device = os.stat(disk).st_dev
    name = Path(os.path.realpath(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")).name
    (SYSTEM_FOLDER / name / "trigger_fs_error").write_text("1")


def repair(disk: Path) -> None:
    """Mount it again, as after a reboot: what had not reached the disk is lost."""
    if not (_run("umount", str(disk)) and _mount(disk)):
        raise RuleBrokenError("the disk is still in use after the end, or cannot be mounted again")


def _mount(disk: Path) -> bool:
    return _run("mount", "-o", "loop,errors=remount-ro", str(disk.parent / "image"), str(disk))


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:  # there is no such command
        return False


ROW = Row("dead disk", "a disk that breaks for good: EIO, then read-only", 1, 2, 6, play)
