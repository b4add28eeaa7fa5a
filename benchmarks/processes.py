"""Starting and ending the processes of a benchmark, each by its own pid, and talking with the probe venue."""

from __future__ import annotations

import ctypes
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.probe_ticks import Result

REPOSITORY = Path(__file__).resolve().parent.parent
STOP_TIMEOUT_S = 20.0
LISTEN_TIMEOUT_S = 10.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


Outcome = TypeVar("Outcome")


class BenchmarkError(Exception):
    """A figure could not be measured; the text says why."""


@contextmanager
def running(
    arguments: list[str], log: Path, environ: Mapping[str, str], *, is_heard: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python ARGUMENTS` from the repository; SIGTERM at the end, SIGKILL if that is ignored.

    Args:
        log: takes what it writes to standard error, and to standard output unless the caller hears that.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if is_heard else output,
            stderr=output,
            preexec_fn=_end_with_parent,
        )
    try:
        yield process
    finally:
        _end(process)


def _end_with_parent() -> None:
    """Have the kernel end this child when the benchmark itself is killed."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


class Probe:
    """A running probe venue."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        assert process.stdout is not None, "a probe is run with is_heard"
        self._output = process.stdout
        self._log = log
        self.url: str = self._line(LISTEN_TIMEOUT_S)["url"]

    def result(self, timeout_s: float, subject: subprocess.Popen[bytes], subject_log: Path) -> Result:
        """Wait for the figures of one-at-a-time ticks; raises as `outcome`."""
        return self.outcome(Result, timeout_s, subject, subject_log)

    def outcome(
        self, kind: type[Outcome], timeout_s: float, subject: subprocess.Popen[bytes], subject_log: Path
    ) -> Outcome:
        """Wait for the figures.

        Raises:
            BenchmarkError: the subject ended or did not quote.
        """
        deadline_s = time.monotonic() + timeout_s
        while not self._is_readable(0.2):
            if subject.poll() is not None:
                raise BenchmarkError(f"the subject ended with {subject.returncode}: {last_lines(subject_log)}")
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f"no figures within {timeout_s:g} s: {last_lines(self._log)}")
        line = self._line(1.0)
        if "error" in line:
            raise BenchmarkError(f"{line['error']}; its last words: {last_lines(subject_log)}")
        return msgspec.convert(line, kind)

    def _is_readable(self, timeout_s: float) -> bool:
        return bool(select.select([self._output], [], [], timeout_s)[0])

    def _line(self, timeout_s: float) -> dict[str, str]:
        text = self._output.readline() if self._is_readable(timeout_s) else b""
        if not text:
            raise BenchmarkError(f"the probe venue said nothing: {last_lines(self._log)}")
        return msgspec.json.decode(text, type=dict)


def last_lines(log: Path, count: int = 5) -> str:
    """Return the end of a log in one line."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return " / ".join(lines[-count:]) or "it wrote nothing"
