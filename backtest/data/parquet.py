"""Events as Parquet: the six columns of EVENT as int64, the header as JSON in the file's metadata (`ringmaker`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from backtest.data.container import EventFile, Header
from backtest.data.events import EVENT, Events
from backtest.data.findings import DataError

SUFFIX = ".parquet"
GROUP_ROWS = 1 << 20
_KEY = b"ringmaker"


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError("Parquet needs pyarrow: .venv/bin/pip install pyarrow") from None
    return pyarrow


def write(file: EventFile, path: Path) -> None:
    """Write an event file as Parquet, a row group at a time."""
    arrow = _pyarrow()
    fields = [(name, arrow.int64()) for name in EVENT.names or ()]
    schema = arrow.schema(fields, metadata={_KEY: msgspec.json.encode(file.header)})
    partial = path.with_name(path.name + ".partial")
    try:
        with arrow.parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
            for rows in file.blocks(GROUP_ROWS):
                columns = [arrow.array(np.ascontiguousarray(rows[name])) for name in EVENT.names or ()]
                writer.write_table(arrow.Table.from_arrays(columns, schema=schema))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read(path: Path) -> tuple[Header, Iterator[Events]]:
    """Return the header and the rows, block by block.

    Raises:
        DataError: when it is not a Parquet file of events.
    """
    arrow = _pyarrow()
    try:
        file = arrow.parquet.ParquetFile(path)
    except (arrow.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error})") from None
    metadata = file.schema_arrow.metadata or {}
    if _KEY not in metadata:
        raise DataError(f"{path}: Parquet, but not of events: expected metadata `{_KEY.decode()}`")
    return msgspec.json.decode(metadata[_KEY], type=Header), _blocks(file)


def _blocks(file: Any) -> Iterator[Events]:
    for batch in file.iter_batches(batch_size=1 << 18):
        rows = np.empty(batch.num_rows, EVENT)
        for name in EVENT.names or ():
            rows[name] = batch.column(name).to_numpy()
        yield rows
