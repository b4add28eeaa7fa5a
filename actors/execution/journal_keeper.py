"""Brings the journal to the disk, off the loop."""

from __future__ import annotations

import asyncio

from actors.execution.journal import Journal
from actors.execution.ports import Log

JOURNAL_FAILS = "the journal fails"


async def keep_journal(journal: Journal, holds: set[str], log: Log, interval_s: float) -> None:
    """Write the journal from a thread for ever; when the disk refuses, quotes are pulled until it takes again.

    Args:
        holds: reasons for which nothing is quoted.
    """
    while True:
        await asyncio.sleep(interval_s)
        entries = journal.take()
        if not entries:
            continue
        try:
            await asyncio.to_thread(journal.write, entries)
        except OSError as error:
            journal.put_back(entries)
            if JOURNAL_FAILS not in holds:
                log.error("the journal cannot be written: quotes are pulled", reason=str(error))
            holds.add(JOURNAL_FAILS)
            continue
        if JOURNAL_FAILS in holds:
            holds.discard(JOURNAL_FAILS)
            log.info("the journal is written again")
