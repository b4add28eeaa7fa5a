"""Shared memory that strangers can trust: rings, tables, doorbells, and `attach` for outside readers."""

from shm.attach import Session, attach, list_sessions
from shm.errors import (
    LayoutMismatchError,
    RecordBusyError,
    SegmentError,
    SessionClosedError,
    SessionNotFoundError,
)

__all__ = [
    "LayoutMismatchError",
    "RecordBusyError",
    "SegmentError",
    "Session",
    "SessionClosedError",
    "SessionNotFoundError",
    "attach",
    "list_sessions",
]
