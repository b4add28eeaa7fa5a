"""Keeps risk's memory on disk: at once when a cause comes or goes, else now and then, never on the work loop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from domain.clock import NS_PER_S
from runtime.actor import ActorContext
from runtime.paths import write_atomically
from trading.risk.latch import FILE_NAME, RiskMemory, load_memory, memory_bytes
from trading.risk.states import Cause, Latched
from venues.config import venue_url

SAVE_INTERVAL_NS = 2 * NS_PER_S
LOG_INTERVAL_NS = 60 * NS_PER_S
ANSWER_WAIT_S = 1.0
LOOK_AGAIN_S = 0.01
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class MemoryKeeper:
    """Reads the memory at the start and saves what changes.

    Attributes:
        account: which account it is; empty for a local exchange's.
        boot: which start of the machine this is; empty where the kernel does not say.
        loaded: what an earlier process of this run, or the latch of an earlier run, left.
    """

    def __init__(self, ctx: ActorContext) -> None:
        self._ctx = ctx
        self._path = ctx.state_dir / FILE_NAME
        venue = ctx.config.venue
        self.account = "" if venue.kind == "local" else f"{venue.kind} {venue_url(venue, os.environ)}"
        self.boot = _boot()
        self.loaded = load_memory(ctx.state_dir).for_run(ctx.run_dir.name, self.account)
        self._saved = self.loaded
        self._save_due_ns = 0
        self._is_saving = False
        self._fault = ""  # why the last try failed
        self._log_due_ns = 0
        self._was_urgent = False  # something that could not wait came while a save was under way

    def save_when_changed(self, memory: RiskMemory, now_ns: int, *, is_urgent: bool = False) -> None:
        """Save in the background if anything changed and it is time; causes and `is_urgent` do not wait.

        After a failure only `is_urgent`, somebody who waits for an answer, does not wait.
        """
        self._was_urgent = is_urgent = is_urgent or self._was_urgent
        if self._is_saving:
            return
        self._was_urgent = False
        must_hurry = is_urgent or (not self._fault and _causes(memory) != _causes(self._saved))
        if memory == self._saved or (now_ns < self._save_due_ns and not must_hurry):
            return
        self._save_due_ns = now_ns + SAVE_INTERVAL_NS
        self._is_saving = True
        self._ctx.spawn(self._save(memory), "save")

    def save(self, memory: RiskMemory) -> None:
        """Save now and wait for the disk; a failure is logged, for watching goes on without a disk."""
        try:
            write_atomically(self._path, memory_bytes(memory))
        except OSError as error:
            self._fault = str(error)
            if (now_ns := self._ctx.clock.monotonic_ns()) >= self._log_due_ns:
                self._log_due_ns = now_ns + LOG_INTERVAL_NS
                self._ctx.log.error("risk could not save its memory", path=str(self._path), reason=self._fault)
            return
        self._saved = memory
        if self._fault:
            self._fault = ""
            self._log_due_ns = 0
            self._ctx.log.info("risk saves its memory again", path=str(self._path))

    async def unsaved(self) -> str:
        """Return why what was just saved is not on disk, when that is known or has taken too long; empty = it is."""
        for _ in range(int(ANSWER_WAIT_S / LOOK_AGAIN_S)):
            if not self._is_saving and not self._was_urgent:
                return self._fault
            await asyncio.sleep(LOOK_AGAIN_S)
        return self._fault or f"{self._path}: the disk has not taken it within {ANSWER_WAIT_S:g} s"

    async def _save(self, memory: RiskMemory) -> None:
        try:
            await asyncio.to_thread(self.save, memory)
        finally:
            self._is_saving = False


def _causes(memory: RiskMemory) -> tuple[list[Latched], list[tuple[Cause, str, bool]]]:
    """Return which causes a memory holds, and which of them have their end."""
    return memory.latched, [(one.cause, one.instrument, one.ends_ns > 0) for one in memory.waiting]


def _boot() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
