"""Failures that end the exchange with one clear line and exit code 2."""

from __future__ import annotations

EXIT_USAGE = 2


class StartError(Exception):
    """Raised when something that the user gave can't be used: what, where, expected, what to do."""


class RecordingError(StartError):
    """Raised when a recording is broken: names the file and the line."""
