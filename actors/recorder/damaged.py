"""Parts that the disk has spoilt: what is missing in them, and where that is told."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from runtime.recordings.audit import FILE_NAME
from runtime.recordings.files import PartName, batches
from runtime.recordings.stream import Damage

UNKNOWN = -1
_BUSY_S = 5.0


class Damaged(NamedTuple):
    """A damage in a part, by the records that are missing there.

    Attributes:
        part: name of its file.
        ring: that it recorded.
        first_position: of the first record that is missing; UNKNOWN where no record of the part is legible.
        records: missing: counted where records follow, else as many as the part's own descriptions tell, at least one;
            without those that a later life has read again.
    """

    part: str
    ring: str
    first_position: int
    records: int


def batches_told(path: Path, damaged: list[Damaged]) -> Iterator[Any]:
    """Yield what is legible of a part; what is not is added to `damaged`.

    Raises:
        OSError: the disk does not give its bytes.
    """
    ring = PartName.of(path).ring
    expected = UNKNOWN
    passed: list[Damage] = []
    for batch in batches(path, on_damage=passed.append):
        positions = batch.column("position")
        if passed:
            first, told = positions[0].as_py(), sum(damage.rows for damage in passed)
            begin = first - told if expected == UNKNOWN else expected
            damaged.append(Damaged(path.name, ring, begin, max(0, first - begin)))
            passed.clear()
        expected = positions[-1].as_py() + 1
        yield batch
    if passed:
        damaged.append(Damaged(path.name, ring, expected, sum(damage.rows for damage in passed) or 1))


def less_read_again(damaged: Damaged, parts: Sequence[Path]) -> Damaged:
    """Return a damage without what parts of later lives hold: they go on where the part can be read to."""
    if damaged.first_position == UNKNOWN:
        return damaged
    own = PartName.of(Path(damaged.part))
    later = [path for path in parts if PartName.of(path).ring == own.ring and PartName.of(path).life > own.life]
    first, end = damaged.first_position, damaged.first_position + damaged.records
    held: set[int] = set()
    for path in later:
        with suppress(OSError):  # then it holds what came before the fault, as far as we know
            for batch in batches(path, ["position"]):
                positions = batch.column("position")
                if positions[0].as_py() >= end:
                    break
                held.update(position for position in positions.to_pylist() if first <= position < end)
    while first in held:
        first += 1
    return damaged._replace(first_position=first, records=damaged.records - len(held))


def note_gaps(run: Path, damaged: Sequence[Damaged]) -> None:
    """Tell what is missing in `gaps` of the run's audit trail. A gap that its recorder told there itself stays."""
    now_ns = time.time_ns()
    rows = [(one.ring, one.first_position, one.records, now_ns) for one in damaged if one.records]
    if not rows or not (run / FILE_NAME).exists():
        return
    try:
        with closing(sqlite3.connect(run / FILE_NAME, timeout=_BUSY_S, isolation_level=None)) as connection:
            connection.executemany("INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?)", rows)
    except sqlite3.Error:
        return  # an old trail, or none any more: the Parquet file and the log tell it, too
