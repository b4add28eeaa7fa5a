"""What the processes of a session logged and said on standard error, where somebody should look."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

SAID_CHARS = 400


def errors(run: Path) -> list[dict[str, Any]]:
    """Return the lines of all logs of a run with level error or critical."""
    return [line for line in _lines(run) if line["level"] in ("error", "critical")]


def warnings(run: Path) -> Counter[str]:
    """Return how often each process warned of what."""
    return Counter(f"{line['process']}: {line['event']}" for line in _lines(run) if line["level"] == "warning")


def bugs(run: Path) -> list[str]:
    """Return what no fault explains: tracebacks in logs, and whatever stands on standard error."""
    tracebacks = [f"{line['process']} logged a traceback: {line}" for line in _lines(run) if "exception" in line]
    said = {path.name: path.read_text(errors="replace").strip() for path in sorted((run / "logs").glob("*.stderr"))}
    return tracebacks + [f"{name} holds: {text[-SAID_CHARS:]}" for name, text in said.items() if text]


def _lines(run: Path) -> list[dict[str, Any]]:
    """Return all lines of all logs; what a killed process did not finish is none."""
    found = []
    for log in sorted((run / "logs").glob("*.log*")):
        for text in log.read_bytes().splitlines():
            try:
                found.append(json.loads(text))
            except ValueError:
                continue
    return found
