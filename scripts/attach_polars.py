"""The last books of a running session as a Polars table, and what they say. `.venv/bin/pip install -e ".[analysis]"`

.venv/bin/python scripts/attach_polars.py [SESSION] [BOOKS]
"""

from __future__ import annotations

import sys

import numpy as np

import shm

try:
    import polars as pl
except ModuleNotFoundError:
    sys.exit('error: Polars is not installed: run `.venv/bin/pip install -e ".[analysis]"` in the folder of Ringmaker')


def frame(records: np.ndarray) -> pl.DataFrame:
    """Return records as a table: a column for each field, lists for fields of several values."""
    names = [name for name in records.dtype.names or () if name != "sequence"]
    table = pl.DataFrame(
        {name: np.ascontiguousarray(records[name]) for name in names if records[name].dtype.kind != "S"}
    )
    texts = {
        name: [text.decode() for text in records[name].ravel()] for name in names if records[name].dtype.kind == "S"
    }
    return table.with_columns(pl.Series(name, text) for name, text in texts.items()).select(names)


def main() -> int:
    """Print spread and depth for each instrument over the last books; exit code 2 without a session."""
    name = sys.argv[1] if len(sys.argv) > 1 else "local"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    try:
        session = shm.attach(name)
    except shm.Error as error:
        print(error, file=sys.stderr)
        return 2
    instruments = session.instrument_names()
    books = (
        frame(session.books.to_numpy(last=count))
        .filter(pl.col("is_valid") == 1, pl.col("bid_count") > 0, pl.col("ask_count") > 0)
        .with_columns(
            bid=pl.col("bid_price").arr.first(),
            ask=pl.col("ask_price").arr.first(),
            depth=pl.col("bid_size").arr.sum() + pl.col("ask_size").arr.sum(),
            time=pl.from_epoch("receive_realtime_ns", time_unit="ns"),
        )
        .with_columns(mid=(pl.col("bid") + pl.col("ask")) / 2, spread=pl.col("ask") - pl.col("bid"))
    )
    summary = books.group_by("instrument").agg(
        books=pl.len(),
        since=pl.col("time").min(),
        mid=pl.col("mid").last(),
        mean_spread=pl.col("spread").mean(),
        mean_depth=pl.col("depth").mean(),
    )
    names = pl.DataFrame(
        {"instrument": range(len(instruments)), "name": instruments}, schema_overrides={"instrument": pl.Int64}
    )
    print(summary.join(names, on="instrument").sort("instrument"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
