"""The tape: a recording made ready to be replayed, built once for each event file and kept beside it (`X.events.tape`).

Books are built here, not in every run. Each side, the exchange's and ours, has rows of its own, in which clears, book
tickers and stale levels have become plain changes of single levels, and each message carries the best prices that it
left: a replay keeps nothing but the sizes of levels. What lies too far from the touch is left out and counted.

Of an order-by-order recording the exchange's rows tell the orders too (ADD, CANCEL, FILL), each before the level that
it leads to: a change holds the order's number and its lots, which is all that a queue needs (market.py).
"""

from __future__ import annotations

import errno
import mmap
import os
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.book import CENTRE_ROWS, Ladder, centre_of, new_book
from backtest.data.container import EventFile
from backtest.data.events import ADD, AT_EXCHANGE, AT_LOCAL, EVENT, EVERY_PRICE, KIND_MASK, Events
from backtest.data.findings import DataError
from backtest.engine.tape_folder import PARTIAL_SUFFIX, TAPE_SUFFIX, elsewhere, hold, make_room
from backtest.engine.weave import COUNT_MAX, LOTS_MASK, NUMBER_MAX, ROW, is_cut, new_cursor, weave
from fills.queue import QueueModel
from runtime.paths import make_private

MAGIC = b"RMTAPE\0\0"
VERSION = 3
HEADER_BYTES = 4096
SUFFIX = TAPE_SUFFIX
ROWS_AT_ONCE = 1 << 18  # mapped at one time by a replay
EVENTS_AT_ONCE = 1 << 18  # read at one time by a build
PRICE_TICKS_MAX = 1 << 30
_ROOM = 1 << 17
_NOT_TO_BE_WRITTEN = (errno.EACCES, errno.EPERM, errno.EROFS)

TapeRows = npt.NDArray[np.void]  # of ROW


class TapeHeader(msgspec.Struct, kw_only=True, frozen=True):
    """What a tape was built from, and what it holds.

    Attributes:
        source_bytes, source_time_ns: size and time of the event file: another one makes another tape.
        rows: of the exchange, and ours, heads and touches included.
        end_ns: time of the last row of either.
        centre_ticks: a price near the first touch.
        far_rows: changes too far from the touch, left out, on either side.
        order_rows: changes that tell of one order, at the exchange; 0 = the recording has levels only.
        fill_rows: of them, fills.
        trade_rows: public trades, at the exchange.
        arrivals: orders that had arrived before the first one that is told.
    """

    source_bytes: int
    source_time_ns: int
    rows: tuple[int, int]
    end_ns: int
    centre_ticks: int
    far_rows: tuple[int, int]
    order_rows: int = 0
    fill_rows: int = 0
    trade_rows: int = 0
    arrivals: int = 0
    version: int = VERSION


class Tape:
    """A tape on disk, held (tape_folder.py) as long as this lives; `block` maps one side of it, block by block."""

    def __init__(self, path: Path, header: TapeHeader, fd: int) -> None:
        self.path = path
        self.header = header
        self._fd = fd
        weakref.finalize(self, os.close, fd)

    def block(self, side: int, first: int) -> TapeRows:
        """Return up to ROWS_AT_ONCE rows of a side (0 the exchange's, 1 ours), mapped read-only.

        A block may end before all that belongs to its last head (`is_cut`): the next one is asked for from there.
        """
        count = min(ROWS_AT_ONCE, self.header.rows[side] - first)
        if count <= 0:
            rows = np.zeros(0, ROW)
            rows.flags.writeable = False
            return rows
        offset = HEADER_BYTES + (first + (self.header.rows[0] if side else 0)) * ROW.itemsize
        rows = _mapped(self._fd, offset, count)
        assert not is_cut(rows, 0), (
            f"{self.path}: a head at row {first} with {rows[0]['count']} changes, at most {COUNT_MAX}"
        )
        return rows


def _mapped(fd: int, offset: int, count: int) -> TapeRows:
    """Return `count` rows of a file from `offset` bytes on, read-only, all their pages mapped at once.

    Page by page, while the loop runs, costs more than the loop itself.
    """
    first = offset - offset % mmap.ALLOCATIONGRANULARITY
    length = offset - first + count * ROW.itemsize
    mapped = mmap.mmap(fd, length, mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ, offset=first)
    return np.frombuffer(mapped, ROW, count, offset - first)


def tape_of(file: EventFile) -> Tape:
    """Return the tape of an event file: the one beside it, or one that is built now.

    Raises:
        DataError: when prices do not fit, or it can be written nowhere.
    """
    beside, apart = file.path.with_name(file.path.name + SUFFIX), elsewhere(file.path)
    status = file.path.stat()
    for candidate in (beside, apart):
        tape = _opened(candidate)
        if tape and (tape.header.source_bytes, tape.header.source_time_ns) == (status.st_size, status.st_mtime_ns):
            if candidate == apart:
                with suppress(OSError):
                    os.utime(apart)  # played now: not the next one to go
            return tape
    try:
        return _build(file, beside)
    except OSError as error:
        if error.errno not in _NOT_TO_BE_WRITTEN:
            raise _refusal(beside, error) from None
    try:
        make_room(make_private(apart.parent))
        return _build(file, apart)
    except OSError as error:
        raise _refusal(apart, error) from None


def _refusal(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: the tape cannot be written: {error.strerror or error}")


def _opened(path: Path) -> Tape | None:
    """Return the tape at a place, held; None where there is none, or another version's."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    hold(fd)
    header = _read_header(fd)
    if header is None:
        os.close(fd)
        return None
    return Tape(path, header, fd)


def _read_header(fd: int) -> TapeHeader | None:
    try:
        block = os.pread(fd, HEADER_BYTES, 0)
        header = msgspec.json.decode(block[len(MAGIC) :].rstrip(b"\0"), type=TapeHeader)
        is_whole = os.fstat(fd).st_size == HEADER_BYTES + sum(header.rows) * ROW.itemsize
    except (OSError, msgspec.MsgspecError):
        return None
    return header if block.startswith(MAGIC) and header.version == VERSION and is_whole else None


def _build(file: EventFile, path: Path) -> Tape:
    """Write the tape; it appears under its name when it is whole."""
    status = file.path.stat()
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")
    centre = centre_of(file.block(0, CENTRE_ROWS))
    counts, far, cursors = [], [], []
    try:
        with partial.open("w+b") as output:
            hold(output.fileno())
            output.write(bytes(HEADER_BYTES))
            for recipient in (AT_EXCHANGE, AT_LOCAL):
                book, cursor = new_book(centre), new_cursor()
                count = 0
                for rows in woven(file, book, cursor, recipient):
                    output.write(rows.view(np.uint8).data)
                    count += len(rows)
                counts.append(count)
                far.append(int(book.state["far_rows"][0]))
                cursors.append(cursor[0])
            at_exchange = cursors[0]
            header = TapeHeader(
                source_bytes=status.st_size, source_time_ns=status.st_mtime_ns, rows=(counts[0], counts[1]),
                end_ns=max(int(cursor["end_ns"]) for cursor in cursors), centre_ticks=centre, far_rows=(far[0], far[1]),
                order_rows=int(at_exchange["order_rows"]), fill_rows=int(at_exchange["fill_rows"]),
                trade_rows=int(at_exchange["trade_rows"]), arrivals=max(0, int(at_exchange["arrivals"])),
            )  # fmt: skip
            output.seek(0)
            output.write((MAGIC + msgspec.json.encode(header)).ljust(HEADER_BYTES, b"\0"))
            output.flush()
            os.replace(partial, path)
            return Tape(path, header, os.dup(output.fileno()))  # held without a break
    finally:
        partial.unlink(missing_ok=True)


def require_orders(file: EventFile, tape: Tape, queue_model: int) -> None:
    """Refuse an order-by-order queue over a recording of levels.

    Raises:
        DataError: when the recording does not tell its orders, or tells trades but not whom they filled.
    """
    header = tape.header
    if queue_model == QueueModel.FIFO and (not header.order_rows or (header.trade_rows and not header.fill_rows)):
        found = "orders without their fills" if header.order_rows else "price levels"
        raise DataError(
            f"{file.path}: --queue fifo needs a recording of orders and their fills, found {found}: "
            "take one of the other queue models"
        )


def woven(file: EventFile, book: Ladder, cursor: npt.NDArray[np.void], recipient: int) -> Iterator[TapeRows]:
    """Yield the rows of one recipient; a block is gone when the next one is asked for."""
    room = np.zeros(_ROOM, ROW)
    for mapped in file.blocks(EVENTS_AT_ONCE):
        block: Events = np.array(mapped)
        assert block.dtype == EVENT
        _check_prices(file.path, block)
        _check_orders(file.path, block)
        cursor["row"] = 0
        while cursor["row"][0] < len(block):
            weave(cursor[0], book.state[0], book.bids, book.asks, block, recipient, room)
            count = int(cursor["written"][0])
            if count == 0 and cursor["row"][0] < len(block):  # one message removes more levels than there is room for
                room = np.zeros(2 * len(room), ROW)
            elif count:
                yield room[:count]


def _check_orders(path: Path, rows: Events) -> None:
    told = rows[(rows["flags"] & KIND_MASK) >= ADD]
    if len(told) and (int(told["size_lots"].max()) > LOTS_MASK or int(told["venue_id"].max()) > NUMBER_MAX):
        raise DataError(
            f"{path}: an order of {told['size_lots'].max()} lots, or number {told['venue_id'].max()}; the backtest "
            f"takes up to {LOTS_MASK:,} lots and {NUMBER_MAX:,} orders: a larger --lot, or several files"
        )


def _check_prices(path: Path, rows: Events) -> None:
    prices = rows["price_ticks"][rows["price_ticks"] != EVERY_PRICE]
    if len(prices) and not (int(prices.min()) >= -PRICE_TICKS_MAX and int(prices.max()) <= PRICE_TICKS_MAX):
        raise DataError(
            f"{path}: prices from {prices.min()} to {prices.max()} ticks, the backtest takes up to {PRICE_TICKS_MAX}: "
            "convert it anew with a larger --tick"
        )
