"""One line of the doctor: what was looked at, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from domain.errors import ExitCode


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"  # a session runs, worse than it could
    FAIL = "fail"  # a session would end at once, or must not begin


class Finding(NamedTuple):
    """What one look found.

    Attributes:
        advice: what to do; empty where nothing is to be done.
        exit_code: of a FAIL, that with which a session would end.
    """

    level: Level
    subject: str
    text: str
    advice: str = ""
    exit_code: ExitCode = ExitCode.CLEAN

    def line(self) -> str:
        """Return it for people."""
        advice = f"; {self.advice}" if self.advice else ""
        return f"{self.level:<4}  {self.subject:<9}  {self.text}{advice}"


def ok(subject: str, text: str) -> Finding:
    return Finding(Level.OK, subject, text)


def warn(subject: str, text: str, advice: str) -> Finding:
    return Finding(Level.WARN, subject, text, advice)


def fail(subject: str, text: str, advice: str = "", exit_code: ExitCode = ExitCode.USAGE) -> Finding:
    return Finding(Level.FAIL, subject, text, advice, exit_code)


def exit_code_of(findings: Iterable[Finding]) -> ExitCode:
    """Return the code of the first failure: the one with which a session would end."""
    return next((found.exit_code for found in findings if found.level is Level.FAIL), ExitCode.CLEAN)
