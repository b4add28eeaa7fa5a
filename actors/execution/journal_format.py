"""The journal's file format: a header, then frames, each with its length, a checksum and a running number.

    header  24 bytes: magic `RMJOURNL`, u16 version, u16 zero, u64 file id, u32 CRC-32 of the 20 bytes before it
    frame   u32 length of the payload, u32 CRC-32 of length, number and payload, u64 number (1, 2, 3 ...), payload

A journal is one row of frames, in one file or in several. The first file has version 7; a file that goes on with the
row has version 8 and, between file id and checksum, u64 number of its first frame and u64 place of it in the row:
40 bytes. The place of a frame is the byte at which it would begin if all were in the first file.

All numbers are little-endian. The checksum begins with the file id, so that a block of another journal that a disk
returns in place of ours is not believed, and the running number keeps a block of our own from being believed twice.
A payload is a MessagePack array, its first element the name of the entry. `python -m actors.execution.read_journal`
prints a file as JSON lines.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from domain.reports import FillKey
from trading.ledger import LedgerState

MAGIC = b"RMJOURNL"
VERSION, CONTINUED_VERSION = 7, 8
OLDER_VERSIONS, OLDER_CONTINUED_VERSIONS = (1, 3, 5), (2, 4, 6)  # 1, 2: without `settled`, and all fills in `carried`;
# 3, 4: a `settled` ledger knows nothing of daily settlements; 5, 6: nor of fees that are waited for no longer
PAYLOAD_BYTES_MAX = 65_536
_HEADER = struct.Struct("<8sHHQ")
_CONTINUED = struct.Struct("<QQ")
_CHECKSUM = struct.Struct("<I")
_FRAME = struct.Struct("<IIQ")
_COVERED = struct.Struct("<IQ")
_NUMBER = struct.Struct("<Q")  # the last of a frame's head
HEADER_BYTES = _HEADER.size + _CHECKSUM.size
HEADER_BYTES_MAX = HEADER_BYTES + _CONTINUED.size
FRAME_BYTES = _FRAME.size

Message = Literal["INSERT", "AMEND", "CANCEL", "QUOTE", "PULL", "HEDGE", "FLATTEN", "STOP", "CANCEL_STOP", "CANCEL_ALL"]
SideName = Literal["buy", "sell", ""]


class Began(msgspec.Struct, array_like=True, tag="began", frozen=True):
    """A life of execution opened the journal. `epoch` is 1 for the first life in a session."""

    realtime_ns: int
    monotonic_ns: int
    epoch: int
    pid: int


class Sent(msgspec.Struct, array_like=True, tag="sent", frozen=True):
    """A message that leaves now: written before it does. A crash in between leaves a message that nobody got.

    Attributes:
        client_order_id: 0 where the message names none; `venue_order_id` then may.
        instrument: of PULL the product, of CANCEL_ALL empty.
        price: quote currency; of a STOP the price that triggers it. None where the message has none.
        size: total of the order in base units, filled part included.
    """

    realtime_ns: int
    monotonic_ns: int
    message: Message
    client_order_id: int = 0
    instrument: str = ""
    side: SideName = ""
    price: Decimal | None = None
    size: Decimal | None = None
    wish_id: int = 0
    venue_order_id: str = ""


class Answered(msgspec.Struct, array_like=True, tag="answered", frozen=True):
    """What became of an order, as the order book took it from answers, notifications and lists of the venue.

    Attributes:
        event: ACCEPTED, AMENDED, CANCELLED, REJECTED.
        is_live: it may still trade; a refused amend, say, leaves its order where it is.
        price_ticks, remaining_lots: afterwards.
        venue_code: the venue's error number of a REJECTED.
        exchange_time_ns: the venue's stamp; 0 where it gives none.
    """

    realtime_ns: int
    monotonic_ns: int
    event: str
    client_order_id: int
    is_live: bool
    venue_order_id: str
    price_ticks: int
    remaining_lots: int
    venue_code: int
    exchange_time_ns: int


class Filled(msgspec.Struct, array_like=True, tag="filled", frozen=True):
    """A fill, once by (trade_id, venue_order_id, leg_index).

    Attributes:
        client_order_id: 0 of an order that is not in our book.
        is_live: the order may still trade.
    """

    realtime_ns: int
    monotonic_ns: int
    trade_id: str
    venue_order_id: str
    leg_index: int
    client_order_id: int
    is_live: bool
    instrument: str
    side: SideName
    price: Decimal
    size: Decimal
    exchange_time_ns: int

    @property
    def key(self) -> FillKey:
        return (self.trade_id, self.venue_order_id, self.leg_index)


class Charged(msgspec.Struct, array_like=True, tag="charged", frozen=True):
    """What a fill cost, as the venue's history says; a restart, which reads the history anew, tells it again.

    Attributes:
        fee: paid is positive.
        realised_pnl: booked by the venue with the fill, before the fee.
    """

    realtime_ns: int
    monotonic_ns: int
    trade_id: str
    venue_order_id: str
    leg_index: int
    fee: Decimal
    realised_pnl: Decimal


class Carried(msgspec.Struct, array_like=True, tag="carried", frozen=True):
    """What a file that goes on with a journal takes over from the files before it; several entries when it is much.

    Attributes:
        last_client_order_id: the highest that was sent.
        fills: fingerprints of fills that were told and are not sealed (trading/fill_keys.py).
        unfinished: orders that may still trade, as sent last.
        is_whole: the last of these entries.
        sealed_bytes, sealed_checksum: of the file with the other fills that were told (runtime/sealed_fills.py).
    """

    realtime_ns: int
    monotonic_ns: int
    last_client_order_id: int
    fills: bytes
    unfinished: list[Sent]
    is_whole: bool
    sealed_bytes: int = 0
    sealed_checksum: int = 0


class Settled(msgspec.Struct, array_like=True, tag="settled", frozen=True):
    """What the ledger has added up: all fills that the entries before this one tell, and no other.

    Attributes:
        history_from_ns: the venue's clock: trades before it are counted with what they cost.
    """

    realtime_ns: int
    monotonic_ns: int
    history_from_ns: int
    ledger: LedgerState


class Mended(msgspec.Struct, array_like=True, tag="mended", frozen=True):
    """The disk takes the journal again. `entries_lost` did not fit into what waits meanwhile."""

    realtime_ns: int
    monotonic_ns: int
    reason: str
    entries_lost: int


Entry = Began | Sent | Answered | Filled | Charged | Settled | Mended | Carried
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


class Start(NamedTuple):
    """What a header says.

    Attributes:
        number, place: of the file's first frame, in the row of all frames.
        size_bytes: of the header: where the first frame begins in the file.
    """

    file_id: int
    number: int = 1
    place: int = HEADER_BYTES
    size_bytes: int = HEADER_BYTES

    @property
    def is_continued(self) -> bool:
        return self.size_bytes != HEADER_BYTES

    def offset_of(self, place: int) -> int:
        """Return the byte of this file at which a place in the row is."""
        return place - self.place + self.size_bytes

    def place_of(self, offset: int) -> int:
        """Return the place in the row of what begins at this byte of the file."""
        return offset - self.size_bytes + self.place


class Contents(NamedTuple):
    """What a journal's file holds up to its first damage.

    Attributes:
        start: of the header; None when the header itself is damaged or missing.
        entries: in order.
        end: bytes up to which everything is good.
    """

    start: Start | None
    entries: list[Entry]
    end: int


class NewerVersionError(Exception):
    """A whole header of a version that this program does not know."""


def header(file_id: int) -> bytes:
    """Return the first bytes of a journal."""
    return _checked(_HEADER.pack(MAGIC, VERSION, 0, file_id))


def continued_header(file_id: int, number: int, place: int) -> bytes:
    """Return the first bytes of a file that goes on with a journal at frame `number`, which has this place."""
    return _checked(_HEADER.pack(MAGIC, CONTINUED_VERSION, 0, file_id) + _CONTINUED.pack(number, place))


def _checked(body: bytes) -> bytes:
    return body + _CHECKSUM.pack(zlib.crc32(body))


def frame(file_id: int, number: int, entry: Entry) -> bytes:
    """Return an entry as it stands in the file."""
    payload = _encode(entry)
    length = len(payload)
    assert length <= PAYLOAD_BYTES_MAX, f"an entry of {length} bytes: {entry}"
    return _FRAME.pack(length, _checksum(file_id, length, number, payload), number) + payload


def fits(entry: Entry) -> bool:
    """Return whether an entry is small enough for a frame."""
    return len(_encode(entry)) <= PAYLOAD_BYTES_MAX


def read(content: bytes) -> Contents:
    """Return everything of a file up to the first byte that cannot be believed.

    Raises:
        NewerVersionError: a later program wrote it.
    """
    start = read_header(content)
    if start is None:
        return Contents(None, [], 0)
    entries: list[Entry] = []
    end = start.size_bytes
    for entry, end in read_on(content, start.file_id, start.size_bytes, start.number):  # noqa: B007 - the last one counts
        entries.append(entry)
    return Contents(start, entries, end)


def read_header(content: bytes) -> Start | None:
    """Return what a file's first HEADER_BYTES_MAX bytes say; None when they are not whole or damaged.

    Raises:
        NewerVersionError: a later program wrote it.
    """
    if len(content) < HEADER_BYTES:
        return None
    magic, version, _, file_id = _HEADER.unpack_from(content)
    is_continued = version in (CONTINUED_VERSION, *OLDER_CONTINUED_VERSIONS)
    size = HEADER_BYTES_MAX if is_continued else HEADER_BYTES
    if magic != MAGIC or len(content) < size or content[:size] != _checked(content[: size - _CHECKSUM.size]):
        return None
    if is_continued:
        number, place = _CONTINUED.unpack_from(content, _HEADER.size)
        return Start(file_id, number, place, size)
    if version not in (VERSION, *OLDER_VERSIONS):
        raise NewerVersionError(f"format version {version}, this program reads up to {CONTINUED_VERSION}")
    return Start(file_id)


def read_on(content: bytes, file_id: int, offset: int, number: int) -> Iterator[tuple[Entry, int]]:
    """Yield each entry with the offset of its end, as long as the frames are good.

    Args:
        offset: where the first of them begins in `content`.
        number: that it has.
    """
    while offset + FRAME_BYTES <= len(content):
        length, checksum, written_number = _FRAME.unpack_from(content, offset)
        end = offset + FRAME_BYTES + length
        if written_number != number or length > PAYLOAD_BYTES_MAX or end > len(content):
            return
        payload = content[offset + FRAME_BYTES : end]
        if checksum != _checksum(file_id, length, number, payload):
            return
        try:
            entry = _decode(payload)
        except msgspec.DecodeError:
            return
        yield entry, end
        offset, number = end, number + 1


def count_frames(content: bytes, offset: int, number: int) -> int:
    """Return about how many frames stand from `offset` on, the first with this number, be they damaged.

    It goes by their numbers and lengths alone, and looks for the next number where one of these is damaged.
    """
    next_number = number
    while offset + FRAME_BYTES <= len(content):
        length, _, written_number = _FRAME.unpack_from(content, offset)
        if written_number == next_number and offset + FRAME_BYTES + length <= len(content):
            offset += FRAME_BYTES + length
            next_number += 1
            continue
        found = content.find(_NUMBER.pack(next_number + 1), offset + FRAME_BYTES)
        if found < 0:
            break
        offset = found - (FRAME_BYTES - _NUMBER.size)
        next_number += 1
    return next_number - number


def _checksum(file_id: int, length: int, number: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_COVERED.pack(length, number), file_id & 0xFFFF_FFFF))
