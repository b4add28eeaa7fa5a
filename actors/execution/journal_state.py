"""What a journal says that the next life of execution, or the next file of the journal, must know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from actors.execution.journal_format import Answered, Carried, Entry, Filled, Sent
from trading.fill_keys import FINGERPRINT_BYTES, FillKeys

ORDERS = frozenset({"INSERT", "AMEND", "QUOTE", "HEDGE", "FLATTEN"})
FILLS_AT_ONCE = 4096  # in one entry: half of the 64 kB that it may have
FILL_BYTES_AT_ONCE = FILLS_AT_ONCE * FINGERPRINT_BYTES
UNFINISHED_AT_ONCE = 100


class JournalState:
    """What all entries that were taken add up to.

    Attributes:
        fills: those that the journal tells.
        last_client_order_id: the highest that was sent; 0 = none.
        unfinished: orders that were sent and of which no end is told, by client order id, as sent last.
        is_whole: nothing is missing that an earlier file of the journal knew.
    """

    def __init__(self, *, is_whole: bool = True) -> None:
        self.fills = FillKeys()
        self.last_client_order_id = 0
        self.unfinished: dict[int, Sent] = {}
        self.is_whole = is_whole

    def take_all(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.take(entry)

    def take(self, entry: Entry) -> None:
        """Let one more entry count."""
        kind = type(entry)
        if kind is Sent:
            assert isinstance(entry, Sent)
            if entry.client_order_id > self.last_client_order_id:
                self.last_client_order_id = entry.client_order_id
            if entry.message in ORDERS:
                self.unfinished[entry.client_order_id] = entry
        elif kind is Answered or kind is Filled:
            assert isinstance(entry, (Answered, Filled))
            if isinstance(entry, Filled):
                self.fills.add(entry.key)
            if not entry.is_live:
                self.unfinished.pop(entry.client_order_id, None)
        elif kind is Carried:
            assert isinstance(entry, Carried)
            self._take_over(entry)

    def carried(self, realtime_ns: int, monotonic_ns: int) -> Iterator[Carried]:
        """Return the entries with which the next file of the journal begins."""
        fills, unfinished = self.fills.to_bytes(), list(self.unfinished.values())
        pieces = max(1, -(-len(fills) // FILL_BYTES_AT_ONCE), -(-len(unfinished) // UNFINISHED_AT_ONCE))
        for piece in range(pieces):
            first_byte, first_order = piece * FILL_BYTES_AT_ONCE, piece * UNFINISHED_AT_ONCE
            yield Carried(
                realtime_ns,
                monotonic_ns,
                self.last_client_order_id,
                fills[first_byte : first_byte + FILL_BYTES_AT_ONCE],
                unfinished[first_order : first_order + UNFINISHED_AT_ONCE],
                piece == pieces - 1,
            )

    def drop_finished(self, may_trade: Callable[[int], bool]) -> None:
        """Forget orders of which the end was seen, though none was told: their last fill came by the history."""
        self.unfinished = {number: sent for number, sent in self.unfinished.items() if may_trade(number)}

    def _take_over(self, entry: Carried) -> None:
        self.last_client_order_id = max(self.last_client_order_id, entry.last_client_order_id)
        self.fills.update(entry.fills)
        self.unfinished.update((sent.client_order_id, sent) for sent in entry.unfinished)
        self.is_whole |= entry.is_whole
