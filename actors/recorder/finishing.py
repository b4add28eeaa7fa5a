"""Parts → one Parquet file for each kind and hour; also those that a killed recorder left, in this run or before it.

The file is written beside its name, synced and renamed; only when it was read back do the parts go. It carries their
names: a part that outlived a kill between the two is deleted at the next start and not taken twice.

A part that could not be read in whole does not go: what is legible is in the file, what is missing stands in `gaps` of
the run's audit trail, and the part itself stays under the name of a damaged one.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from actors.recorder.damaged import UNKNOWN, Damaged, batches_told, less_read_again, note_gaps
from runtime.recordings.columns import KINDS_BY_NAME, SCHEMA_VERSION, schema_of
from runtime.recordings.files import (
    DAMAGED_SUFFIX,
    FOLDER,
    METADATA_KEY,
    PARQUET_SUFFIX,
    PartName,
    batches,
    metadata_of,
    parts_of,
)

GROUP_BYTES = 32 << 20
GROUP_ROWS = 1 << 17
LIVES_MAX = 1 << 62
LOCK_FILE = ".lock"
_TEMPORARY_SUFFIX = ".parquet.new"


def finish(
    folder: Path, hour: str, *, lives_before: int = LIVES_MAX, on_damage: Callable[[Damaged], None] = lambda _part: None
) -> Path | None:
    """Turn the parts of an hour in the folder of a kind into HOUR.parquet, together with what stands there already.

    Args:
        lives_before: parts of this life of the recorder and later ones are left alone: they may still be written.
        on_damage: told of each part, or file of before, that could not be read in whole, when it has its new name.

    Returns:
        the file; None when the parts held nothing and there is none.

    Raises:
        OSError: the disk refuses, or the file cannot be read back: then the parts stay.
    """
    target = folder / f"{hour}{PARQUET_SUFFIX}"
    if target.exists():
        _set_aside_if_torn(target, on_damage)
    known = metadata_of(target) if target.exists() else {}
    taken = set(known.get("parts", []))
    damaged = [Damaged(**found) for found in known.get("damaged", [])]
    parts = [path for path in parts_of(folder) if _is_meant(path, hour, lives_before)]
    fresh = [path for path in parts if path.name not in taken]
    if fresh:
        sources = ([target] if target.exists() else []) + fresh
        names = sorted(taken | {path.name for path in fresh})
        damaged = _merge(folder.name, sources, target, {**known, "parts": names}, damaged)
    for path in parts:
        found = [one for one in damaged if one.part == path.name]
        if not found:
            path.unlink(missing_ok=True)
            continue
        note_gaps(folder.parents[1], found)
        path.rename(path.with_name(path.name + DAMAGED_SUFFIX))
        for one in found:
            on_damage(one)
    return target if target.exists() else None


def _set_aside_if_torn(path: Path, on_damage: Callable[[Damaged], None]) -> None:
    """Give a Parquet file that is none another name: nobody can read it, and it is in the way of the parts.

    Raises:
        OSError: the disk does not give its bytes, or refuses.
    """
    try:
        metadata_of(path)
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and (error.errno is not None or not path.is_file()):
            raise  # without a number it is Arrow's word on what it has read
        path.rename(path.with_name(path.name + DAMAGED_SUFFIX))
        on_damage(Damaged(path.name, path.parent.name, UNKNOWN, 0))


def finish_all(
    folder: Path,
    *,
    but_hour: str = "",
    lives_before: int = LIVES_MAX,
    on_damage: Callable[[Damaged], None] = lambda _part: None,
) -> int:
    """Finish every hour in the folder of a kind, but one that goes on; return how many files that gave.

    Raises:
        OSError: of the first hour that could not be finished, when all were tried.
    """
    for path in folder.glob(f"*{_TEMPORARY_SUFFIX}"):
        if not _has_living_writer(path):
            path.unlink(missing_ok=True)
    faults: list[OSError | pa.ArrowException] = []
    for path in sorted(folder.glob(f"*{PARQUET_SUFFIX}")):
        try:
            _set_aside_if_torn(path, on_damage)
        except OSError as error:
            faults.append(error)
    files = 0
    for hour in sorted({PartName.of(path).hour for path in parts_of(folder)} - {but_hour}):
        try:
            files += finish(folder, hour, lives_before=lives_before, on_damage=on_damage) is not None
        except (OSError, pa.ArrowException) as error:  # of this hour alone, most likely: the others need not wait
            faults.append(error)
    if faults:
        raise faults[0]
    return files


def _has_living_writer(temporary: Path) -> bool:
    pid = temporary.name.removesuffix(_TEMPORARY_SUFFIX).rpartition(".")[2]
    return pid.isdigit() and int(pid) != os.getpid() and Path(f"/proc/{pid}").exists()


def _is_meant(path: Path, hour: str, lives_before: int) -> bool:
    name = PartName.of(path)
    return name.hour == hour and name.life < lives_before


def unfinished_runs(
    runs: Path, on_fault: Callable[[Path, OSError], None] = lambda _folder, _error: None
) -> Iterator[Path]:
    """Yield the recordings folders of runs that have parts and no recorder any more; each is locked until the next.

    Args:
        on_fault: told of a folder that the disk, or its owner, does not give us.
    """
    for folder in sorted(runs.glob(f"*/{FOLDER}")):
        if folder.parent.is_symlink() or not _has_parts(folder):
            continue
        try:
            lock = try_lock(folder)
        except OSError as error:
            on_fault(folder, error)
            continue
        if lock is None:
            continue
        try:
            if _has_parts(folder):  # still: who had the lock may have finished them
                yield folder
        finally:
            os.close(lock)


def _has_parts(folder: Path) -> bool:
    return any(folder.glob("*/*.part"))


def try_lock(folder: Path) -> int | None:
    """Take the lock of a recordings folder; returns its descriptor, None when a recorder lives there."""
    fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _merge(
    kind_name: str, sources: list[Path], target: Path, metadata: dict[str, Any], damaged: list[Damaged]
) -> list[Damaged]:
    """Write the file; return what is damaged in its sources, after what was known before."""
    import pyarrow.parquet as pq

    kind = KINDS_BY_NAME[kind_name]
    temporary = target.with_name(f"{target.name.removesuffix(PARQUET_SUFFIX)}.{os.getpid()}{_TEMPORARY_SUFFIX}")
    rows = 0
    positions = _Positions()
    schema = schema_of(kind)
    found: list[Damaged] = []
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for group in _groups(sources, found):
                positions.take(group)
                writer.write_table(group.cast(schema))
                rows += group.num_rows
            parts = parts_of(target.parent)  # also those that are still written
            damaged = damaged + [less_read_again(one, parts) for one in found]
            described = {
                **metadata,
                "schema_version": SCHEMA_VERSION,
                "kind": kind_name,
                "next_position": positions.next,
                "lost": positions.lost + sum(one.records for one in damaged if positions.ends_with(one)),
                "damaged": [one._asdict() for one in damaged],
            }
            writer.add_key_value_metadata({METADATA_KEY: json.dumps(described)})
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        _check_written(temporary, rows)
        os.replace(temporary, target)
        _check_written(target, rows)
    finally:
        temporary.unlink(missing_ok=True)
    return damaged


def _check_written(path: Path, rows: int) -> None:
    """OSError unless the file can be read back and holds as many rows as were written into it.

    Whether that is all that the parts held, it does not say: what is missing of them was told while they were read.
    """
    import pyarrow.parquet as pq

    try:
        found = pq.read_metadata(path).num_rows
    except pa.ArrowException as error:
        raise OSError(f"{path}: cannot be read back ({error}); the parts stay") from None
    if found != rows:
        raise OSError(f"{path}: {found} rows instead of {rows}; the parts stay")


def _groups(sources: list[Path], damaged: list[Damaged]) -> Iterator[Any]:
    """Yield tables of a good size for a row group; what cannot be read is added to `damaged`."""
    waiting: list[Any] = []
    rows = size = 0
    for path in sources:
        for batch in batches(path) if path.suffix == PARQUET_SUFFIX else batches_told(path, damaged):
            waiting.append(batch.replace_schema_metadata(None))
            rows += batch.num_rows
            size += batch.nbytes
            if rows >= GROUP_ROWS or size >= GROUP_BYTES:
                yield pa.Table.from_batches(waiting)
                waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


class _Positions:
    """Follows the positions of each ring: where the next record would stand, and how many are missing."""

    def __init__(self) -> None:
        self.next: dict[str, int] = {}
        self.lost = 0

    def take(self, group: Any) -> None:
        for actor in pc.unique(group.column("actor")).to_pylist():
            own = group.filter(pc.equal(group.column("actor"), actor)).column("position").to_numpy()
            expected = np.concatenate(([self.next.get(actor, own[0])], own[:-1] + 1))
            self.lost += int((own - expected).clip(min=0).sum())
            self.next[actor] = int(own[-1]) + 1

    def ends_with(self, damaged: Damaged) -> bool:
        """Return whether nothing came behind it, so that no jump of the positions tells what is missing there."""
        return damaged.first_position == UNKNOWN or damaged.first_position in self.next.values()


def next_position(
    folder: Path, actor: str, *, on_fault: Callable[[Path, Exception], None] = lambda _path, _error: None
) -> int | None:
    """Return the position after the last record of an actor's ring in the folder of a kind; None = it has none.

    A place that is too low costs records that are read again. That a file cannot be read must not cost the recording.

    Args:
        on_fault: told of each file that cannot be read to its end; what came before counts.
    """
    found: list[int] = []
    for path in [*sorted(folder.glob(f"*{PARQUET_SUFFIX}")), *parts_of(folder)]:
        try:
            found.extend(_positions_behind(path, actor))
        except (OSError, pa.ArrowException) as error:
            on_fault(path, error)
    return max(found, default=None)


def _positions_behind(path: Path, actor: str) -> Iterator[int]:
    """Yield the positions behind what a file holds of an actor's ring, the last one being the last."""
    if path.suffix == PARQUET_SUFFIX:
        yield from (position for name, position in metadata_of(path).get("next_position", {}).items() if name == actor)
        return
    for batch in batches(path, ["position", "actor"]):
        if batch.num_rows and batch.column("actor")[0].as_py() == actor:
            yield batch.column("position")[-1].as_py() + 1
