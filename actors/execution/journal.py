"""The journal of execution: what is sent, written before it is sent, and what came of it.

An entry is one write() to the page cache: it outlives this process at once, and the machine once a thread has synced
it (`[execution.journal]`). A process that is started again goes on with the file that the one before it left; what is
damaged at its end is cut off and kept aside. A file that has grown large is left for a new one, which begins with all
that is still needed (`journal_files`).
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from actors.execution import journal_files
from actors.execution.journal_file import JournalFile, NextFile
from actors.execution.journal_format import (
    Answered,
    Began,
    Charged,
    Entry,
    Filled,
    Mended,
    Message,
    Sent,
    Settled,
    SideName,
    Start,
    continued_header,
    fits,
    frame,
    header,
)
from actors.execution.journal_opening import new_file_id, open_files
from domain.clock import Clock
from domain.codes import OrderEventKind
from domain.order import Side
from domain.reports import FillKey, TradeReport
from runtime.sealed_fills import SealedFills
from trading.ledger import LedgerState
from trading.orders.config import JournalConfig
from trading.orders.order import Order

ENTRIES_WAITING_MAX = 100_000
NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})


class JournalFailsError(Exception):
    """What was to be sent could not be written down first: it must not leave."""


class Journal:
    """One row of entries, one writer. `order` must come before the message; whatever else is noted never raises.

    Attributes:
        trouble: why the disk does not take entries now; empty = it does.
        damage: what was cut off at the start; None = the file was whole.
        fills_lost: which fills were told is not known for certain: some may be told again.
        state: what all entries add up to, those of earlier lives too.
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
        self._config = config
        self._waiting: deque[Entry] = deque()
        self._next: NextFile | None = None  # in which it must go on: nothing may follow in the present one
        self.trouble = ""
        self.lost = 0
        self._file = JournalFile(path, config)
        self._open()
        with suppress(OSError):  # tried again when the first fills are sealed
            self._file.fills.open()
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
        if self._config.sync == "always":
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
        if not self.state.tell(key):
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

    def settle(self, history_from_ns: int, ledger: LedgerState) -> None:
        """Write down what the ledger has added up, unless it has counted other fills than the journal tells."""
        if entry := self._settled(history_from_ns, ledger):
            self._note(entry)

    # ---- the disk --------------------------------------------------------------------------------------

    def fail(self, error: OSError) -> None:
        """Take no more orders until `resume`; what else is noted waits."""
        if not self.trouble:
            self.trouble = error.strerror or str(error)

    def sync(self) -> None:
        """Bring to the disk what was written so far; may run in a thread. OSError when the disk refuses."""
        self._file.sync()

    @property
    def needs_sync(self) -> bool:
        return self._file.needs_sync

    def mend(self) -> None:
        """Write again what may be lost, and what waits; may run in a thread while `trouble` holds.

        Raises:
            OSError: the disk still refuses.
        """
        assert self.trouble, "there is nothing to mend"
        with self._file.disk:
            if self._next is not None:
                self._file.go_on(self._next)
                self._next = None
            self._file.write_again()
            self._put(Mended(*self._now(), self.trouble, self.lost))
            while self._waiting:
                self._put(self._waiting[0])
                self._waiting.popleft()
            self._file.sync_all()

    def resume(self) -> None:
        """Take orders again: `mend` has succeeded. What came in since then is written now."""
        self.trouble = ""
        self.lost = 0
        waiting, self._waiting = self._waiting, deque()
        for entry in waiting:
            self._note(entry)

    @property
    def is_full(self) -> bool:
        """Whether it is time for `begin_next_file`."""
        return self._file.is_full and not self.trouble

    def begin_next_file(self, may_trade: Callable[[int], bool], settled: tuple[int, LedgerState] | None = None) -> None:
        """Go on in a new file, and delete the oldest when there are too many.

        Args:
            may_trade: whether the order with this number of ours is, or may be, open.
            settled: what `settle` takes, as it is now; None = the ledger is not known.

        Raises:
            OSError: the disk refuses; it goes on in the same file.
        """
        assert not self.trouble, f"a new file while the disk refuses: {self.trouble}"
        self.state.drop_finished(may_trade)
        entry = self._settled(*settled) if settled is not None else None
        sealed = self._file.fills.append(self.state.unsealed)
        file = self._next_file(self._file.place, self._file.number, sealed, settled=entry)
        self._file.go_on(file)
        self.state.seal(sealed)
        if entry is not None:
            self.state.take(entry)
        journal_files.delete_oldest(self.path, self._config.files_kept)

    def close(self) -> None:
        """Write the rest, sync and close, once a thread that still writes is done. OSError when the disk refuses."""
        try:
            if self.trouble:
                self.mend()
        except OSError:
            self._file.let_go()
            raise
        self._file.close()

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
        self._file.append(entry)
        self.state.take(entry)

    def _open(self) -> None:
        """Replay what is good, and be ready to append."""
        file = self._file
        try:
            opened = open_files(self.path, file.fd, file.fills)
        except BaseException:
            os.close(file.fd)
            raise
        self.state, self.damage, self.fills_lost = opened.state, opened.damage, opened.fills_lost
        number, place = opened.next
        if opened.is_first:
            start = Start(new_file_id())
            self._begin(NextFile(start, header(start.file_id), number, self.state.sealed))
        elif opened.start is None:
            self._begin(self._file_after_damage(place, number))
        else:
            lost = opened.damage.entries if opened.damage is not None else 0
            file.use(opened.start, opened.end, number - lost)
            if opened.damage is not None:
                self._leave(self._file_after_damage(place, number))

    def _begin(self, file: NextFile) -> None:
        try:
            self._file.begin(file)
        except OSError as error:
            self.fail(error)

    def _leave(self, file: NextFile) -> None:
        """Go on in another file, or be in trouble until the disk takes it.

        On a file system that never will, it goes on in the present one; who has read more of it than is left waits.
        """
        try:
            self._file.go_on(file)
        except OSError as error:
            if error.errno not in NO_HARD_LINKS:
                self._next = file
                self.fail(error)

    def _file_after_damage(self, place: int, number: int) -> NextFile:
        """Return a file that has in itself all that it takes over: a full disk cannot refuse to seal it."""
        state = self.state
        return self._next_file(place, number, state.sealed, fills=state.unsealed, settled=state.settled_last)

    def _next_file(
        self, place: int, number: int, sealed: SealedFills, *, fills: bytes = b"", settled: Settled | None = None
    ) -> NextFile:
        """Return a file that goes on at this place, with `fills` of which `sealed` does not tell."""
        file_id = new_file_id()
        content = bytearray(continued_header(file_id, number, place))
        start = Start(file_id, number, place, len(content))
        entries: list[Entry] = [*self.state.carried(*self._now(), sealed, fills)]
        if settled is not None:
            entries.append(settled)
        for entry in entries:
            content += frame(file_id, number, entry)
            number += 1
        return NextFile(start, bytes(content), number, sealed)

    def _settled(self, history_from_ns: int, ledger: LedgerState) -> Settled | None:
        """Return the entry; None when the ledger has counted other fills than the journal tells, or is too large."""
        if ledger.fills != self.state.to_be_counted:
            return None
        entry = Settled(*self._now(), history_from_ns, ledger)
        return entry if fits(entry) else None


def _side_name(side: Side | None) -> SideName:
    return "" if side is None else "buy" if side > 0 else "sell"
