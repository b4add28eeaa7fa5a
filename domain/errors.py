"""Errors, split by what to do next.

`UserError` and its kin end a process with one clear line and a documented exit code; `ConnectivityError`
is retried; `VenueError` is an answer of the venue to one request. A broken invariant is an assertion.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """Exit codes of supervisor.py, cli.py and every actor."""

    CLEAN = 0
    CRASH = 1
    USAGE = 2  # usage or configuration: starting again cannot help
    CREDENTIALS = 3  # missing or refused keys: starting again cannot help
    RISK_HALT = 4
    GAVE_UP = 5  # a process died too often
    VENUE_UNREACHABLE = 6


class RingmakerError(Exception):
    """Base of all errors that this project raises on purpose."""


class UserError(RingmakerError):
    """Something that the user can mend. The text says what, where, what was expected, what to do."""

    exit_code: ExitCode = ExitCode.USAGE


class ConfigError(UserError):
    """A configuration that cannot be used."""


class CredentialsError(UserError):
    """Keys that are missing, unreadable or refused by the venue. `advice` says how to get and place them."""

    exit_code = ExitCode.CREDENTIALS

    def __init__(self, text: str, advice: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.advice = advice


class VenueUnreachableError(UserError):
    """The venue did not answer within the configured number of tries."""

    exit_code = ExitCode.VENUE_UNREACHABLE


class ConnectivityError(RingmakerError):
    """A connection broke or timed out; the caller reconnects with backoff."""


class VenueError(RingmakerError):
    """The venue answered a request with an error.

    Attributes:
        code: the venue's own error number.
        method: the request that was refused.
    """

    def __init__(self, code: int, message: str, method: str = "") -> None:
        super().__init__(f"{method or 'request'} refused: code {code}: {message}")
        self.code = code
        self.message = message
        self.method = method


class Refusal(StrEnum):
    """What is wrong with a frame that we refuse to read; each kind is counted apart."""

    JSON = "json"  # no JSON in UTF-8
    DEPTH = "depth"  # nested deeper than we follow
    TYPE = "type"  # JSON, but a field is missing, of another type, or a number outside of float64
    VALUE = "value"  # typed well, but without meaning
    ENVELOPE = "envelope"  # neither a response nor a notification


class ProtocolError(RingmakerError):
    """A frame that does not have the documented form. `refusal` says in which way."""

    def __init__(self, text: str, refusal: Refusal = Refusal.VALUE) -> None:
        super().__init__(text)
        self.refusal = refusal


class OffGridError(ProtocolError, ValueError):
    """A price or a size that is no whole number of the instrument's steps, where nothing may be rounded."""


class HistoryTooLongError(ProtocolError):
    """A trade history that does not end within as many pages as we read."""
