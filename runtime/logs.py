"""Logs: JSON lines in runs/<id>/logs/<process>.log, and repeated errors as one line with a count.

INFO is what an operator would note, WARNING was handled but deserves a look, ERROR means that something was
lost. Nothing is logged per tick: there it is counters and histograms in shared memory.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import structlog

Logger = structlog.stdlib.BoundLogger
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def open_log(process: str, path: Path | None, level: str = "info") -> Logger:
    """Return a logger that writes JSON lines to `path`, or to standard error when there is none."""
    stream = path.open("a", buffering=1) if path else sys.stderr
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _stringify,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logger: Logger = structlog.get_logger(process=process)
    return logger


def _stringify(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {
        key: value if isinstance(value, int | float | str | bool | None) else str(value) for key, value in event.items()
    }
