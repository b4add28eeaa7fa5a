"""The audit trail: each thing once, however often the recorder is killed, whatever the disk refuses."""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from actors.execution.journal import Journal
from actors.recorder.audit import Audit, Step
from actors.recorder.tape import Gap
from domain.clock import SimClock
from domain.codes import OrderEventKind, SegmentKind
from domain.order import LiquiditySide, Side
from domain.records import ORDER_EVENT
from domain.reports import TradeReport
from messages.commands import Reply, SetParameter
from runtime import continued
from runtime.command_journal import CommandJournal
from runtime.logs import open_log
from runtime.paths import JOURNAL_FILE
from runtime.recordings.audit import open_audit
from shm.ring import RingReader, RingWriter
from shm.segment import Segment, create_segment
from trading.orders.config import JournalConfig

NAME = "BTC-PERPETUAL"
CLOCK = SimClock(monotonic_ns=50, realtime_ns=1000)
STEP = Step(Decimal("0.5"), Decimal("0.001"), 1.0)
CAPACITY = 16


class AuditRig:
    def __init__(self, run: Path, ring: Segment) -> None:
        self.run = run
        self.ring = ring
        self.writer = RingWriter(ring)
        self.log = open_log("test", run / "log")
        self.journal = Journal(run / JOURNAL_FILE, CLOCK, JournalConfig(sync="never"))

    def audit(self) -> Audit:
        def open_ring(position: int | None) -> RingReader:
            return RingReader(self.ring, "oldest" if position is None else position)

        return Audit(self.run, open_ring, [NAME], lambda _name: STEP, CLOCK, self.log)

    def event(self, kind: OrderEventKind, order: int, *, trade: int = 0, reason: str = "") -> None:
        row = self.writer.scratch[0]
        row["kind"], row["client_order_id"], row["side"], row["price_ticks"], row["size_lots"] = kind, order, 1, 100, 2
        row["local_realtime_ns"] = 7
        row["liquidity_side"] = LiquiditySide.MAKER if trade else 0
        row["venue_order_id"], row["reason"] = f"V{order}".encode(), reason.encode()
        row["trade_id"] = f"T{trade}".encode() if trade else b""
        self.writer.publish()

    def journal_fill(self, order: int, trade: int) -> None:
        self.journal.fill((f"T{trade}", f"V{order}", 0), None, NAME, Side.BUY, Decimal("50.01"), Decimal("0.002"), 6)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = open_audit(self.run)
        try:
            return [tuple(row) for row in connection.execute(query)]
        finally:
            connection.close()


@pytest.fixture
def rig(tmp_path: Path, segment_name: Callable[[], str]) -> AuditRig:
    return AuditRig(tmp_path, create_segment(segment_name(), SegmentKind.RING, ORDER_EVENT, CAPACITY))


def test_an_order_is_told_from_its_sending_to_the_venues_word_on_its_end(rig: AuditRig) -> None:
    rig.journal.order("INSERT", 11, NAME, Side.BUY, Decimal(50), Decimal("0.002"), 3)
    rig.event(OrderEventKind.ACCEPTED, 11)
    rig.event(OrderEventKind.CANCELLED, 11, reason="session_end")
    audit = rig.audit()
    audit.write()
    sent = rig.rows("SELECT action, instrument, side, price, size, wish_id FROM orders_sent")
    assert sent == [("insert", NAME, "buy", "50", "0.002", 3)]
    told = rig.rows(
        "SELECT position, kind, client_order_id, venue_order_id, side, price_ticks, reason FROM order_events"
    )
    assert told == [
        (0, "accepted", 11, "V11", "buy", 100, ""),
        (1, "cancelled", 11, "V11", "buy", 100, "session_end"),
    ]


def test_a_fill_is_one_row_with_the_venues_own_decimals_and_what_it_cost(rig: AuditRig) -> None:
    rig.event(OrderEventKind.FILLED, 11, trade=1)
    audit = rig.audit()
    audit.write()
    columns = (
        "SELECT trade_id, venue_order_id, leg_index, side, price, size, client_order_id, liquidity, fee FROM fills"
    )
    assert rig.rows(columns) == [("T1", "V11", 0, "buy", "50.0", "0.002", 11, "maker", None)]

    rig.journal_fill(11, 1)
    trade = TradeReport(
        "T1", "V11", 0, NAME, Side.BUY, Decimal("50.01"), Decimal("0.002"), Decimal("0.00001"), Decimal(0),
        Decimal("0.3"), Decimal(0), LiquiditySide.MAKER, "", 6,
    )  # fmt: skip
    rig.journal.charge(trade)
    audit.write()
    assert rig.rows(columns) == [("T1", "V11", 0, "buy", "50.01", "0.002", 11, "maker", "0.00001")]


def test_fills_of_a_ring_that_was_overtaken_come_from_the_journal_and_the_gap_is_told(rig: AuditRig) -> None:
    audit = rig.audit()
    rig.event(OrderEventKind.FILLED, 11, trade=1)
    audit.write()
    for trade in range(1, 31):
        rig.journal_fill(11, trade)
        if trade > 1:
            rig.event(OrderEventKind.FILLED, 11, trade=trade)
    audit.write()
    assert rig.rows("SELECT count(*), count(DISTINCT trade_id) FROM fills") == [(30, 30)]
    assert rig.rows("SELECT ring, first_position, records FROM gaps") == [("order_events", 1, 30 - 1 - CAPACITY)]
    assert audit.lost == 30 - 1 - CAPACITY


def test_a_gap_is_in_the_trail_at_once_and_the_next_life_may_find_it_longer(rig: AuditRig) -> None:
    # Given a gap that was told by a recorder which was killed before it wrote what comes after it
    rig.audit().note_gap(Gap("trades", 1, 12))
    assert rig.rows("SELECT ring, first_position, records FROM gaps") == [("trades", 1, 12)]
    # If the next one finds the ring overtaken by more
    rig.audit().note_gap(Gap("trades", 1, 20))
    assert rig.rows("SELECT ring, first_position, records FROM gaps") == [("trades", 1, 20)]


def test_entries_of_the_journal_that_were_deleted_unread_are_a_gap(tmp_path: Path, rig: AuditRig) -> None:
    # Given a journal of which one file before the present one is kept
    rig.journal.close()
    rig.journal = Journal(tmp_path / JOURNAL_FILE, CLOCK, JournalConfig(sync="never", files_kept=1))
    audit = rig.audit()
    audit.write()
    for trade in range(1, 6):
        rig.journal_fill(11, trade)
        rig.journal.begin_next_file(lambda _: False)
    # If the trail is written only then
    audit.write()
    # I expect what is kept in it, once, and the rest told
    assert rig.rows("SELECT trade_id FROM fills") == [("T5",)]
    assert rig.rows("SELECT ring, first_position, records FROM gaps") == [(JOURNAL_FILE, 3, 7)]
    audit.write()
    assert rig.rows("SELECT count(*) FROM gaps") == [(1,)]


def test_a_recorder_killed_at_any_write_tells_everything_once(
    tmp_path: Path, segment_name: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = AuditRig(tmp_path, create_segment(segment_name(), SegmentKind.RING, ORDER_EVENT, 256))
    rng = random.Random(3)
    fills = 0
    audit = rig.audit()
    for _ in range(60):
        for _ in range(rng.randint(0, 5)):
            fills += 1
            rig.event(OrderEventKind.FILLED, fills, trade=fills)
            rig.journal_fill(fills, fills)
        if rng.random() < 0.5:
            audit.write()
        else:  # killed inside the transaction: what a new process sees is the file without it
            with monkeypatch.context() as patch:

                def killed(*_: object) -> None:
                    raise KeyboardInterrupt

                patch.setattr(Audit, "_take_steps", killed)
                with pytest.raises(KeyboardInterrupt):
                    audit.write()
            if rng.random() < 0.5:
                audit.close()
                audit = rig.audit()
    audit.write()
    assert rig.rows("SELECT count(*) FROM order_events") == [(fills,)]
    assert rig.rows("SELECT count(*) FROM fills") == [(fills,)]
    assert rig.rows("SELECT position FROM sources WHERE name = 'order_events'") == [(fills,)]
    assert rig.rows("SELECT count(*) FROM gaps") == [(0,)]


def test_commands_parameters_and_changes_of_state_are_told_once(rig: AuditRig) -> None:
    journal = CommandJournal(rig.run / "commands" / "strategy.jsonl", CLOCK)
    command = SetParameter(name="strategy.levels", value="1")
    journal.note("cli.py", command, 900, Reply(ok=True, text="set", data={NAME: {"old": 3, "new": 1}}))
    decisions = rig.run / "risk_decisions.jsonl"
    state = {"realtime_ns": 5, "decision": "state", "text": "too far", "scope": "account", "state": "HALTED"}
    limit = SetParameter(name="position_max_base", value="0.5")
    for process, sender, received_ns in (("supervisor", "cli.py", 899), ("risk", "supervisor.py", 901)):
        told = CommandJournal(rig.run / "commands" / f"{process}.jsonl", CLOCK)
        told.note(sender, limit, received_ns, Reply(ok=True, text="set", data={"risk": {"old": 1, "new": 0.5}}))
    decisions.write_text(json.dumps(state) + '\n{"torn')
    for _ in range(2):
        audit = rig.audit()
        audit.write()
        audit.close()
    assert rig.rows("SELECT process, sender, command, ok, answer FROM commands ORDER BY received_ns") == [
        ("supervisor", "cli.py", "set_parameter", 1, "set"),
        ("strategy", "cli.py", "set_parameter", 1, "set"),
        ("risk", "supervisor.py", "set_parameter", 1, "set"),
    ]
    assert rig.rows("SELECT scope, name, old_value, new_value FROM parameter_changes ORDER BY scope") == [
        (NAME, "levels", "3", "1"),
        ("risk", "position_max_base", "1", "0.5"),
    ]
    assert rig.rows("SELECT time_ns, scope, state, text FROM state_changes") == [(5, "account", "HALTED", "too far")]


def test_a_line_that_nobody_understands_is_logged_and_does_not_stop_the_rest(rig: AuditRig) -> None:
    decisions = rig.run / "risk_decisions.jsonl"
    decisions.write_text('[]\nnonsense\n{"realtime_ns": 5, "decision": "state", "text": "fine"}\n')
    audit = rig.audit()
    audit.write()
    assert rig.rows("SELECT text FROM state_changes") == [("fine",)]
    assert (rig.run / "log").read_text().count("line not understood") == 2


def test_a_file_that_may_not_grow_takes_nothing_and_then_everything(rig: AuditRig) -> None:
    """The kernel refuses to let any file of a child process grow, as a quota does; then it may again."""
    audit = rig.audit()
    audit.write()
    audit.close()
    for trade in range(1, 9):
        rig.event(OrderEventKind.FILLED, trade, trade=trade)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os._exit(_write_under_a_limit(rig, writer))
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, os.read(reader, 4096).decode()
    os.close(reader)
    os.close(writer)
    assert rig.rows("SELECT count(*) FROM fills") == [(8,)]
    assert rig.rows("PRAGMA integrity_check") == [("ok",)]


def _write_under_a_limit(rig: AuditRig, told: int) -> int:
    import resource
    import signal

    try:
        audit = rig.audit()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
        for attempt in (audit.write, rig.audit):
            with pytest.raises(sqlite3.OperationalError):
                attempt()
        assert audit.behind == 8
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        audit.write()
        audit.close()
    except BaseException as error:
        os.write(told, repr(error).encode())
        return 1
    return 0


def test_commands_of_files_that_follow_each_other_are_a_row_each(
    rig: AuditRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continued, "FILE_BYTES_MAX", 1000)
    journal = CommandJournal(rig.run / "commands" / "risk.jsonl", CLOCK)
    for number in range(40):
        journal.note("cli", SetParameter(name="risk.x", value=str(number)), number, Reply(ok=True))
        if number % 5 == 4:
            audit = rig.audit()  # as after a kill of the recorder
            audit.write()
            audit.close()
    assert (rig.run / "commands" / "risk.jsonl.4").exists()
    assert rig.rows("SELECT received_ns FROM commands ORDER BY place") == [(number,) for number in range(40)]


def test_commands_and_decisions_that_went_before_they_were_read_are_a_gap(
    rig: AuditRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a trail with two commands, and so many after them that the files which followed are gone
    monkeypatch.setattr(continued, "FILE_BYTES_MAX", 1000)
    path = rig.run / "commands" / "risk.jsonl"
    journal = CommandJournal(path, CLOCK)

    def note(*numbers: int) -> None:
        for number in numbers:
            journal.note("cli", SetParameter(name="risk.x", value=str(number)), number, Reply(ok=True))

    note(0, 1)
    audit = rig.audit()
    audit.write()
    read_bytes = path.stat().st_size
    note(*range(2, 100))
    with monkeypatch.context() as refusing:
        refusing.setattr(audit, "_take_steps", Mock(side_effect=sqlite3.OperationalError))
        with pytest.raises(sqlite3.OperationalError):
            audit.write()
    # If it is written again
    audit.write()
    # I expect the bytes in between told, once, up to the first command that is there, and what is kept read
    oldest = json.loads(path.with_name("risk.jsonl.4").read_bytes().partition(b"\n")[0])["begins_at_byte"]
    assert rig.rows("SELECT ring, first_position, records FROM gaps") == [
        ("commands/risk.jsonl", read_bytes, oldest - read_bytes)
    ]
    found = [number for (number,) in rig.rows("SELECT received_ns FROM commands ORDER BY place")]
    assert found == [0, 1, *range(found[2], 100)]
    assert found[2] > 2
    note(100)
    audit.write()
    assert rig.rows("SELECT count(*) FROM gaps") == [(1,)]
    assert "lines went before they were read" in (rig.run / "log").read_text()
