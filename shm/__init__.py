"""Shared memory that strangers can trust: rings, tables, doorbells, and `attach` for outside readers.

Readers need `attach` and what it gives; writers are the project's own actors. docs/shm-layout.md has the bytes.
"""

from domain.errors import RingmakerError as Error  # the base of all below: no such session, it ended, another version
from shm.attach import Session, attach, list_sessions
from shm.errors import (
    LayoutMismatchError,
    RecordBusyError,
    SegmentError,
    SessionClosedError,
    SessionNotFoundError,
    SessionOwnedError,
    UnsupportedMachineError,
)
from shm.record import TableReader
from shm.ring import RingReader
from shm.view import Record

SessionClosed = SessionClosedError

__all__ = [
    "Error",
    "LayoutMismatchError",
    "Record",
    "RecordBusyError",
    "RingReader",
    "SegmentError",
    "Session",
    "SessionClosed",
    "SessionClosedError",
    "SessionNotFoundError",
    "SessionOwnedError",
    "TableReader",
    "UnsupportedMachineError",
    "attach",
    "list_sessions",
]
