"""The recorder's work: rings to parts, hours to Parquet, everything of orders and money to the audit trail.

It runs in a thread of its own, so that a disk that hangs does not silence the heartbeat. Nothing here keeps anybody
waiting: the rings are the only buffer, and a slow disk costs records, counted, and nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from actors.recorder import finishing
from actors.recorder.audit import ORDER_EVENTS, Audit, Step
from actors.recorder.damaged import Damaged
from actors.recorder.disk import DISK_ERRORS, Disk
from actors.recorder.finishing_apart import finish_apart
from actors.recorder.footprint import give_back
from actors.recorder.profit import ProfitReader
from actors.recorder.recovery import recover_runs
from actors.recorder.tape import Gap, Tape
from domain.clock import NS_PER_S
from domain.grid import grid_in
from domain.records import INSTRUMENT, RECORDER
from runtime.actor import ActorContext
from runtime.paths import home, write_atomically
from runtime.recordings.columns import KINDS, Recorded
from runtime.recordings.files import DAMAGED_SUFFIX, FOLDER, INSTRUMENTS_FILE, PARQUET_SUFFIX, hour_name, hour_of
from runtime.topology import EXECUTION
from shm.errors import RecordBusyError
from shm.ring import RingReader

ROOM_CHECK_NS = NS_PER_S
GIVE_BACK_NS = NS_PER_S // 2
QUIET_NS = 60 * NS_PER_S  # so long after the hour its file is closed although nothing newer has come


class Recording:
    """One life of the recorder. `cycle` does all that is due; `finish` ends it."""

    def __init__(self, ctx: ActorContext) -> None:
        """Attach to what is shared; the disk is not touched before the first cycle."""
        self._ctx = ctx
        self._clock = ctx.clock
        self._log = ctx.log
        self._config = ctx.config.recorder
        self._folder = ctx.run_dir / FOLDER
        self._lock: int | None = None
        self.disk = Disk(ctx.run_dir, self._config.free_mb_min, self._clock, self._log)
        self._steps: dict[str, Step] = {}
        self._instruments = ctx.table_reader("instruments")
        self._audit: Audit | None = None
        self._tapes: list[Tape] | None = None
        self._profit = ProfitReader(ctx) if EXECUTION in ctx.topology.actor_names else None
        self._pnl_due_ns = 0
        self._room_due_ns = 0
        self._give_back_due_ns = 0
        self._is_ending = False
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="finishing")
        self._finishing: list[Future[int]] = []
        self._state = ctx.table_writer("recorder")
        self._stage = ctx.histogram("record")
        self._counted = dict.fromkeys(("rows", "lost", "gaps", "audit_rows", "disk_faults"), 0)
        self._gaps_seen = 0
        self._damaged_records = 0
        self._recovers = ctx.epoch == 1
        self._has_old_hours = False

    # ---- the work ------------------------------------------------------------------------------------

    def cycle(self) -> None:
        """Write what has come, if the disk takes it."""
        if self.disk.may_try:
            started_ns = self._clock.monotonic_ns()
            try:
                self._check_room(started_ns)
                self._write(started_ns)
            except DISK_ERRORS as error:
                self.disk.refuses(error)
            else:
                self.disk.takes()
            self._stage.record(self._clock.monotonic_ns() - started_ns)
            if started_ns >= self._give_back_due_ns:
                give_back()
                self._give_back_due_ns = started_ns + GIVE_BACK_NS
        self._collect_finished()
        self._show()

    def finish(self) -> None:
        """Write what is left, turn every part into Parquet, and close."""
        self._is_ending = True  # who finishes an hour just now is waited for
        self._pnl_due_ns = 0
        self._room_due_ns = 0
        self.disk.look_again()
        self.cycle()
        if not self.disk.trouble:
            for tape in self._tapes or ():
                tape.close()
            for name in {tape.kind.name for tape in self._tapes or ()}:  # this process ends: it may grow
                finish_all = partial(finishing.finish_all, self._folder / name, on_damage=self._on_damage)
                self._finishing.append(self._pool.submit(finish_all))
        self._pool.shutdown(wait=True)
        self._collect_finished()
        if self._audit is not None:
            self._audit.close()
        self._show()
        if self._lock is not None:
            os.close(self._lock)

    # ---- inside --------------------------------------------------------------------------------------

    def _check_room(self, now_ns: int) -> None:
        if now_ns >= self._room_due_ns or self.disk.trouble:
            self.disk.check_room()
            self._room_due_ns = now_ns + ROOM_CHECK_NS

    def _write(self, now_ns: int) -> None:
        if self._lock is None:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = finishing.try_lock(self._folder)
            if self._lock is None:
                raise BlockingIOError("another session's recorder finishes the files of this run")
        self._learn_instruments()
        if self._audit is None:
            self._audit = self._open_audit()
        if self._tapes is None:
            self._tapes = self._open_tapes()
            self._has_old_hours = self._ctx.epoch > 1
        begun = hour_of(self._clock.realtime_ns() - QUIET_NS)  # a quiet ring's hour ends, too
        for tape in self._tapes:
            ended = tape.write()
            if hour := tape.begin_hour(begun):
                ended.append(hour)
            for hour in ended:
                self._finish_later(tape.kind, hour)
        if self._has_old_hours:  # now that what could be read again of them is written
            self._has_old_hours = False
            self._finish_old_hours()
        pnl = None
        if self._profit is not None and now_ns >= self._pnl_due_ns:
            pnl = self._profit.read()
        self._audit.write(pnl)
        if pnl is not None:
            self._pnl_due_ns = now_ns + int(self._config.pnl_interval_s * NS_PER_S)
        if self._recovers:
            self._recovers = False
            self._finishing.append(self._pool.submit(self._recover_runs))

    def _open_tapes(self) -> list[Tape]:
        """Return a tape for each ring that is recorded, from where an earlier life of this run left it."""
        ctx = self._ctx
        tapes = []
        for kind in KINDS:
            if kind.name not in self._config.kinds:
                continue
            folder = self._folder / kind.name
            for ring, actor in self._rings_of(kind):
                folder.mkdir(mode=0o700, exist_ok=True)
                position = finishing.next_position(folder, actor, on_fault=self._on_unread) if ctx.epoch > 1 else None
                reader = self._reader(ring, position)
                tapes.append(Tape(kind, ring, actor, reader, folder, ctx.epoch, ctx.instrument_names, self._on_gap))
        return tapes

    def _rings_of(self, kind: Recorded) -> list[tuple[str, str]]:
        """Return (ring, the actor that writes it) of a kind; none where nobody writes such a ring."""
        return [
            (spec.name, spec.writer)
            for spec in self._ctx.topology.segments()
            if spec.name.partition(".")[0] == kind.name and spec.record is kind.record
        ]

    def _reader(self, ring: str, position: int | None) -> RingReader:
        return self._ctx.ring_reader(ring, position or 0)  # what is no longer there is a gap like any other

    def _open_audit(self) -> Audit:
        ctx = self._ctx

        def open_ring(position: int | None) -> RingReader:
            return self._reader(ORDER_EVENTS, position)

        return Audit(
            ctx.run_dir,
            open_ring if EXECUTION in ctx.topology.actor_names else None,
            ctx.instrument_names,
            self._steps.get,
            self._clock,
            self._log,
        )

    def _learn_instruments(self) -> None:
        """Keep tick and lot of each instrument, once market data has told them."""
        table, names = self._instruments, self._ctx.instrument_names
        if len(self._steps) == len(names):
            return
        found: dict[str, dict[str, Any]] = {}
        for row, name in enumerate(names):
            try:
                if not table.load(row):
                    continue
            except RecordBusyError:
                continue
            grid = grid_in(table)
            found[name] = {
                **grid._asdict(),
                "underlying": table.latest["underlying"][0].decode(),
                "kind": table.ints[INSTRUMENT.word("kind")],
                "expiry_ns": table.ints[INSTRUMENT.word("expiry_ns")],
            }
        if len(found) > len(self._steps):
            write_atomically(self._folder / INSTRUMENTS_FILE, json.dumps(found, indent=1).encode())
            for name, told in found.items():
                tick, lot = Decimal(repr(told["tick_size"])), Decimal(repr(told["lot_size"]))
                self._steps[name] = Step(tick, lot, told["contract_multiplier"])

    def _on_gap(self, gap: Gap) -> None:
        assert self._audit is not None, "tapes are written before the trail is open"
        self._audit.note_gap(gap)
        self._log.warning("records lost", ring=gap.ring, first_position=gap.first_position, records=gap.records)
        self._gaps_seen += 1

    # ---- hours that have ended -----------------------------------------------------------------------

    def _finish_later(self, kind: Recorded, hour: int) -> None:
        """Turn the parts of `hour` into Parquet in the background, once no tape of the kind writes it any more."""
        if any(tape.hour == hour for tape in self._tapes or () if tape.kind is kind):
            return
        folder = self._folder / kind.name
        self._finishing.append(self._pool.submit(self._finish_apart, folder, hour=hour_name(hour)))

    def _finish_old_hours(self) -> None:
        """Finish what an earlier life left of hours that are over; the present hour waits for its end."""
        present, life = hour_name(hour_of(self._clock.realtime_ns())), self._ctx.epoch
        for folder in (self._folder / kind for kind in self._config.kinds):
            if folder.exists():
                task = partial(self._finish_apart, folder, but_hour=present, lives_before=life)
                self._finishing.append(self._pool.submit(task))

    def _finish_apart(self, folder: Path, **what: Any) -> int:
        return finish_apart(folder, **what, is_awaited=lambda: self._is_ending, on_damage=self._on_damage)

    def _recover_runs(self) -> int:
        """Finish the recordings of earlier runs, for as long as nobody waits for our own."""

        def finish(folder: Path) -> int:
            return finish_apart(
                folder, is_given_up=lambda: self._is_ending, on_damage=partial(self._log_damage, folder)
            )

        return recover_runs(home() / "runs", finish, lambda: self._is_ending, self._log)

    def _on_damage(self, damaged: Damaged) -> None:
        """Count what was lost of this run's own parts; called where hours are finished, one after the other."""
        self._log_damage(self._folder / damaged.ring.partition(".")[0], damaged)
        self._damaged_records += damaged.records
        self._gaps_seen += damaged.records > 0

    def _on_unread(self, path: Path, error: Exception) -> None:
        self._log.error(
            "a file of an earlier life cannot be read: what the ring still holds may be recorded twice",
            file=str(path),
            reason=str(error),
        )

    def _log_damage(self, folder: Path, damaged: Damaged) -> None:
        if damaged.part.endswith(PARQUET_SUFFIX):
            self._log.error(
                "a Parquet file is torn and set aside", file=str(folder / f"{damaged.part}{DAMAGED_SUFFIX}")
            )
            return
        self._log.error(
            "a part is damaged: what is legible is in the file of its hour, and the part is kept",
            part=str(folder / f"{damaged.part}{DAMAGED_SUFFIX}"),
            first_position=damaged.first_position,
            records=damaged.records,
        )

    def _collect_finished(self) -> None:
        for future in [future for future in self._finishing if future.done()]:
            self._finishing.remove(future)
            error = future.exception()
            if error is None:
                self._ctx.counters.add("files", future.result())
            else:
                self._log.error("parts stay as they are, readable; the next start tries again", reason=str(error))

    # ---- what others see -----------------------------------------------------------------------------

    def _show(self) -> None:
        tapes: Sequence[Tape] = self._tapes or ()
        audit = self._audit
        lost = sum(tape.lost for tape in tapes) + (audit.lost if audit is not None else 0) + self._damaged_records
        counts = {
            "rows": sum(tape.rows for tape in tapes),
            "lost": lost,
            "gaps": self._gaps_seen,
            "audit_rows": audit.rows if audit is not None else 0,
            "disk_faults": self.disk.faults,
        }
        for name, count in counts.items():
            self._ctx.counters.add(name, count - self._counted[name])
        self._counted = counts
        ints = self._state.ints
        ints[RECORDER.word("updated_time_ns")] = self._clock.monotonic_ns()
        ints[RECORDER.word("is_writing")] = not self.disk.trouble
        ints[RECORDER.word("trouble_since_realtime_ns")] = self.disk.since_realtime_ns
        ints[RECORDER.word("rows")] = counts["rows"]
        ints[RECORDER.word("lost")] = lost
        ints[RECORDER.word("behind")] = sum(tape.behind for tape in tapes) + (audit.behind if audit is not None else 0)
        self._state.scratch["trouble"][0] = self.disk.trouble.encode()[:40]
        self._state.publish(0)
