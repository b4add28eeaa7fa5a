"""Reads the Arrow stream of a part batch by batch, over what is damaged in it.

Arrow's own reader ends at the first fault and does not tell a stream that a kill cut off from one that the disk has
spoilt. What begins a message (eight bytes, then a description of known form) is found again behind a damage.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

HEAD = struct.Struct("<II")  # marker, length of the description
_MARKER = 0xFFFFFFFF
_MARKER_BYTES = b"\xff" * 4
_DESCRIPTION_BYTES_MAX = 1 << 20
_BODY_BYTES_MAX = 1 << 32
_METADATA_V5 = 4
_SCHEMA, _BATCH = 1, 3


class Damage(NamedTuple):
    """A place in a part that cannot be read.

    Attributes:
        offset: of its first byte.
        rows: that its description tells; 0 = that cannot be read either.
    """

    offset: int
    rows: int


class _Described(NamedTuple):
    """What the description of a message says."""

    kind: int
    body_bytes: int
    rows: int


class _Message(NamedTuple):
    """The bytes of a message as far as they are there; `is_cut` where the file ends in them."""

    content: bytes
    described: _Described | None = None
    is_cut: bool = False


def read_stream(path: Path, on_damage: Callable[[Damage], None]) -> Iterator[Any]:
    """Yield the batches of a part. A last message that is not whole is not there: its writer was killed, or writes it.

    Args:
        on_damage: told of every other fault, at its place between the batches; the reading goes on behind it.

    Raises:
        OSError: the disk does not give its bytes.
    """
    try:
        with path.open("rb") as file:
            yield from _batches(file, on_damage)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _batches(file: BinaryIO, on_damage: Callable[[Damage], None]) -> Iterator[Any]:
    offset, schema = 0, None
    while True:
        message = _next_message(file)
        if not message.content:
            return
        found = None if message.is_cut else _decoded(message, schema)
        if found is None:
            rest = message.content if message.is_cut else message.content + file.read()  # it may grow while it is read
            behind = _find_message(rest, 1)
            if message.is_cut and behind < 0:
                return
            on_damage(Damage(offset, message.described.rows if message.described else 0))
            if behind < 0:
                return
            offset += behind
            file = io.BytesIO(rest[behind:])
            continue
        offset += len(message.content)
        if schema is None:
            schema = found
        else:
            yield found


def _next_message(file: BinaryIO) -> _Message:
    content = file.read(HEAD.size)
    if len(content) < HEAD.size:
        return _Message(content, is_cut=True)
    length = _description_bytes(content, 0)
    if not length:
        return _Message(content)
    content += file.read(length)
    if len(content) < HEAD.size + length:
        return _Message(content, is_cut=True)
    described = _described(content[HEAD.size :])
    if described is None:
        return _Message(content)
    content += file.read(described.body_bytes)
    return _Message(content, described, is_cut=len(content) < HEAD.size + length + described.body_bytes)


def _decoded(message: _Message, schema: Any) -> Any:
    """Return the schema, if there is none yet, or the batch that a whole message holds; None when it is damaged."""
    import pyarrow as pa

    if message.described is None or message.described.kind != (_SCHEMA if schema is None else _BATCH):
        return None
    if _find_message(message.content, 1) >= 0:  # its length is wrong: it has swallowed others
        return None
    try:
        arrow = pa.ipc.read_message(message.content)
        if schema is None:
            return pa.ipc.read_schema(arrow)
        batch = pa.ipc.read_record_batch(arrow, schema)
        batch.validate(full=True)
        return batch
    except (pa.ArrowException, OSError, ValueError):  # of bytes in memory: no fault of the disk's now
        return None


def _find_message(content: bytes, start: int) -> int:
    """Return where the first message begins at `start` or behind it; -1 = nowhere."""
    while (start := content.find(_MARKER_BYTES, start)) >= 0:
        begin = start + HEAD.size
        if (length := _description_bytes(content, start)) and _described(content[begin : begin + length]):
            return start
        start += 1
    return -1


def _description_bytes(content: bytes, start: int) -> int:
    """Return how long the description of the message at `start` is; 0 = none begins there."""
    if start + HEAD.size > len(content):
        return 0
    marker, length = HEAD.unpack_from(content, start)
    return length if marker == _MARKER and length <= _DESCRIPTION_BYTES_MAX else 0


def _described(description: bytes) -> _Described | None:
    """Return what the flatbuffer of a message says (Message.fbs); None when it is none of a schema or a batch."""
    try:
        (table,) = struct.unpack_from("<I", description)
        version = _field(description, table, 0, "<h")
        kind = _field(description, table, 1, "<B")
        body_bytes = _field(description, table, 3, "<q")
        if version != _METADATA_V5 or kind not in (_SCHEMA, _BATCH) or not 0 <= body_bytes <= _BODY_BYTES_MAX:
            return None
        header = _place(description, table, 2)
        header += struct.unpack_from("<I", description, header)[0]
        rows = _field(description, header, 0, "<q") if kind == _BATCH else 0
        return _Described(kind, body_bytes, rows) if rows >= 0 else None
    except struct.error:  # beyond its end
        return None


def _place(description: bytes, table: int, field: int) -> int:
    """Return where a field of a flatbuffer's table lies; struct.error when it cannot lie anywhere."""
    places = table - struct.unpack_from("<i", description, table)[0]
    if places < 0:
        raise struct.error("before the beginning")
    (size,) = struct.unpack_from("<H", description, places)
    at = 4 + 2 * field
    offset = struct.unpack_from("<H", description, places + at)[0] if at < size else 0
    return table + offset if offset else -1


def _field(description: bytes, table: int, field: int, form: str) -> int:
    place = _place(description, table, field)
    return int(struct.unpack_from(form, description, place)[0]) if place >= 0 else 0
