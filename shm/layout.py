"""Where the bytes lie in a segment, and the one way in which cursors are stored.

    byte 0      64          128         192                 256
    +-----------+-----------+-----------+-------------------+----------------------------------+
    | identity  | head      | liveness  | record, writer    | slot 0 | slot 1 | ... capacity-1 |
    +-----------+-----------+-----------+-------------------+----------------------------------+

    identity  0 magic · 8 layout version · 16 layout hash · 24 kind · 32 slot bytes · 40 capacity
    head      64  ring: position after the newest published record; alone on its line
    liveness  128 writer epoch · 136 created (Unix ns) · 144 closed (1 = the session has ended)
    text      192 record name (32 bytes) · 224 writer (32 bytes)

A slot is one record (domain/records.py); its word 0 is the sequence. In a ring the sequence of position p
is p + 1, and 0 while it is being written. In a table it is odd while a row is written and grows by 2.

Every sequence, head and flag is stored as one aligned 8-byte item through `memoryview.cast("q")`. Never
with `struct.pack_into`, which zeroes the bytes first so that another process sees the zero. The protocol
relies on stores becoming visible in program order and on loads not passing loads: x86-64. On any other
machine `require_total_store_order` refuses (docs/decisions/0002).
"""

from __future__ import annotations

import os
import platform
from typing import Final

from domain.records import RecordType
from shm.errors import UnsupportedMachineError

MAGIC: Final = int.from_bytes(b"RINGMKR\x01", "little")
HEADER_BYTES: Final = 256

WORD_MAGIC: Final = 0
WORD_LAYOUT_VERSION: Final = 1
WORD_LAYOUT_HASH: Final = 2
WORD_KIND: Final = 3
WORD_SLOT_BYTES: Final = 4
WORD_CAPACITY: Final = 5
WORD_HEAD: Final = 8
WORD_EPOCH: Final = 16
WORD_CREATED: Final = 17
WORD_CLOSED: Final = 18
RECORD_NAME_OFFSET: Final = 192
WRITER_NAME_OFFSET: Final = 224
NAME_BYTES: Final = 32

SHM_FOLDER: Final = "/dev/shm"
_TSO_MACHINES: Final = frozenset({"x86_64", "AMD64"})


def require_total_store_order() -> None:
    """Refuse to run where the rings are not proven.

    Raises:
        UnsupportedMachineError: on machines other than x86-64. `RINGMAKER_MACHINE` replaces the detected
            name, so that the refusal can be tested.
    """
    machine = os.environ.get("RINGMAKER_MACHINE") or platform.machine()
    if machine not in _TSO_MACHINES:
        raise UnsupportedMachineError(
            f"shared-memory rings need a machine that keeps stores in order (x86-64); this one is {machine}"
        )


def segment_bytes(record: RecordType, capacity: int) -> int:
    """Return the whole size of a segment for `capacity` records."""
    return HEADER_BYTES + record.size_bytes * capacity


def segment_file_name(session: str, segment: str, uid: int | None = None) -> str:
    """Return the name under /dev/shm: `ringmaker.<uid>.<session>.<segment>`."""
    return f"ringmaker.{os.getuid() if uid is None else uid}.{session}.{segment}"


def session_of(file_name: str) -> str:
    """Return whose segment it is, by its name under /dev/shm; a name that is none of ours as it is."""
    parts = file_name.split(".")
    return parts[2] if len(parts) > 3 and parts[0] == "ringmaker" else file_name
