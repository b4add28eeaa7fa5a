"""The journal of execution: what is sent, written before it is sent, and what came of it.

An entry is one write() to the page cache: it outlives this process at once, and the machine once a thread has synced
it (`[execution.journal]`). A process that is started again goes on with the file that the one before it left; what is
damaged at its end is cut off and kept aside.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from actors.execution.journal_format import (
    Answered,
    Began,
    Charged,
    Entry,
    Filled,
    Mended,
    Message,
    NewerVersionError,
    Sent,
    SideName,
    frame,
    header,
    read,
)
from domain.clock import Clock
from domain.codes import OrderEventKind
from domain.errors import UserError
from domain.order import Side
from domain.reports import TradeReport
from trading.fill_keys import FillKey, FillKeys
from trading.orders.config import JournalConfig
from trading.orders.order import Order

FILE_NAME = "execution.journal"
ENTRIES_WAITING_MAX = 100_000
_ORDERS = frozenset({"INSERT", "AMEND", "QUOTE", "HEDGE", "FLATTEN"})


class JournalFailsError(Exception):
    """What was to be sent could not be written down first: it must not leave."""


class Damage(NamedTuple):
    """Bytes at the end of a journal that cannot be believed, cut off and kept in `kept_in` (None = nowhere)."""

    offset: int
    size_bytes: int
    kept_in: Path | None


class Replayed(NamedTuple):
    """What an earlier life of this run left.

    Attributes:
        fills: those that the journal tells.
        last_client_order_id: the highest that was sent; 0 = none.
        unfinished: orders that were sent and of which no end is told, by client order id, as sent last.
    """

    fills: FillKeys
    last_client_order_id: int
    unfinished: dict[int, Sent]


class Journal:
    """One file, one writer. `order` must come before the message; whatever else is noted never raises.

    Attributes:
        trouble: why the disk does not take entries now; empty = it does.
        damage: what was cut off at the start; None = the file was whole.
        replayed: what earlier lives left.
        lost: entries that did not fit into what waits while the disk refuses.
    """

    def __init__(self, path: Path, clock: Clock, config: JournalConfig, *, epoch: int = 1) -> None:
        """Open or create the file and replay it.

        Raises:
            UserError: a later program wrote it.
            OSError: it cannot be opened at all.
        """
        self.path = path
        self._clock = clock
        self._sync = config.sync
        self._disk = threading.Lock()
        self._waiting: deque[Entry] = deque()
        self._unsynced = bytearray()  # what a failed sync may have lost: it is written again
        self.trouble = ""
        self.lost = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(self._fd, 0o600)
        self.damage: Damage | None = None
        self.replayed = self._open()
        self._filled = self.replayed.fills
        self._note(Began(*self._now(), epoch, os.getpid()))

    # ---- what is sent ----------------------------------------------------------------------------------

    def order(
        self, message: Message, client_order_id: int, instrument: str, side: Side, price: Decimal, size: Decimal,
        wish_id: int = 0,
    ) -> None:  # fmt: skip
        """Write down an order that is about to leave; with `sync = "always"` it is on the disk afterwards.

        Raises:
            JournalFailsError: it is not written: the order must not leave.
        """
        entry = Sent(*self._now(), message, client_order_id, instrument, _side_name(side), price, size, wish_id)
        if self.trouble or not self._write(entry):
            raise JournalFailsError(self.trouble)
        if self._sync == "always":
            try:
                self.sync()
            except OSError as error:
                self.fail(error)
                raise JournalFailsError(self.trouble) from error

    def message(
        self, message: Message, *, client_order_id: int = 0, instrument: str = "", side: Side | None = None,
        price: Decimal | None = None, size: Decimal | None = None, venue_order_id: str = "",
    ) -> None:  # fmt: skip
        """Write down a message that must leave whatever the disk does: it cancels, or brings a position to zero."""
        sent = Sent(
            *self._now(), message, client_order_id, instrument, _side_name(side), price, size,
            venue_order_id=venue_order_id,
        )  # fmt: skip
        self._note(sent)

    # ---- what came of it -------------------------------------------------------------------------------

    def answer(self, event: OrderEventKind, order: Order, venue_code: int, exchange_time_ns: int) -> None:
        """Write down what became of an order."""
        self._note(
            Answered(
                *self._now(), event.name, order.client_order_id, order.is_live, order.venue_order_id,
                order.price_ticks, order.remaining_lots, venue_code, exchange_time_ns,
            )
        )  # fmt: skip

    def fill(
        self, key: FillKey, order: Order | None, instrument: str, side: Side, price: Decimal, size: Decimal,
        exchange_time_ns: int,
    ) -> None:  # fmt: skip
        """Write down a fill, unless this or an earlier life has: the venue's history tells them all again."""
        if not self._filled.add(key):
            return
        client_order_id, is_live = (order.client_order_id, order.is_live) if order is not None else (0, False)
        self._note(
            Filled(
                *self._now(), key[0], key[1], key[2], client_order_id, is_live, instrument, _side_name(side),
                price, size, exchange_time_ns,
            )
        )  # fmt: skip

    def charge(self, trade: TradeReport) -> None:
        """Write down what a fill cost."""
        realtime_ns, monotonic_ns = self._now()
        self._note(Charged(realtime_ns, monotonic_ns, *trade.key, trade.fee, trade.realised_pnl))

    # ---- the disk --------------------------------------------------------------------------------------

    def fail(self, error: OSError) -> None:
        """Take no more orders until `resume`; what else is noted waits."""
        if not self.trouble:
            self.trouble = error.strerror or str(error)

    def sync(self) -> None:
        """Bring to the disk what was written so far; may run in a thread. OSError when the disk refuses."""
        with self._disk:
            upto = len(self._unsynced)
            os.fdatasync(self._fd)
            del self._unsynced[:upto]

    @property
    def needs_sync(self) -> bool:
        return bool(self._unsynced)

    def mend(self) -> None:
        """Write again what may be lost, and what waits; may run in a thread while `trouble` holds.

        Raises:
            OSError: the disk still refuses.
        """
        assert self.trouble, "there is nothing to mend"
        with self._disk:
            os.ftruncate(self._fd, self._end)
            self._write_at(bytes(self._unsynced), self._end - len(self._unsynced))
            self._put(Mended(*self._now(), self.trouble, self.lost))
            while self._waiting:
                self._put(self._waiting[0])
                self._waiting.popleft()
            if self._sync != "never":
                os.fdatasync(self._fd)
                self._unsynced.clear()

    def resume(self) -> None:
        """Take orders again: `mend` has succeeded. What came in since then is written now."""
        self.trouble = ""
        self.lost = 0
        waiting, self._waiting = self._waiting, deque()
        for entry in waiting:
            self._note(entry)

    def close(self) -> None:
        """Write the rest, sync and close, once a thread that still writes is done. OSError when the disk refuses."""
        try:
            if self.trouble:
                self.mend()
            if self._sync != "never":
                os.fsync(self._fd)
        finally:
            with self._disk:
                os.close(self._fd)

    # ---- inside ----------------------------------------------------------------------------------------

    def _now(self) -> tuple[int, int]:
        return self._clock.realtime_ns(), self._clock.monotonic_ns()

    def _note(self, entry: Entry) -> None:
        if not self.trouble and self._write(entry):
            return
        if len(self._waiting) < ENTRIES_WAITING_MAX:
            self._waiting.append(entry)
        else:
            self.lost += 1

    def _write(self, entry: Entry) -> bool:
        """Append an entry; False, and trouble, when the disk refuses."""
        try:
            self._put(entry)
        except OSError as error:
            self.fail(error)
            return False
        return True

    def _put(self, entry: Entry) -> None:
        content = frame(self._file_id, self._number, entry)
        self._write_at(content, self._end)
        self._end += len(content)
        self._number += 1
        self._unsynced += content
        if self._sync == "never":
            self._unsynced.clear()

    def _write_at(self, content: bytes, offset: int) -> None:
        """Write all of it; what a full disk took of it is overwritten by the next try."""
        while content:
            written = os.pwrite(self._fd, content, offset)
            content, offset = content[written:], offset + written

    def _open(self) -> Replayed:
        """Replay what is good, cut off the rest, and be ready to append."""
        content = _read_all(self._fd)
        try:
            contents = read(content)
        except NewerVersionError as error:
            os.close(self._fd)
            raise UserError(f"{self.path}: {error}: go on with the version that wrote it") from None
        if contents.end < len(content):
            self.damage = self._cut(content, contents.end)
        self._end, self._number = contents.end, len(contents.entries) + 1
        if contents.file_id is not None:
            self._file_id = contents.file_id
        else:
            self._file_id = secrets.randbits(64)
            self._begin_file()
        return replay(contents.entries)

    def _begin_file(self) -> None:
        start = header(self._file_id)
        self._end = len(start)
        self._unsynced += start
        try:
            self._write_at(start, 0)
        except OSError as error:
            self.fail(error)

    def _cut(self, content: bytes, end: int) -> Damage:
        kept_in: Path | None = _free_name(self.path, end)
        try:
            assert kept_in is not None
            fd = os.open(kept_in, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                rest = content[end:]
                while rest:
                    rest = rest[os.write(fd, rest) :]
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError:
            kept_in = None  # a full disk must not keep us from going on
        os.ftruncate(self._fd, end)
        return Damage(end, len(content) - end, kept_in)


def replay(entries: list[Entry]) -> Replayed:
    """Return what a journal says of the lives that wrote it."""
    fills = FillKeys()
    unfinished: dict[int, Sent] = {}
    last_id = 0
    for entry in entries:
        if type(entry) is Sent:
            last_id = max(last_id, entry.client_order_id)
            if entry.message in _ORDERS:
                unfinished[entry.client_order_id] = entry
        elif type(entry) is Answered:
            if not entry.is_live:
                unfinished.pop(entry.client_order_id, None)
        elif type(entry) is Filled:
            fills.add(entry.key)
            if not entry.is_live:
                unfinished.pop(entry.client_order_id, None)
    return Replayed(fills, last_id, unfinished)


def _side_name(side: Side | None) -> SideName:
    return "" if side is None else "buy" if side > 0 else "sell"


def _read_all(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    parts, offset = [], 0
    while offset < size and (part := os.pread(fd, size - offset, offset)):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _free_name(path: Path, offset: int) -> Path:
    name = path.with_name(f"{path.name}.{offset}.damaged")
    number = 1
    while name.exists():
        number += 1
        name = path.with_name(f"{path.name}.{offset}-{number}.damaged")
    return name
