"""Every record and the segment header as ctypes Structures, made from the schema.

`STRUCTURES["book"].from_buffer_copy(slot)`; for readers with ctypes alone, and for the C header (header.py).

The classes have the record's name in capitals, `SharedMarketData` for `shared_market_data`, and its exact layout.
"""

from __future__ import annotations

import ctypes
from typing import Any

from domain.records import RECORD_TYPES, TEXT_BYTES, Field, RecordType
from shm import layout

_SCALARS: dict[str, Any] = {"i8": ctypes.c_int64, "f8": ctypes.c_double, "text": ctypes.c_char * TEXT_BYTES}


def class_name(record: RecordType) -> str:
    """Return the name of a record's structure, `SharedMarketData`."""
    return "".join(part.capitalize() for part in record.name.split("_"))


def structure_of(record: RecordType) -> type[ctypes.Structure]:
    """Return a new Structure with the record's fields, offsets and size."""
    fields = [(field.name, _ctype(field)) for field in record.fields]
    used_bytes = sum(ctypes.sizeof(ctype) for _, ctype in fields)
    if used_bytes < record.size_bytes:
        fields.append(("_reserved", ctypes.c_char * (record.size_bytes - used_bytes)))
    structure = type(class_name(record), (ctypes.LittleEndianStructure,), {"_fields_": fields, "__doc__": record.doc})
    assert ctypes.sizeof(structure) == record.size_bytes
    return structure


class SegmentHeader(ctypes.LittleEndianStructure):
    """The first 256 bytes of every segment."""

    _fields_ = (
        ("magic", ctypes.c_int64),
        ("layout_version", ctypes.c_int64),
        ("layout_hash", ctypes.c_int64),
        ("kind", ctypes.c_int64),
        ("slot_bytes", ctypes.c_int64),
        ("capacity", ctypes.c_int64),
        ("_reserved0", ctypes.c_int64 * 2),
        ("head", ctypes.c_int64),
        ("_reserved1", ctypes.c_int64 * 7),
        ("epoch", ctypes.c_int64),
        ("created_ns", ctypes.c_int64),
        ("closed", ctypes.c_int64),
        ("_reserved2", ctypes.c_int64 * 5),
        ("record_name", ctypes.c_char * layout.NAME_BYTES),
        ("writer", ctypes.c_char * layout.NAME_BYTES),
    )


def _ctype(field: Field) -> Any:
    scalar = _SCALARS[field.kind]
    return scalar if field.count == 1 else scalar * field.count


STRUCTURES: dict[str, type[ctypes.Structure]] = {record.name: structure_of(record) for record in RECORD_TYPES}
