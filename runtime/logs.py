"""Logs: JSON lines in runs/<id>/logs/<process>.log, and repeated errors as one line with a count.

INFO is what an operator would note, WARNING was handled but deserves a look, ERROR means that something was
lost. Nothing is logged per tick: there it is counters and histograms in shared memory. A disk that takes no lines
ends nobody: they are lost and counted, and the first line that it takes again says how many. A log goes on in a new
file at 64 MB; the four before it are kept, as <process>.log.1 to .4.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from runtime.line_file import LineFile

Logger = structlog.stdlib.BoundLogger
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_STDERR = 2
FILE_BYTES_MAX = 64 << 20
FILES_KEPT = 4  # before the present one


class _Stream(Protocol):
    def write(self, text: str) -> Any: ...

    def flush(self) -> Any: ...


class LogFile:
    """The stream of one process's log.

    Attributes:
        lines: the file behind it, and what it lost.
    """

    def __init__(self, process: str, path: Path) -> None:
        self._process = process
        self.lines = LineFile(path, self._notice, bytes_max=FILE_BYTES_MAX, kept=FILES_KEPT)

    def write(self, text: str) -> None:
        self.lines.append(text.encode())

    def flush(self) -> None:
        """Every line is written at once."""

    def _notice(self, lost: int, reason: str) -> bytes:
        said = {
            "process": self._process,
            "count": lost,
            "reason": reason,
            "event": "lines of this log were lost",
            "level": "error",
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
        return msgspec.json.encode(said) + b"\n"


_log_file: LogFile | None = None  # a process has one log


def open_log(process: str, path: Path | None, level: str = "info") -> Logger:
    """Return a logger that writes JSON lines to `path`, or to standard error when there is none."""
    global _log_file
    _log_file = LogFile(process, path) if path else None
    stream: _Stream = _log_file or sys.stderr
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _stringify,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    logger: Logger = structlog.get_logger(process=process)
    return logger


def log_lines_lost() -> int:
    """Return how many lines of this process's log the disk did not take."""
    return _log_file.lines.lost if _log_file is not None else 0


def say_to_stderr(text: str) -> None:
    """Print a line to standard error, where there still is one: it may be a file on a full disk."""
    with contextlib.suppress(OSError):
        os.write(_STDERR, f"{text}\n".encode(errors="replace"))


def _stringify(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {
        key: value if isinstance(value, int | float | str | bool | None) else str(value) for key, value in event.items()
    }
