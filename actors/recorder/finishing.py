"""Parts → one Parquet file for each kind and hour; also those that a killed recorder left, in this run or before it.

The file is written beside its name, synced and renamed; only when its rows were counted do the parts go. It carries
their names: a part that outlived a kill between the two is deleted at the next start and not taken twice.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runtime.recordings.columns import KINDS_BY_NAME, SCHEMA_VERSION, schema_of
from runtime.recordings.files import (
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


def finish(folder: Path, hour: str, *, lives_before: int = LIVES_MAX) -> Path | None:
    """Turn the parts of an hour in the folder of a kind into HOUR.parquet, together with what stands there already.

    Args:
        lives_before: parts of this life of the recorder and later ones are left alone: they may still be written.

    Returns:
        the file; None when the parts held nothing and there is none.

    Raises:
        OSError: the disk refuses, or the file does not hold what was written: then the parts stay.
    """
    target = folder / f"{hour}{PARQUET_SUFFIX}"
    known = metadata_of(target) if target.exists() else {}
    taken = set(known.get("parts", []))
    parts = [path for path in parts_of(folder) if _is_meant(path, hour, lives_before)]
    fresh = [path for path in parts if path.name not in taken]
    if fresh:
        sources = ([target] if target.exists() else []) + fresh
        names = sorted(taken | {path.name for path in fresh})
        _merge(folder.name, sources, target, {**known, "parts": names})
    for path in parts:
        path.unlink(missing_ok=True)
    return target if target.exists() else None


def finish_all(folder: Path, *, but_hour: str = "", lives_before: int = LIVES_MAX) -> int:
    """Finish every hour in the folder of a kind, but one that goes on; return how many files that gave."""
    for path in folder.glob(f"*{_TEMPORARY_SUFFIX}"):
        if not _has_living_writer(path):
            path.unlink(missing_ok=True)
    hours = {PartName.of(path).hour for path in parts_of(folder)} - {but_hour}
    return sum(finish(folder, hour, lives_before=lives_before) is not None for hour in sorted(hours))


def _has_living_writer(temporary: Path) -> bool:
    pid = temporary.name.removesuffix(_TEMPORARY_SUFFIX).rpartition(".")[2]
    return pid.isdigit() and int(pid) != os.getpid() and Path(f"/proc/{pid}").exists()


def _is_meant(path: Path, hour: str, lives_before: int) -> bool:
    name = PartName.of(path)
    return name.hour == hour and name.life < lives_before


def unfinished_runs(runs: Path) -> Iterator[Path]:
    """Yield the recordings folders of runs that have parts and no recorder any more; each is locked until the next."""
    for folder in sorted(runs.glob(f"*/{FOLDER}")):
        if folder.parent.is_symlink() or not _has_parts(folder):
            continue
        lock = try_lock(folder)
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


def _merge(kind_name: str, sources: list[Path], target: Path, metadata: dict[str, Any]) -> None:
    import pyarrow.parquet as pq

    kind = KINDS_BY_NAME[kind_name]
    temporary = target.with_name(f"{target.name.removesuffix(PARQUET_SUFFIX)}.{os.getpid()}{_TEMPORARY_SUFFIX}")
    rows = 0
    positions = _Positions()
    schema = schema_of(kind)
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for group in _groups(sources):
                positions.take(group)
                writer.write_table(group.cast(schema))
                rows += group.num_rows
            described = {
                **metadata,
                "schema_version": SCHEMA_VERSION,
                "kind": kind_name,
                "next_position": positions.next,
                "lost": positions.lost,
            }
            writer.add_key_value_metadata({METADATA_KEY: json.dumps(described)})
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        _check_rows(temporary, rows)
        os.replace(temporary, target)
        _check_rows(target, rows)
    finally:
        temporary.unlink(missing_ok=True)


def _check_rows(path: Path, rows: int) -> None:
    """OSError unless a file can be read and holds so many rows."""
    import pyarrow.parquet as pq

    try:
        found = pq.read_metadata(path).num_rows
    except pa.ArrowException as error:
        raise OSError(f"{path}: cannot be read back ({error}); the parts stay") from None
    if found != rows:
        raise OSError(f"{path}: {found} rows instead of {rows}; the parts stay")


def _groups(sources: list[Path]) -> Iterator[Any]:
    """Yield tables of a good size for a row group."""
    waiting: list[Any] = []
    rows = size = 0
    for path in sources:
        for batch in batches(path):
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


def next_position(folder: Path, actor: str) -> int | None:
    """Return the position after the last record of an actor's ring in the folder of a kind; None = it has none."""
    found: list[int] = []
    for path in folder.glob(f"*{PARQUET_SUFFIX}"):
        found += [position for name, position in metadata_of(path).get("next_position", {}).items() if name == actor]
    for path in parts_of(folder):
        for batch in batches(path, ["position", "actor"]):
            if batch.num_rows and batch.column("actor")[0].as_py() == actor:
                found.append(batch.column("position")[-1].as_py() + 1)
    return max(found, default=None)
