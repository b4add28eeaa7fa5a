"""Files of a recording: RUN/recordings/KIND/HOUR.parquet, and HOUR.LIFE.RING.part while the hour is written.

A part is an Arrow stream: a schema, then batch after batch. It can be read while it grows and after its writer was
killed: a batch that was not finished is not there. When its hour is over, the parts of the hour become one Parquet
file, which carries their names, so that a part that was left beside it is not taken twice. A part that the disk has
spoilt is kept beside it, as HOUR.LIFE.RING.part.damaged.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from domain.clock import NS_PER_S
from domain.errors import UserError
from runtime.recordings.stream import Damage, read_stream

FOLDER = "recordings"
INSTRUMENTS_FILE = "instruments.json"
METADATA_KEY = "ringmaker"
PARQUET_SUFFIX = ".parquet"
PART_SUFFIX = ".part"
DAMAGED_SUFFIX = ".damaged"  # of a part that does not go, for not all of it could be read
HOUR_NS = 3600 * NS_PER_S


class RecordingError(UserError):
    """A recording that cannot be read as asked: which file, and what to do."""


class NotRecordedError(RecordingError):
    """There is none."""


def hour_of(realtime_ns: int) -> int:
    """Return the hour of a Unix time in ns, counted from the epoch."""
    return realtime_ns // HOUR_NS


def hour_name(hour: int) -> str:
    """Return an hour as files are named: `2026-11-21T11`, UTC."""
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H")


class PartName(NamedTuple):
    """What the name of a part says; `life` counts the recorder's starts."""

    hour: str
    life: int
    ring: str

    @property
    def file_name(self) -> str:
        return f"{self.hour}.{self.life}.{self.ring}{PART_SUFFIX}"

    @classmethod
    def of(cls, path: Path) -> PartName:
        hour, life, ring = path.name.removesuffix(PART_SUFFIX).split(".", 2)
        return cls(hour, int(life), ring)


def parts_of(folder: Path) -> list[Path]:
    """Return the parts in the folder of a kind, oldest first."""
    return sorted(folder.glob(f"*{PART_SUFFIX}"), key=lambda path: PartName.of(path))


def files_of(run: Path, kind: str) -> list[Path]:
    """Return all files of a kind in a run, finished and unfinished, oldest first, none told twice.

    Raises:
        NotRecordedError: when the run has none.
        RecordingError: when a file of it cannot be read.
    """
    folder = run / FOLDER / kind
    finished = sorted(folder.glob(f"*{PARQUET_SUFFIX}"))
    taken: set[str] = set()
    for path in finished:
        with _said_of(path):
            taken.update(metadata_of(path).get("parts", []))
    found = [*finished, *(path for path in parts_of(folder) if path.name not in taken)]
    if not found:
        raise NotRecordedError(f"{folder}: no recording of {kind} in this run; was [recorder] enabled, with this kind?")
    return sorted(found, key=lambda path: (path.name.split(".")[0], path.suffix == PART_SUFFIX, path.name))


@contextlib.contextmanager
def _said_of(path: Path) -> Iterator[None]:
    """Have what the disk refuses of a file, or what is torn in it, be a RecordingError."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise RecordingError(
            f"{path}: cannot be read ({reason}); what is beside it can, once it is moved away"
        ) from None


def metadata_of(path: Path) -> dict[str, Any]:
    """Return what a Parquet file of ours says of itself; empty when it is not ours.

    Raises:
        OSError: the disk does not give its bytes.
        pyarrow.ArrowException: it is no Parquet file, or torn.
    """
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path).metadata or {}
    found = metadata.get(METADATA_KEY.encode())
    return dict(json.loads(found)) if found else {}


def batches(
    path: Path, columns: list[str] | None = None, on_damage: Callable[[Damage], None] = lambda _damage: None
) -> Iterator[Any]:
    """Yield the Arrow batches of a file, finished or not; what a killed writer left unfinished is left out.

    Args:
        on_damage: told of what cannot be read of a part, between the batches before and behind it. It is missing in
            the positions, too.

    Raises:
        OSError: the disk does not give its bytes.
    """
    import pyarrow.parquet as pq

    if path.suffix == PARQUET_SUFFIX:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(columns=columns)
        return
    for batch in read_stream(path, on_damage):
        yield batch if columns is None else batch.select(columns)


def table(run: Path, kind: str, columns: list[str] | None = None) -> Any:
    """Return a kind of a run as one Arrow table, the hour that is being written included.

    Raises:
        NotRecordedError: when the run has none.
        RecordingError: when a file of it cannot be read.
    """
    import pyarrow as pa

    found: list[Any] = []
    for path in files_of(run, kind):
        with _said_of(path):
            found += batches(path, columns)
    if not found:
        raise NotRecordedError(f"{run / FOLDER / kind}: no rows recorded yet")
    return pa.Table.from_batches([batch.replace_schema_metadata(None) for batch in found])


def instruments_of(run: Path) -> dict[str, dict[str, Any]]:
    """Return tick size, lot size and the rest of each instrument of a run, by name.

    Raises:
        RecordingError: when the recorder never learned of any.
    """
    path = run / FOLDER / INSTRUMENTS_FILE
    with contextlib.suppress(FileNotFoundError):
        return dict(json.loads(path.read_bytes()))
    raise RecordingError(f"{path}: missing: market data told nothing of any instrument in this run")


def rows_where(run: Path, kind: str, instrument: str, column: str, values: Sequence[int]) -> list[dict[str, Any]]:
    """Return the rows of an instrument in which `column` is one of `values`, in order, without reading all the rest.

    Raises:
        NotRecordedError: when the run has no recording of the kind.
        RecordingError: when a file of it cannot be read.
    """
    found: list[dict[str, Any]] = []
    for path in files_of(run, kind):
        with _said_of(path):
            found += _rows_where(path, instrument, column, values)
    return found


def _rows_where(path: Path, instrument: str, column: str, values: Sequence[int]) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = []
    if path.suffix == PARQUET_SUFFIX:
        wanted = [("instrument", "=", instrument), (column, "in", list(values))]
        found += pq.read_table(path, filters=wanted).to_pylist()
        return found
    for batch in batches(path):
        is_wanted = pc.and_(
            pc.equal(batch.column("instrument"), instrument),
            pc.is_in(batch.column(column), value_set=pa.array(values, pa.int64())),
        )
        found += batch.filter(is_wanted).to_pylist()
    return found
