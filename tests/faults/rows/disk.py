"""A disk that refuses what one process, or all of them, write: only the journal takes quotes away, and all comes back.

`journal`, `logs` and `recorder` set the largest file that processes of the session may write (prlimit, as any user may
for processes of his own): from then on every write fails with EFBIG. `full` fills the file system of the whole session,
a small tmpfs of its own (ENOSPC); that needs a right to mount, and is left out without.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from actors.execution.journal_format import Mended, read
from messages.commands import Resume, Status
from runtime.paths import JOURNAL_FILE
from tests.faults.checks import AGAIN_TIMEOUT_S, NS_PER_MS, FillCheck, check_end, check_orders
from tests.faults.rounds import play_on_stages
from tests.faults.row import Play, Row
from tests.faults.stage import CONFIG, RuleBrokenError, Stage

KINDS = ("journal", "logs", "recorder", "full")
LOGGERS = ("strategy", "risk")
REFUSES_S = 2.0
PULLED_MS_MAX = 1000.0
AGAIN_MS_MAX = 3000.0
UNQUOTED_MS = 500.0
RECORDED_TIMEOUT_S = 20.0
TMPFS_MB = 192
CONFIGURED = CONFIG.replace("[recorder]\n", "[recorder]\nfree_mb_min = 16\n")
FREE_LEFT_BYTES = 4096
CHUNK = b"\0" * (1 << 20)
RECORDER_FILE_BYTES_MAX = 48 << 10  # more than its log, less than what it records
COMMAND_TIMEOUT_S = 10.0


class DiskRounds:
    """Plays the kinds in turn."""

    def __init__(self, play: Play, stage: Stage) -> None:
        self._play = play
        self._stage = stage
        self._findings = play.findings
        self._fills = FillCheck(stage, play.findings)
        self._kinds = KINDS if is_mounted(stage.session.home.parent) else KINDS[:-1]
        if len(self._kinds) < len(KINDS):
            play.findings.count("rounds without a full file system: mounting is not allowed here")

    def begin(self) -> None:
        """Nothing is compared later."""

    def round(self, number: int) -> None:
        """Play one round.

        Raises:
            RuleBrokenError: quotes do not come back.
        """
        stage = self._stage
        kind = self._kinds[(number - 1) % len(self._kinds)]
        stage.follow(self._play.rng(number).uniform(0.2, 1))
        pids = {name: actor["pid"] for name, actor in stage.actors().items()}
        self._play.say(f"round {number}: {kind}")
        self._findings.count(kind)
        began_ns = time.monotonic_ns()
        {"journal": self._journal, "logs": self._logs, "recorder": self._recorder, "full": self._full}[kind](
            number, pids
        )
        now = {name: actor["pid"] for name, actor in stage.actors().items()}
        if now != pids:
            self._findings.break_rule(number, f"a process died of {kind}: {pids} before, {now} after")
        check_orders(stage, self._findings, number, began_ns)
        self._fills.check(number)

    def end(self) -> None:
        """No file is corrupt; the session's own accounts are those of the exchange."""
        run = self._stage.session.run.resolve()
        check_end(self._play, self._stage)
        for text in corrupt_files(run):
            self._findings.break_rule(0, text)
        mended = sum(isinstance(entry, Mended) for entry in read((run / JOURNAL_FILE).read_bytes()).entries)
        self._findings.count("times the journal was mended", mended)

    # ---- inside ------------------------------------------------------------------------------------

    def _journal(self, number: int, pids: dict[str, int]) -> None:
        """Let execution's files grow no more."""
        with refused([pids["execution"]], (self._stage.session.run / JOURNAL_FILE).stat().st_size):
            self._pulled_by_the_journal(number, "journal")
        self._measure_again(number, "journal", time.monotonic_ns())

    def _logs(self, number: int, pids: dict[str, int]) -> None:
        """Let two of them write nothing, and make them log."""
        stage = self._stage
        began_ns = time.monotonic_ns()
        with refused([pids[name] for name in LOGGERS], 0):
            for name in LOGGERS:
                stage.session.send(Resume(), COMMAND_TIMEOUT_S, process=name)  # of nothing: but it is logged
            stage.follow(REFUSES_S)
        for name in LOGGERS:
            stage.session.send(Resume(), COMMAND_TIMEOUT_S, process=name)
        self._unquoted("logs", number, began_ns)
        for name in LOGGERS:
            if "lines of this log were lost" not in (stage.session.run / "logs" / f"{name}.log").read_text():
                self._findings.break_rule(number, f"{name} does not say that lines of its log were lost")

    def _recorder(self, number: int, pids: dict[str, int]) -> None:
        """Let the recorder's files grow no more."""
        stage = self._stage
        log = stage.session.run / "logs" / "recorder.log"
        told = log.read_text().count("recorded again")
        began_ns = time.monotonic_ns()
        with refused([pids["recorder"]], RECORDER_FILE_BYTES_MAX):
            said = log.read_text().count("nothing is recorded")
            stage.wait(
                lambda: log.read_text().count("nothing is recorded") > said,
                RECORDED_TIMEOUT_S, "the recorder says that nothing is recorded",
            )  # fmt: skip
            stage.follow(REFUSES_S)
        over_ns = time.monotonic_ns()
        stage.wait(
            lambda: log.read_text().count("recorded again") > told, RECORDED_TIMEOUT_S, "the recorder records again"
        )
        self._findings.measure("recorded again", (time.monotonic_ns() - over_ns) / NS_PER_MS, "ms", number)
        self._unquoted("recorder", number, began_ns)

    def _unquoted(self, what: str, number: int, began_ns: int) -> None:
        """Measure for how long no quote stood: only a fill of both sides, or a busy machine, may take them away."""
        unquoted_ms = self._stage.log.empty_ns_max(began_ns, time.monotonic_ns()) / NS_PER_MS
        self._findings.measure(f"no quote: {what}", unquoted_ms, "ms", number, UNQUOTED_MS)

    def _full(self, number: int, _pids: dict[str, int]) -> None:
        """Fill the file system that holds everything of the session."""
        filler = self._stage.session.home.parent / "filler"
        with filled(filler):
            self._pulled_by_the_journal(number, "full")
        self._measure_again(number, "full", time.monotonic_ns())

    def _pulled_by_the_journal(self, number: int, kind: str) -> None:
        """Measure how soon quotes are pulled; the status must say why, and they must stay away."""
        stage = self._stage
        began_ns = time.monotonic_ns()
        pulled_ns = stage.wait_for_empty(began_ns, AGAIN_TIMEOUT_S)
        self._findings.measure(f"pulled: {kind}", (pulled_ns - began_ns) / NS_PER_MS, "ms", number, PULLED_MS_MAX)
        stage.follow(REFUSES_S)
        if stage.log.open:
            raise RuleBrokenError(f"{len(stage.log.open)} orders are open while the journal cannot be written")
        said = stage.session.send(Status(), COMMAND_TIMEOUT_S, process="execution").text
        if "the journal fails" not in said:
            self._findings.break_rule(number, f"the status does not say why nothing is quoted: {said}")

    def _measure_again(self, number: int, kind: str, over_ns: int) -> None:
        again_ns = self._stage.wait_for_both_sides(over_ns, AGAIN_TIMEOUT_S)
        self._findings.measure(f"again: {kind}", (again_ns - over_ns) / NS_PER_MS, "ms", number, AGAIN_MS_MAX)


@contextlib.contextmanager
def refused(pids: Sequence[int], file_bytes_max: int) -> Iterator[None]:
    """Have every write of the processes that would make a file larger than this fail."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (file_bytes_max, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def filled(filler: Path) -> Iterator[None]:
    """Leave no room in the file system of `filler`, also when others free some."""
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for chunk in (CHUNK, CHUNK[:FREE_LEFT_BYTES], CHUNK[:64]):
            with contextlib.suppress(OSError):
                while True:
                    os.write(descriptor, chunk)
        yield
    finally:
        os.close(descriptor)
        filler.unlink()


def corrupt_files(run: Path) -> list[str]:
    """Return what cannot be read of the files that a run has left."""
    found = []
    content = (run / JOURNAL_FILE).read_bytes()
    if (end := read(content).end) < len(content):
        found.append(f"{JOURNAL_FILE} is damaged from byte {end} on, of {len(content)}")
    for path in sorted([*run.glob("logs/*.log*"), *run.glob("*.jsonl"), *run.glob("commands/*.jsonl")]):
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                json.loads(line)
            except ValueError:
                found.append(f"{path.name}, line {number}, is no JSON: {line[:80]!r}")
                break
    for path in run.rglob("*.sqlite"):
        with contextlib.closing(sqlite3.connect(path)) as database:
            (verdict,) = database.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            found.append(f"{path.name}: {verdict}")
    found += _unreadable_tables(run)
    return found


def _unreadable_tables(run: Path) -> list[str]:
    import pyarrow.parquet

    found = []
    for path in run.rglob("*.parquet"):
        try:
            pyarrow.parquet.read_metadata(path)
        except Exception as error:
            found.append(f"{path.name}: {error}")
    return found


def is_mounted(folder: Path) -> bool:
    return os.path.ismount(folder)


@contextlib.contextmanager
def small_file_system(folder: Path) -> Iterator[bool]:
    """Put a small file system at `folder` while it lasts; False when that is not allowed here."""
    folder.mkdir()
    mount = shutil.which("mount") or "mount"
    command = [mount, "-t", "tmpfs", "-o", f"size={TMPFS_MB}m,mode=0700", "ringmaker-faults", str(folder)]
    is_there = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield is_there
    finally:
        if is_there:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


def play(play: Play) -> None:
    """Play all rounds."""
    with contextlib.ExitStack() as stack:

        def stage_in(play: Play, folder: Path) -> Stage:
            session_folder = folder / "d"
            stack.enter_context(small_file_system(session_folder))
            return Stage(folder, seed=play.seed, config=CONFIGURED, session_folder=session_folder)

        play_on_stages(play, DiskRounds, stage_in)


ROW = Row("disk", "a disk that refuses journal, logs, recorder, or everything, in turn", 4, 8, 40, play)
