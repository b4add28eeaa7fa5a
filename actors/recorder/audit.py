"""Writes the audit trail: everything that came since the last time in one transaction, with the places read up to.

So each line of a source is there once, whenever the process was killed: either the rows and the place are in the file,
or neither is, and they are read again. Fills have a key of their own besides: the ring tells them at once, execution's
journal tells them exactly and also when the ring was overtaken, the history of the venue (through the journal) brings
what they cost.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from actors.execution.journal_format import Charged, Entry, Filled, Sent
from actors.recorder.followed_journal import FollowedJournal
from actors.recorder.lines import Follower, Line
from actors.recorder.tape import Gap
from domain.clock import Clock
from domain.codes import OrderEventKind
from domain.order import LiquiditySide, Side
from runtime.command_journal import COMMANDS_FOLDER
from runtime.logs import Logger
from runtime.paths import JOURNAL_FILE
from runtime.recordings.audit import FILE_NAME, SCHEMA, SCHEMA_VERSION
from runtime.topology import SUPERVISOR
from shm.ring import RingReader

ORDER_EVENTS = "order_events"
DECISIONS = "risk_decisions.jsonl"
EVENTS_AT_ONCE = 4096
PAGE_CACHE_KB = 512  # it fills as the file grows, at 20 to 40 orders a second within a minute
_UNREADABLE = (ValueError, KeyError, TypeError)

_FILL_SQL = """
INSERT INTO fills (trade_id, venue_order_id, leg_index, time_ns, instrument, side, price, size,
                   client_order_id, liquidity, wish_id, position_lots, exchange_time_ns)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    client_order_id = COALESCE(excluded.client_order_id, client_order_id),
    liquidity = COALESCE(excluded.liquidity, liquidity), wish_id = COALESCE(excluded.wish_id, wish_id),
    position_lots = COALESCE(excluded.position_lots, position_lots),
    exchange_time_ns = COALESCE(excluded.exchange_time_ns, exchange_time_ns)
"""
_EXACT_FILL_SQL = """
INSERT INTO fills (trade_id, venue_order_id, leg_index, time_ns, instrument, side, price, size,
                   client_order_id, exchange_time_ns)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET price = excluded.price, size = excluded.size
"""
_FEE_SQL = "UPDATE fills SET fee = ?, realised_pnl = ? WHERE trade_id = ? AND venue_order_id = ? AND leg_index = ?"


class Step(NamedTuple):
    """What an instrument's ticks and lots are, for rows that count in them."""

    tick_size: Decimal
    lot_size: Decimal
    contract_multiplier: float


class Audit:
    """The open audit trail and its sources.

    Attributes:
        rows: written by this process.
        lost: order events that this process found overwritten.
    """

    def __init__(
        self,
        run: Path,
        open_ring: Callable[[int | None], RingReader] | None,
        instruments: Sequence[str],
        step_of: Callable[[str], Step | None],
        clock: Clock,
        log: Logger,
    ) -> None:
        """Open or create it, and find the place in each source.

        Args:
            open_ring: returns a reader of the order events from a position on (None = the first); None where nobody
                trades.
            step_of: tick and lot of an instrument, as market data confirmed it.

        Raises:
            sqlite3.Error: when the disk refuses.
        """
        self.rows = 0
        self.lost = 0
        self._run = run
        self._instruments = instruments
        self._step_of = step_of
        self._clock = clock
        self._log = log
        self._connection = sqlite3.connect(run / FILE_NAME, isolation_level=None, check_same_thread=False)
        try:
            self._create()
            self._places = {
                name: (epoch, position)
                for name, epoch, position in self._connection.execute("SELECT name, epoch, position FROM sources")
            }
        except sqlite3.Error:
            self._connection.close()
            raise
        _, position = self._places.get(ORDER_EVENTS, (0, None))
        self._events = open_ring(position) if open_ring is not None else None
        self._events_next = self._events.position if self._events is not None else 0
        self._journal = FollowedJournal(run / JOURNAL_FILE, *self._places.get(JOURNAL_FILE, (0, 0)))
        self._followers = {DECISIONS: self._follower(DECISIONS)}
        self._steps_told: set[str] = set()

    def note_gap(self, gap: Gap) -> None:
        """Write down at once what was lost of another ring. The next life may find the same gap, and it longer.

        Raises:
            sqlite3.Error: when the disk refuses.
        """
        row = (gap.ring, gap.first_position, gap.records, self._clock.realtime_ns())
        self._connection.execute("INSERT OR REPLACE INTO gaps VALUES (?, ?, ?, ?)", row)

    def write(self, pnl: dict[str, Any] | None = None) -> None:
        """Take what is new in every source, and `pnl`, in one transaction.

        Raises:
            sqlite3.Error: when the disk refuses; then nothing was taken, and it comes again.
        """
        before = self._total()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            lost = self._take_all(pnl)
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self.lost += lost
        self.rows += self._total() - before
        if self._events is not None:
            self._events_next = self._events.position
        self._places[JOURNAL_FILE] = self._journal.place
        for name, follower in self._followers.items():
            self._places[name] = (0, follower.offset)

    def close(self) -> None:
        self._connection.close()

    @property
    def behind(self) -> int:
        """Order events published and not written yet."""
        return self._events.head - self._events.position if self._events is not None else 0

    # ---- inside --------------------------------------------------------------------------------------

    def _create(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")  # a crash of the machine may take the last seconds
        self._connection.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KB}")
        self._connection.executescript(SCHEMA)
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _take_all(self, pnl: dict[str, Any] | None) -> int:
        lost = self._take_order_events()
        self._take_commands()
        self._take_journal()
        self._follow(DECISIONS, self._take_decision)
        if pnl is not None:
            self._insert("pnl", [tuple(pnl.values())])
        self._take_steps()
        return lost

    def _roll_back(self) -> None:
        """Undo, and put every source back to where the file says it is."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if self._events is not None:
            self._events.position = self._events_next
        self._journal.skipped.clear()
        self._journal.go_to(*self._places.get(JOURNAL_FILE, (0, 0)))
        for name, follower in self._followers.items():
            follower.skipped.clear()
            follower.offset = self._places.get(name, (0, 0))[1]

    def _take_order_events(self) -> int:
        if self._events is None:
            return 0
        expected, lost = self._events_next, 0
        while len(rows := self._events.read(EVENTS_AT_ONCE)):
            first = int(rows["sequence"][0]) - 1
            if first > expected:
                lost += first - expected
                gap = (ORDER_EVENTS, expected, first - expected, self._clock.realtime_ns())
                self._insert("gaps", [gap])
            expected = first + len(rows)
            self._insert("order_events", [self._event(row) for row in rows])
            fills = [self._fill(row) for row in rows[rows["kind"] == OrderEventKind.FILLED]]
            self._connection.executemany(_FILL_SQL, fills)
        if expected != self._events_next:
            self._keep_place(ORDER_EVENTS, self._events.epoch, expected)
        return lost

    def _event(self, row: Any) -> tuple[Any, ...]:
        return (
            int(row["sequence"]) - 1,
            int(row["local_realtime_ns"]),
            OrderEventKind(row["kind"]).name.lower(),
            self._instruments[row["instrument"]],
            int(row["client_order_id"]),
            row["venue_order_id"].decode(),
            Side(row["side"]).name.lower(),
            *(int(row[name]) for name in ("price_ticks", "size_lots", "remaining_lots", "position_lots", "wish_id")),
            row["reason"].decode(),
            *(int(row[name]) for name in ("venue_code", "exchange_time_ns", "local_time_ns")),
        )

    def _fill(self, row: Any) -> tuple[Any, ...]:
        name = self._instruments[row["instrument"]]
        step = self._step_of(name)
        price, size = (
            ("", "")
            if step is None  # the journal brings them
            else (str(int(row["price_ticks"]) * step.tick_size), str(int(row["size_lots"]) * step.lot_size))
        )
        return (
            row["trade_id"].decode(),
            row["venue_order_id"].decode(),
            int(row["leg_index"]),
            int(row["local_realtime_ns"]),
            name,
            Side(row["side"]).name.lower(),
            price,
            size,
            int(row["client_order_id"]) or None,
            LiquiditySide(row["liquidity_side"]).name.lower() if row["liquidity_side"] else None,
            int(row["wish_id"]) or None,
            int(row["position_lots"]),
            int(row["exchange_time_ns"]) or None,
        )

    # ---- files that others write ---------------------------------------------------------------------

    def _follower(self, name: str) -> Follower:
        return Follower(self._run / name, self._places.get(name, (0, 0))[1])

    def _follow(self, name: str, take: Callable[[Line], None]) -> None:
        follower = self._followers[name]
        before = follower.offset
        while lines := follower.read():
            for line in lines:
                try:
                    take(line)
                except _UNREADABLE as error:
                    self._log.warning("line not understood", file=name, offset=line.offset, reason=repr(error))
        for offset, size_bytes in follower.skipped:  # while nothing was recorded, more came than is kept
            self._log.warning("lines went before they were read", file=name, offset=offset, bytes=size_bytes)
            self._insert("gaps", [(name, offset, size_bytes, self._clock.realtime_ns())])
        follower.skipped.clear()
        if follower.offset != before:
            self._keep_place(name, 0, follower.offset)

    def _take_journal(self) -> None:
        """Take what execution wrote down: what it sent, what was filled, what that cost."""
        before = self._journal.place
        while entries := self._journal.read():
            for place, entry in entries:
                self._take_entry(place, entry)
        for first_number, missed in self._journal.skipped:  # deleted or damaged before they were read
            self._log.warning("entries of the journal went before they were read", first=first_number, entries=missed)
            self._insert("gaps", [(JOURNAL_FILE, first_number, missed, self._clock.realtime_ns())])
        self._journal.skipped.clear()
        if self._journal.place != before:
            self._keep_place(JOURNAL_FILE, *self._journal.place)

    def _take_entry(self, place: int, entry: Entry) -> None:
        if isinstance(entry, Filled):
            key = (entry.trade_id, entry.venue_order_id, entry.leg_index)
            terms = (entry.realtime_ns, entry.instrument, entry.side, str(entry.price), str(entry.size))
            own = (entry.client_order_id or None, entry.exchange_time_ns or None)
            self._connection.execute(_EXACT_FILL_SQL, (*key, *terms, *own))
        elif isinstance(entry, Charged):
            key = (entry.trade_id, entry.venue_order_id, entry.leg_index)
            self._connection.execute(_FEE_SQL, (str(entry.fee), str(entry.realised_pnl), *key))
        elif isinstance(entry, Sent):
            price, size = (None if value is None else str(value) for value in (entry.price, entry.size))
            row = (
                place, entry.realtime_ns, entry.monotonic_ns, entry.message.lower(), entry.client_order_id,
                entry.venue_order_id, entry.instrument, entry.side or None, price, size, entry.wish_id or None,
            )  # fmt: skip
            self._insert("orders_sent", [row])

    def _take_decision(self, line: Line) -> None:
        """Take a line of what risk decided."""
        numbers = dict(line.content)
        time_ns, decision, text = numbers.pop("realtime_ns"), numbers.pop("decision"), numbers.pop("text", "")
        known = [numbers.pop(name, None) for name in ("scope", "state", "reason")]
        row = (line.offset, time_ns, decision, *known, text, json.dumps(numbers))
        self._insert("risk_decisions", [row])

    def _take_commands(self) -> None:
        """Take what each process noted of the commands that it handled."""
        for path in sorted((self._run / COMMANDS_FOLDER).glob("*.jsonl")):
            name = f"{COMMANDS_FOLDER}/{path.name}"
            if name not in self._followers:
                self._followers[name] = self._follower(name)
            self._follow(name, lambda line, process=path.stem: self._take_command(process, line))  # type: ignore[misc]

    def _take_command(self, process: str, line: Line) -> None:
        told = line.content
        row = (
            process, line.offset, told["received_ns"], told["answered_ns"], told["sender"], told["command"],
            json.dumps(told["content"]), int(told["ok"]), told["answer"], json.dumps(told["data"]),
        )  # fmt: skip
        self._insert("commands", [row])
        if told["command"] != "set_parameter" or not told["ok"] or process == SUPERVISOR:
            return  # the supervisor only passes them on
        name = told["content"]["name"].rpartition(".")[2]
        changes = [
            (process, line.offset, scope, told["answered_ns"], name, _text(values["old"]), _text(values["new"]))
            for scope, values in told["data"].items()
        ]
        self._insert("parameter_changes", changes)

    # ---- small ones ----------------------------------------------------------------------------------

    def _take_steps(self) -> None:
        for name in self._instruments:
            step = self._step_of(name) if name not in self._steps_told else None
            if step is not None:
                row = (name, float(step.tick_size), float(step.lot_size), step.contract_multiplier)
                self._insert("instruments", [row])
                self._steps_told.add(name)

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            places = ", ".join("?" * len(rows[0]))
            self._connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({places})", rows)

    def _keep_place(self, name: str, epoch: int, position: int) -> None:
        self._connection.execute("INSERT OR REPLACE INTO sources VALUES (?, ?, ?)", (name, epoch, position))

    def _total(self) -> int:
        return self._connection.total_changes


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
