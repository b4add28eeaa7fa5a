"""Tells the operator of risk's alarms, which stop nothing and stand in risk_decisions.jsonl."""

from __future__ import annotations

from pathlib import Path

import msgspec

from domain.clock import NS_PER_S
from runtime.continued import read_on

DECISIONS_FILE = "risk_decisions.jsonl"  # of a run (actors/risk/decisions.py)
LOOK_INTERVAL_NS = 1 * NS_PER_S
BYTES_AT_ONCE = 1 << 20
LINES_MAX = 5  # at one look; what a file of more has to tell is said by their number


class _Decision(msgspec.Struct):
    """The part of a line that an alarm has."""

    decision: str
    text: str
    alarm: str = ""
    instrument: str = ""


class AlarmWatch:
    """Reads on in the file, each line once; risk writes a line whole."""

    def __init__(self, path: Path) -> None:
        """Take the file, which need not be there yet."""
        self._path = path
        self._place = 0
        self._due_ns = 0

    def look(self, now_ns: int) -> list[str]:
        """Return the alarms since the last look, a line each; risk itself keeps each from coming too often."""
        if now_ns < self._due_ns:
            return []
        self._due_ns = now_ns + LOOK_INTERVAL_NS
        found = [_words(line) for line in self._new_lines()]
        told = [words for words in found if words]
        return told if len(told) <= LINES_MAX else [*told[:LINES_MAX], f"{len(told) - LINES_MAX} more: {self._path}"]

    def _new_lines(self) -> list[bytes]:
        try:
            place, content = read_on(self._path, self._place, BYTES_AT_ONCE)
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._place = place + len(whole)
        return whole.splitlines()


def _words(line: bytes) -> str:
    """Return an alarm in words; empty for another decision."""
    try:
        told = msgspec.json.decode(line, type=_Decision)
    except msgspec.DecodeError:
        return ""
    return f"alarm: {told.instrument} {told.alarm.replace('_', ' ')}: {told.text}" if told.decision == "alarm" else ""
