"""What can go wrong with shared memory, each in one clear line."""

from __future__ import annotations

from domain.errors import RingmakerError, UserError


class SegmentError(UserError):
    """A segment that cannot be created or attached."""


class SessionNotFoundError(SegmentError):
    """No session of that name; the text lists those that exist."""


class SegmentNotReadyError(SegmentError):
    """The segment is just being created; look again."""


class UnsupportedMachineError(SegmentError):
    """This machine may reorder stores, and the rings would then hand out torn records."""


class SessionOwnedError(SegmentError):
    """Another process owns the session of that name."""


class LayoutMismatchError(SegmentError):
    """The segment was made by another version of this project."""


class SessionClosedError(RingmakerError):
    """The session has ended, in order or because its owner died."""


class RecordBusyError(RingmakerError):
    """A row stayed half-written over all retries: its writer is dead or stopped inside the write."""
