"""Execution when the disk refuses its journal: quotes are pulled, nothing new leaves, all comes back with the disk."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest

from actors.execution.journal import Journal
from actors.execution.journal_format import Carried, Filled, Mended, Sent
from actors.execution.journal_keeper import JOURNAL_FAILS, MEND_INTERVAL_NS, NEXT_FILE_INTERVAL_NS, JournalKeeper
from actors.execution.read_journal import read_journal
from domain.clock import NS_PER_S
from domain.order import Side
from runtime.paths import JOURNAL_FILE
from tests.execution_rig import ASKS, BIDS, Bench
from trading.orders.config import ExecutionConfig, MassQuoteConfig

MOVED = [(101, 5), (100, 5)]


class Disk:
    """Refuses what is written at an offset, as a journal writes, while `is_full`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self._pwrite = os.pwrite
        monkeypatch.setattr(os, "pwrite", self.pwrite)

    def pwrite(self, fd: int, content: bytes, offset: int) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._pwrite(fd, content, offset)


def keeper_of(bench: Bench) -> JournalKeeper:
    core = bench.core
    return JournalKeeper(
        core.journal, bench.config.journal, core.quotes.holds, bench.clock, core._log, lambda: None,
        core.books.manager.may_trade, core.truth.settled,
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["orders", "mass_quotes"])
def test_a_disk_that_refuses_pulls_the_quotes_and_one_that_takes_again_brings_them_back(
    mode: Literal["orders", "mass_quotes"],
    segment_name: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        # Given quotes, and a disk that is full from now on
        config = ExecutionConfig(
            mode=mode, mass_quotes=MassQuoteConfig(protection_trade_base=1.0, protection_quote_base=1.0)
        )
        bench = Bench(segment_name, tmp_path, config)
        await bench.start()
        bench.wish(BIDS, ASKS)
        await bench.settle(5)
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == (BIDS, ASKS)
        keeper, disk = keeper_of(bench), Disk(monkeypatch)
        disk.is_full = True
        # If one is filled, and the next wish moves them
        bench.venue.fill(bench.venue.open[0], 2)
        bench.wish(MOVED, ASKS)
        bench.work()
        await keeper.look()
        await bench.settle(300)
        # I expect nothing to have moved, everything cancelled, and the reason told
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == ([], [])
        assert next(iter(bench.core.desks.values())).blocked_by == JOURNAL_FAILS
        assert all(kind not in ("insert", "amend") for kind in bench.gateway.kinds()[-4:])
        # ... the quotes back with the disk, and nothing of it missing in the file
        bench.clock.advance(MEND_INTERVAL_NS)
        await keeper.look()
        assert bench.core.journal.trouble, "the disk is still full"
        disk.is_full = False
        bench.clock.advance(MEND_INTERVAL_NS)
        await keeper.look()
        bench.wish(MOVED, ASKS)
        await bench.settle(300)
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == (MOVED, ASKS)
        entries = read_journal(tmp_path / JOURNAL_FILE)
        assert sum(isinstance(entry, Mended) for entry in entries) == 1
        assert [entry.size for entry in entries if isinstance(entry, Filled)] == [Decimal("0.002")]
        for task in bench.tasks:
            task.cancel()

    asyncio.run(scenario())


def test_flattening_does_not_ask_the_disk(
    segment_name: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        # Given a position and a full disk
        bench = Bench(segment_name, tmp_path)
        await bench.start()
        bench.wish(BIDS, ASKS)
        await bench.settle(5)
        bench.venue.fill(bench.venue.open[0], 5)
        await bench.settle(5)
        disk = Disk(monkeypatch)
        disk.is_full = True
        bench.gateway.sent.clear()
        # If the operator flattens
        flattening = asyncio.ensure_future(bench.core.operations.flatten())
        await bench.run_until(
            lambda: any(kind == "insert" for kind in bench.gateway.kinds()[-3:]), "an order to flatten"
        )
        flattening.cancel()
        # I expect the order to have left, and to be in the journal once the disk takes it
        disk.is_full = False
        bench.core.journal.mend()
        sent = [entry for entry in read_journal(tmp_path / JOURNAL_FILE) if isinstance(entry, Sent)]
        assert any(entry.message == "FLATTEN" for entry in sent)
        for task in bench.tasks:
            task.cancel()

    asyncio.run(scenario())


def test_a_restart_never_gives_an_order_the_id_of_another_even_when_the_clock_was_set_back(
    segment_name: Callable[[], str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        # Given a session that has sent orders
        bench = Bench(segment_name, tmp_path)
        await bench.start()
        bench.wish(BIDS, ASKS)
        await bench.settle(5)
        sent = {order.client_order_id for order in bench.venue.open}
        # If its execution is killed, and starts again after the wall clock went back by an hour
        bench.clock.step_realtime(-3600 * NS_PER_S)
        bench.restart_core()
        # I expect new ids to be later than all that were used
        assert bench.core.new_order_id() > max(sent)
        for task in bench.tasks:
            task.cancel()

    asyncio.run(scenario())


def test_a_full_journal_goes_on_in_a_new_file_and_quotes_do_not_notice(
    segment_name: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        # Given quotes, and a journal that is full
        bench = Bench(segment_name, tmp_path)
        await bench.start()
        keeper = keeper_of(bench)
        bench.wish([(100, 4)], [(102, 4)])
        await bench.settle()
        monkeypatch.setattr(Journal, "is_full", property(lambda _: True))
        # If its keeper looks, twice in a row, the disk refusing the first time
        link = os.link
        monkeypatch.setattr(os, "link", lambda *_: os.open("/dev/null/none", os.O_RDONLY))
        await keeper.look()
        assert not (tmp_path / f"{JOURNAL_FILE}.1").exists()
        monkeypatch.setattr(os, "link", link)
        bench.clock.advance(NEXT_FILE_INTERVAL_NS)
        await keeper.look()
        await keeper.look()
        # I expect one new file, which knows the orders that are open, and the quotes where they were
        assert (tmp_path / f"{JOURNAL_FILE}.1").exists()
        assert not (tmp_path / f"{JOURNAL_FILE}.2").exists()
        carried = [entry for entry in read_journal(tmp_path / JOURNAL_FILE) if isinstance(entry, Carried)]
        live = sorted(order.client_order_id for order in bench.core.books.manager.live(0))
        assert len(live) == 2
        assert [sorted(sent.client_order_id for sent in entry.unfinished) for entry in carried] == [live]
        assert not bench.core.quotes.holds
        bench.core.close()

    asyncio.run(scenario())
