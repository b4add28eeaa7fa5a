"""Recorded Binance USD-M market data: parts, plain or gzip, with lines `<local time> <combined-stream JSON>`.

Used are the diff depth (`@depth`, absolute sizes), trades (`@trade`, only X = MARKET: the rest is insurance
fund and ADL), and the one REST depth snapshot near the start of the first part; other streams are skipped.
Local times are ms, µs or ns by their number of digits. A part is read as a stream, never as a whole.
"""

from __future__ import annotations

import gzip
import time
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

import msgspec
import numpy as np

from exchange.core.orders import Side
from exchange.core.units import Grid
from exchange.failure import RecordingError

CHECK_S_MAX = 0.8  # full decoding before the start; what is left is checked as it plays
STEP_SAMPLES_MAX = 400_000
STEP_DECIMALS = 8
CHUNK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
NS_PER_UNIT_BY_DIGITS = {13: 1_000_000, 16: 1_000, 19: 1}

Levels = list[tuple[float, float]]  # (price, amount), amount 0 = gone


class Snapshot(NamedTuple):
    time_ns: int
    last_id: int
    bids: Levels
    asks: Levels


class Depth(NamedTuple):
    """A change of the book; the ids U, u, pu of the feed join it to the snapshot and to its neighbours."""

    time_ns: int
    first_id: int
    last_id: int
    previous_id: int
    bids: Levels
    asks: Levels


class RecordedTrade(NamedTuple):
    time_ns: int
    price: float
    amount: float
    aggressor_side: Side


Record = Snapshot | Depth | RecordedTrade


class Line(NamedTuple):
    """A record and where it stands, for messages about it."""

    path: Path
    number: int
    record: Record


class _Envelope(msgspec.Struct):
    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    lastUpdateId: int | None = None  # noqa: N815 - the feed's own name


class _SnapshotBody(msgspec.Struct):
    lastUpdateId: int  # noqa: N815 - the feed's own name
    bids: Levels
    asks: Levels


class _DepthBody(msgspec.Struct):
    U: int
    u: int
    pu: int
    b: Levels
    a: Levels


class _TradeBody(msgspec.Struct):
    p: float
    q: float
    m: bool
    X: str = "MARKET"


_Body = TypeVar("_Body")
_envelope = msgspec.json.Decoder(_Envelope)
_snapshot = msgspec.json.Decoder(_SnapshotBody, strict=False)  # the feed's numbers are strings
_depth = msgspec.json.Decoder(_DepthBody, strict=False)
_trade = msgspec.json.Decoder(_TradeBody, strict=False)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that has passed its check. `grid` holds the smallest steps seen."""

    paths: tuple[Path, ...]
    grid: Grid

    @classmethod
    def open(cls, paths: Sequence[Path]) -> Recording:
        """Check the parts and return the recording.

        Decompresses all of it, and decodes as much as fits into `CHECK_S_MAX`.

        Raises:
            RecordingError: naming file and line, what was expected, and what to do.
        """
        check = _Check(time.monotonic() + CHECK_S_MAX)
        for path in paths:
            check.part(path)
            if not check.has_snapshot:
                raise RecordingError(
                    f'{path}: expected a depth snapshot ({{"lastUpdateId": ...}}) in the first part, found none; '
                    "give the parts in order, first the one that the recording began with"
                )
        return cls(tuple(paths), check.grid())

    def lines(self) -> Iterator[Line]:
        """Yield the lines of all parts that are used, in order, reading as it goes.

        Raises:
            RecordingError: at a line that can't be read.
        """
        for path in self.paths:
            for number, line in _lines(path):
                record = _parse(path, number, line)
                if record is not None:
                    yield Line(path, number, record)


class _Check:
    """One pass over the parts before anything starts."""

    def __init__(self, deadline_s: float) -> None:
        self.has_snapshot = False
        self._deadline_s = deadline_s
        self._prices = array("d")
        self._amounts = array("d")

    def part(self, path: Path) -> None:
        number, records = 0, 0
        for number, line in _lines(path):
            # Decode on without regard to time until the snapshot, for there is no start without it.
            if self.has_snapshot and time.monotonic() > self._deadline_s:
                _decompress_rest(path)
                return
            record = _parse(path, number, line)
            if record is not None:
                records += 1
                self._note(record)
        if not records:
            raise RecordingError(f"{path}: expected depth and trade lines, found none in {number} lines; {_REMEDY}")

    def grid(self) -> Grid:
        return Grid(_smallest_step(self._prices), _smallest_step(self._amounts))

    def _note(self, record: Record) -> None:
        self.has_snapshot = self.has_snapshot or isinstance(record, Snapshot)
        if len(self._prices) >= STEP_SAMPLES_MAX:
            return
        if isinstance(record, RecordedTrade):
            self._prices.append(record.price)
            self._amounts.append(record.amount)
            return
        for price, amount in (*record.bids, *record.asks):
            self._prices.append(price)
            self._amounts.append(amount)


_REMEDY = "record it again or fetch it anew"


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                yield number, line
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such recording; check the path given to --replay") from None
    except EOFError:
        raise RecordingError(
            f"{path} after line {number}: expected more, the gzip file is cut short; {_REMEDY}"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise RecordingError(
            f"{path} after line {number}: expected sound gzip data, found: {error}; {_REMEDY}"
        ) from None
    except OSError as error:
        raise RecordingError(f"{path}: can't be read ({error.strerror}); check its permissions") from None


def _open(path: Path) -> BinaryIO:
    """Open a part by what it holds, whatever it is called: gzip data, or plain lines."""
    with path.open("rb") as file:
        is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    return cast(BinaryIO, gzip.open(path, "rb")) if is_gzip else path.open("rb")


def _decompress_rest(path: Path) -> None:
    """Read to the end, for gzip says only there whether the file is whole."""
    try:
        with _open(path) as file:
            while file.read(CHUNK_BYTES):
                pass
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RecordingError(f"{path}: expected sound gzip data, found: {error}; {_REMEDY}") from None


def _parse(path: Path, number: int, line: bytes) -> Record | None:
    """Return the record of one line, None when it is of a stream that is not used."""
    stamp, _, body = line.partition(b" ")
    ns_per_unit = NS_PER_UNIT_BY_DIGITS.get(len(stamp)) if stamp.isdigit() else None
    if ns_per_unit is None:
        found = stamp[:40].decode("utf-8", "replace").rstrip()
        raise RecordingError(
            f"{path} line {number}: expected a local time of 13, 16 or 19 digits first, found {found!r}; {_REMEDY}"
        )
    time_ns = int(stamp) * ns_per_unit
    envelope = _decode(path, number, _envelope, body)
    if envelope.stream is None:
        return _parse_snapshot(path, number, time_ns, body)
    if "@depth" in envelope.stream:
        depth = _decode(path, number, _depth, envelope.data)
        return Depth(time_ns, depth.U, depth.u, depth.pu, depth.b, depth.a)
    if envelope.stream.endswith("@trade"):
        trade = _decode(path, number, _trade, envelope.data)
        if trade.X == "MARKET":
            return RecordedTrade(time_ns, trade.p, trade.q, Side.SELL if trade.m else Side.BUY)
    return None


def _parse_snapshot(path: Path, number: int, time_ns: int, body: bytes) -> Snapshot:
    snapshot = _decode(path, number, _snapshot, body)
    return Snapshot(time_ns, snapshot.lastUpdateId, snapshot.bids, snapshot.asks)


def _decode(path: Path, number: int, decoder: msgspec.json.Decoder[_Body], data: Any) -> _Body:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordingError(
            f"{path} line {number}: expected the feed's JSON after the local time: {error}; {_REMEDY}"
        ) from None


def _smallest_step(values: array[float]) -> Decimal:
    """Return the largest step of which all values are multiples."""
    units = np.rint(np.frombuffer(values, dtype=np.float64) * 10**STEP_DECIMALS).astype(np.int64)
    step = int(np.gcd.reduce(units[units > 0]))
    return Decimal(step).scaleb(-STEP_DECIMALS).normalize()
