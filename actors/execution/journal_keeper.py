"""Syncs the journal off the loop and begins its next file; quotes are pulled while the disk refuses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actors.execution.journal import Journal
from actors.execution.ports import Log
from domain.clock import NS_PER_MS, NS_PER_S, Clock
from trading.ledger import LedgerState
from trading.orders.config import JournalConfig

JOURNAL_FAILS = "the journal fails"
LOOK_S = 0.02
MEND_INTERVAL_NS = 500 * NS_PER_MS
NEXT_FILE_INTERVAL_NS = 60 * NS_PER_S  # between two tries to begin one


class JournalKeeper:
    """Looks after one journal; `run` never ends.

    Args:
        holds: reasons for which nothing is quoted.
        work_soon: asks for a duty cycle, which pulls the quotes.
        may_trade: whether the order with this number of ours is, or may be, open.
        settled: returns what `Journal.settle` takes, None while it is not known.
    """

    def __init__(
        self, journal: Journal, config: JournalConfig, holds: set[str], clock: Clock, log: Log,
        work_soon: Callable[[], None], may_trade: Callable[[int], bool],
        settled: Callable[[], tuple[int, LedgerState] | None],
    ) -> None:  # fmt: skip
        self._journal = journal
        self._syncs = config.sync == "interval"
        self._sync_interval_ns = config.sync_interval_ms * NS_PER_MS
        self._holds = holds
        self._clock = clock
        self._log = log
        self._work_soon = work_soon
        self._may_trade = may_trade
        self._settled = settled
        self._due_ns = self._next_file_due_ns = 0

    async def run(self) -> None:
        """Look every LOOK_S."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Pull quotes when there is trouble, mend when it is time to, sync when it is time to."""
        journal = self._journal
        now_ns = self._clock.monotonic_ns()
        if journal.trouble and JOURNAL_FAILS not in self._holds:
            self._holds.add(JOURNAL_FAILS)
            self._log.error(
                "the journal cannot be written: quotes are pulled until it can; free space, or mend the disk",
                reason=journal.trouble, path=str(journal.path),
            )  # fmt: skip
            self._due_ns = now_ns + MEND_INTERVAL_NS
            self._work_soon()
        elif now_ns >= self._due_ns:
            if journal.trouble:
                await self._mend()
            elif self._syncs and journal.needs_sync:
                await self._sync()
        if journal.is_full and now_ns >= self._next_file_due_ns:
            self._begin_next_file(now_ns)

    async def _mend(self) -> None:
        journal = self._journal
        lost = journal.lost
        try:
            await asyncio.to_thread(journal.mend)
        except OSError as error:
            self._log.debug("the journal still cannot be written", reason=str(error))
            self._due_ns = self._clock.monotonic_ns() + MEND_INTERVAL_NS
            return
        journal.resume()
        self._holds.discard(JOURNAL_FAILS)
        self._log.info("the journal is written again: quotes resume", entries_lost=lost)
        self._work_soon()

    def _begin_next_file(self, now_ns: int) -> None:
        """Go on in a new file. It is written, not synced: the next sync sees to both, whenever it is due."""
        self._next_file_due_ns = now_ns + NEXT_FILE_INTERVAL_NS
        try:
            self._journal.begin_next_file(self._may_trade, self._settled())
        except OSError as error:
            self._log.warning(
                "the journal cannot go on in a new file; it grows", reason=str(error), path=str(self._journal.path)
            )

    async def _sync(self) -> None:
        try:
            await asyncio.to_thread(self._journal.sync)
        except OSError as error:
            self._journal.fail(error)
            return
        self._due_ns = self._clock.monotonic_ns() + self._sync_interval_ns
