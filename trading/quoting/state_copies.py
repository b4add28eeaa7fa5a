"""A quoter's state over a restart: two copies in shared memory, written in turn.

A copy is good when it is complete, its checksum holds and its layout is ours; of two good ones the later
generation counts. Whether a new start takes it up:

    younger than the age limit, left by a start that lived            -> resume
    the start before this one left no copy, or had itself resumed and
    died within the quick-death limit                                 -> cold: the state may be what kills
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from domain.clock import NS_PER_MS, NS_PER_S
from domain.records import STRATEGY_STATE, STRATEGY_STATE_WORDS
from shm.record import TableWriter
from trading.quoting.quoter import Quoter
from trading.quoting.records import KEPT_LAYOUT, KEPT_WORDS

COPIES = 2
SAVE_INTERVAL_NS = 100 * NS_PER_MS
AGE_NS_MAX = 30 * NS_PER_S
QUICK_DEATH_NS = 60 * NS_PER_S

assert KEPT_WORDS <= STRATEGY_STATE_WORDS, f"state of {KEPT_WORDS} words, room for {STRATEGY_STATE_WORDS}"

_INSTRUMENT = STRATEGY_STATE.word("instrument")
_GENERATION = STRATEGY_STATE.word("generation")
_EPOCH = STRATEGY_STATE.word("strategy_epoch")
_IS_RESUMED = STRATEGY_STATE.word("is_resumed")
_STARTED = STRATEGY_STATE.word("started_time_ns")
_SAVED = STRATEGY_STATE.word("saved_time_ns")
_LAYOUT = STRATEGY_STATE.word("layout_hash")
_CHECKSUM = STRATEGY_STATE.word("checksum")
_WORDS = STRATEGY_STATE.word("words")
_STATE_SLICE = slice(_WORDS, _WORDS + KEPT_WORDS)


class Resumed(NamedTuple):
    """What became of the old state; `is_resumed` False = cold start, for `reason`."""

    is_resumed: bool
    reason: str
    age_ns: int = 0


class StateCopies:
    """The two rows of one instrument in the table `strategy_state`, which only strategy writes."""

    def __init__(self, table: TableWriter, instrument: int, epoch: int, started_time_ns: int) -> None:
        self._table = table
        self._instrument = instrument
        self._epoch = epoch
        self._started_time_ns = started_time_ns
        self._is_resumed = False
        self._generation = 0
        self._due_ns = 0

    def resume(self, quoter: Quoter, now_ns: int) -> Resumed:
        """Bring the saved state into `quoter` if it may be trusted. Call once, before the first save."""
        row = self._newest_good_row(quoter)
        if row is None:
            return Resumed(False, "no good copy")
        ints = self._table.ints
        self._table.load_own(row)
        self._generation = ints[_GENERATION]
        age_ns = now_ns - ints[_SAVED]
        refusal = self._refusal(now_ns, age_ns)
        if refusal:
            quoter.forget_state()
            return Resumed(False, refusal, age_ns)
        quoter.restore_state(ints[_STATE_SLICE])
        self._is_resumed = True
        return Resumed(True, "resumed", age_ns)

    def save(self, quoter: Quoter, now_ns: int) -> bool:
        """Save the state if a save is due; return whether it was."""
        if now_ns < self._due_ns:
            return False
        self._due_ns = now_ns + SAVE_INTERVAL_NS
        self._generation += 1
        ints = self._table.ints
        ints[_INSTRUMENT] = self._instrument
        ints[_GENERATION] = self._generation
        ints[_EPOCH] = self._epoch
        ints[_IS_RESUMED] = self._is_resumed
        ints[_STARTED] = self._started_time_ns
        ints[_SAVED] = now_ns
        ints[_LAYOUT] = LAYOUT_HASH
        ints[_CHECKSUM] = quoter.state_hash()
        ints[_STATE_SLICE] = quoter.state
        self._table.publish(self._row(self._generation))
        return True

    def _refusal(self, now_ns: int, age_ns: int) -> str:
        """Return why the copy in the table's scratch record is not taken; empty = it is."""
        ints = self._table.ints
        if not 0 <= age_ns <= AGE_NS_MAX:
            return f"the copy is {age_ns / NS_PER_S:.1f} s old, limit {AGE_NS_MAX // NS_PER_S} s"
        if ints[_EPOCH] < self._epoch - 1:
            return "the start before this one died before it saved anything"
        if ints[_IS_RESUMED] and now_ns - ints[_STARTED] < QUICK_DEATH_NS:
            return "second crash in a row: the start before this one had resumed too"
        return ""

    def _newest_good_row(self, quoter: Quoter) -> int | None:
        good: list[tuple[int, int]] = []
        for row in (self._row(0), self._row(1)):
            ints = self._table.ints
            if not self._table.load_own(row) or ints[_LAYOUT] != LAYOUT_HASH:
                continue
            quoter.restore_words(ints[_STATE_SLICE])
            if quoter.state_hash() == ints[_CHECKSUM] and ints[_INSTRUMENT] == self._instrument:
                good.append((ints[_GENERATION], row))
        quoter.forget_state()
        return max(good)[1] if good else None

    def _row(self, generation: int) -> int:
        return COPIES * self._instrument + (generation & 1)


LAYOUT_HASH = int.from_bytes(hashlib.sha256(KEPT_LAYOUT.encode()).digest()[:8], "little") >> 1
