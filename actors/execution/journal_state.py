"""What a journal says that the next life of execution, or the next file of the journal, must know."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator

from actors.execution.journal_format import Answered, Carried, Entry, Filled, Sent, Settled
from domain.reports import FillKey
from runtime.sealed_fills import SealedFills
from trading.fill_keys import FillKeys, bytes_of, fingerprint, fingerprints_of

ORDERS = frozenset({"INSERT", "AMEND", "QUOTE", "HEDGE", "FLATTEN"})
UNFINISHED_AT_ONCE = 100
FILLS_BYTES_AT_ONCE = 16_384


class JournalState:
    """What all entries that were taken add up to.

    Attributes:
        fills: those that the journal tells.
        sealed: which of them stand in the file beside it.
        last_client_order_id: the highest that was sent; 0 = none.
        unfinished: orders that were sent and of which no end is told, by client order id, as sent last.
        settled: the newest state of the ledger; None = none was written down.
        is_whole: nothing is missing that an earlier file of the journal knew.
    """

    def __init__(self, *, is_whole: bool = True) -> None:
        self.fills = FillKeys()
        self.sealed = SealedFills()
        self.last_client_order_id = 0
        self.unfinished: dict[int, Sent] = {}
        self.settled: Settled | None = None
        self.is_whole = is_whole
        self._is_shared = False  # `fills` are the ledger's, which has counted each before it is told
        self._ignored: frozenset[FillKey] = frozenset()
        self._unsealed = array("Q")  # fingerprints of fills ...
        self._unsettled = array("Q")  # ... since they were sealed, and since the ledger was settled

    def take_all(self, entries: Iterable[Entry]) -> None:
        """Let entries count that are read again."""
        for entry in entries:
            if isinstance(entry, Filled):
                self.tell(entry.key)
            self.take(entry)

    def take(self, entry: Entry) -> None:
        """Let one more entry count; a fill was told before: this may run in another thread than `tell`."""
        kind = type(entry)
        if kind is Sent:
            assert isinstance(entry, Sent)
            if entry.client_order_id > self.last_client_order_id:
                self.last_client_order_id = entry.client_order_id
            if entry.message in ORDERS:
                self.unfinished[entry.client_order_id] = entry
        elif kind is Answered or kind is Filled:
            assert isinstance(entry, (Answered, Filled))
            if not entry.is_live:
                self.unfinished.pop(entry.client_order_id, None)
        elif kind is Settled:
            assert isinstance(entry, Settled)
            self.settled, self._unsettled = entry, array("Q")
        elif kind is Carried:
            assert isinstance(entry, Carried)
            self._take_over(entry)

    def tell(self, key: FillKey) -> bool:
        """Remember that a fill is told; return whether it was not."""
        return self._tell(fingerprint(key))

    def share(self, counted: FillKeys) -> None:
        """Keep no fills of its own, if these are the same: whoever adds one to them tells it from here on, once."""
        if counted is not self.fills and counted == self.fills:
            self.fills, self._is_shared = counted, True

    def own(self) -> None:
        """Keep fills of its own again: another ledger counts from here on."""
        if self._is_shared:
            self.fills, self._is_shared = self.fills.without(()), False

    def ignore(self, keys: Iterable[FillKey]) -> None:
        """Take these for fills that no ledger of the session counts, be they told: it starts after them."""
        self._ignored = frozenset(keys)

    @property
    def to_be_counted(self) -> int:
        """How many fills are told that the session's ledger counts."""
        return len(self.fills) - sum(key in self.fills for key in self._ignored)

    def settled_fills(self) -> FillKeys | None:
        """Return the fills that `settled` has counted; None when the journal does not tell them all."""
        if self.settled is None:
            return None
        counted = self.fills.without(self._unsettled).without(map(fingerprint, self._ignored))
        return counted if len(counted) == self.settled.ledger.fills else None

    # ---- the next file ---------------------------------------------------------------------------------

    @property
    def settled_last(self) -> Settled | None:
        """`settled`, if it has counted all fills: no other may come before it in a file."""
        if self.settled is None or self._unsettled or self.settled.ledger.fills != len(self.fills):
            return None
        return self.settled

    @property
    def unsealed(self) -> bytes:
        """What is to be appended to the file of sealed fills."""
        return bytes_of(self._unsealed)

    def seal(self, sealed: SealedFills) -> None:
        """What was unsealed is in the file now."""
        self.sealed = sealed
        self._unsealed = array("Q")

    def carried(
        self, realtime_ns: int, monotonic_ns: int, sealed: SealedFills, fills: bytes = b""
    ) -> Iterator[Carried]:
        """Return the entries with which a file of the journal begins that has all fills `sealed` but for `fills`."""
        unfinished = list(self.unfinished.values())
        pieces = max(1, -(-len(unfinished) // UNFINISHED_AT_ONCE), -(-len(fills) // FILLS_BYTES_AT_ONCE))
        for piece in range(pieces):
            first, first_byte = piece * UNFINISHED_AT_ONCE, piece * FILLS_BYTES_AT_ONCE
            yield Carried(
                realtime_ns, monotonic_ns, self.last_client_order_id,
                fills[first_byte : first_byte + FILLS_BYTES_AT_ONCE],
                unfinished[first : first + UNFINISHED_AT_ONCE], piece == pieces - 1, *sealed,
            )  # fmt: skip

    def drop_finished(self, may_trade: Callable[[int], bool]) -> None:
        """Forget orders of which the end was seen, though none was told: their last fill came by the history."""
        self.unfinished = {number: sent for number, sent in self.unfinished.items() if may_trade(number)}

    def _take_over(self, entry: Carried) -> None:
        self.last_client_order_id = max(self.last_client_order_id, entry.last_client_order_id)
        if entry.sealed_bytes:
            self.sealed = SealedFills(entry.sealed_bytes, entry.sealed_checksum)
        for each in fingerprints_of(entry.fills):
            self._tell(each)
        self.unfinished.update((sent.client_order_id, sent) for sent in entry.unfinished)
        self.is_whole |= entry.is_whole

    def _tell(self, each: int) -> bool:
        is_new = self._is_shared or self.fills.add_fingerprint(each)
        if is_new:
            self._unsealed.append(each)
            self._unsettled.append(each)
        return is_new
