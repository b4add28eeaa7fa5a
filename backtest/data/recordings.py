"""What our own recorder wrote: books and trades of a run, finished hours and the one that was being written.

A recorded book is the best levels as they stood after an update. The first one, and the first after a book that was
not usable, becomes a whole book; every other one the levels that changed since. A level that leaves the window of
recorded levels is removed: what happens to it out there is not known. Our own orders are in the book.

Local times are the wall clock at which market data's callback began; where the venue sent no time, it is the
exchange's too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backtest.data.events import ASK, BID, CLEAR, FINAL, LEVEL, RAW, SNAPSHOT_LEVEL, TRADE, RawEvents, source_code
from backtest.data.findings import DataError, Findings
from backtest.data.grid import Steps
from domain.jit import Array, Record, kernel
from domain.records import BOOK_LEVELS
from runtime.recordings import files

KINDS = ("trades", "books")
_STAMPS = ["instrument", "position", "exchange_time_ns", "receive_realtime_ns"]
_TRADE_COLUMNS = [*_STAMPS, "price_usd", "size_base", "aggressor_side"]
_LADDERS = ("bid_price", "bid_size", "ask_price", "ask_size")
_BOOK_COLUMNS = [
    *_STAMPS,
    "is_valid",
    *(
        f"{name}_{level}_{'usd' if name.endswith('price') else 'base'}"
        for name in _LADDERS
        for level in range(1, BOOK_LEVELS + 1)
    ),
]
_ROWS_MAX = 4 * BOOK_LEVELS + 2  # of one book

_Floats = npt.NDArray[np.float64]


def files_of_runs(paths: Sequence[Path]) -> list[Path]:
    """Return the files to read: of the folder of a run its books and trades, anything else as it is."""
    found: list[Path] = []
    for path in paths:
        found += _files_of_run(path) if path.is_dir() else [path]
    return found


def _files_of_run(run: Path) -> list[Path]:
    if not (run / files.FOLDER).is_dir():
        raise DataError(
            f"{run}: a folder without {files.FOLDER}/: give that of a recorded session (runs/<id>), or files"
        )
    try:
        found = [path for kind in KINDS for path in files.files_of(run, kind)]
    except files.RecordingError as error:
        raise DataError(str(error)) from None
    if not found:
        raise DataError(f"{run}: its {files.FOLDER}/ hold neither books nor trades: nothing to read")
    return found


def kind_of(path: Path) -> str:
    """Return which kind of recording a file is; empty = none of ours."""
    if path.suffix == files.PART_SUFFIX:
        return path.parent.name
    try:
        import pyarrow

        return str(files.metadata_of(path).get("kind", ""))
    except ImportError:
        raise DataError("Parquet needs pyarrow: .venv/bin/pip install pyarrow") from None
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error})") from None


def steps_of(findings: Findings) -> tuple[Steps, float]:
    """Return tick and lot of the instrument that is read, as the venue gave them, and its contract multiplier.

    Raises:
        DataError: when the recording does not know the instrument, or has several and none was chosen.
    """
    _, told = _read_of(findings.paths[0], findings.instrument)
    return Steps(told["tick_size"], told["lot_size"]), float(told["contract_multiplier"])


def instrument_recorded(path: Path, wanted: str) -> str:
    """Return the name of the instrument that is read of a file's recording.

    Raises:
        DataError: as `steps_of`.
    """
    return _read_of(path, wanted)[0]


def _read_of(path: Path, wanted: str) -> tuple[str, dict[str, Any]]:
    try:
        instruments = files.instruments_of(path.parents[2])
    except files.RecordingError as error:
        raise DataError(str(error)) from None
    names = [name for name in instruments if name.lower() == wanted.lower()] or (
        list(instruments) if not wanted else []
    )
    if len(names) != 1:
        raise DataError(f"{path}: holds {', '.join(instruments)}: choose one with --instrument")
    return names[0], instruments[names[0]]


def read(findings: Findings, numbers: list[int], kind: str) -> Iterator[RawEvents]:
    """Yield the raw rows of files of one kind, in the order given."""
    if kind not in KINDS:
        raise DataError(f"{findings.paths[numbers[0]]}: a recording of {kind}; expected books or trades")
    books = _Books()
    for number in numbers:
        columns = _TRADE_COLUMNS if kind == "trades" else _BOOK_COLUMNS
        for batch in files.batches(findings.paths[number], columns):
            rows = _wanted(findings, number, batch)
            if rows.num_rows:
                yield _trades(rows, number) if kind == "trades" else books.events(rows, number)


def _wanted(findings: Findings, number: int, batch: Any) -> Any:
    import pyarrow.compute as pc

    names = batch.column("instrument")
    for name in pc.unique(names).to_pylist():
        if not findings.is_wanted(name, source_code(number, 1)):
            batch = batch.filter(pc.not_equal(batch.column("instrument"), name))
    return batch


def _column(batch: Any, name: str) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = batch.column(name).to_numpy()
    return values


def _times(batch: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return exchange's and local times."""
    local = _column(batch, "receive_realtime_ns")
    exchange = _column(batch, "exchange_time_ns")
    return np.where(exchange > 0, exchange, local), local


def _trades(batch: Any, number: int) -> RawEvents:
    rows = np.zeros(batch.num_rows, RAW)
    rows["exchange_time_ns"], rows["local_time_ns"] = _times(batch)
    rows["flags"] = TRADE | FINAL | np.where(_column(batch, "aggressor_side") > 0, BID, ASK)
    rows["price"] = _column(batch, "price_usd")
    rows["size"] = _column(batch, "size_base")
    rows["source"] = _sources(batch, number)
    return rows


def _sources(batch: Any, number: int) -> npt.NDArray[np.int64]:
    return source_code(number, 0) + 1 + _column(batch, "position")


class _Books:
    """Turns book after book into what changed; goes on over the ends of batches and files."""

    def __init__(self) -> None:
        self._levels = np.zeros((len(_LADDERS), BOOK_LEVELS))
        self._is_known = np.zeros(1, np.int64)

    def events(self, batch: Any, number: int) -> RawEvents:
        count = batch.num_rows
        first = len(_STAMPS) + 1
        ladders = np.stack([_column(batch, name) for name in _BOOK_COLUMNS[first:]], axis=1)
        books = np.ascontiguousarray(ladders.reshape(count, len(_LADDERS), BOOK_LEVELS))
        out = np.zeros(count * _ROWS_MAX, RAW)
        owners = np.zeros(len(out), np.int64)
        is_valid = np.ascontiguousarray(_column(batch, "is_valid"))
        used = _changes(books, is_valid, self._levels, self._is_known, out, owners)
        out, owners = out[:used].copy(), owners[:used]
        exchange, local = _times(batch)
        out["exchange_time_ns"], out["local_time_ns"] = exchange[owners], local[owners]
        out["source"] = _sources(batch, number)[owners]
        return out


@kernel
def _changes(books: Array, is_valid: Array, levels: Array, is_known: Array, out: Array, owners: Array) -> int:
    """Write the rows that lead from book to book, with the book of each in `owners`; return how many."""
    used = 0
    for i in range(books.shape[0]):
        begin = used
        if is_valid[i] == 0:
            if is_known[0] == 1:
                used = _clear(out, used)
            is_known[0] = 0
            _forget(levels)
        elif is_known[0] == 0:
            used = _clear(out, used)
            used = _fresh(books[i], 0, levels, SNAPSHOT_LEVEL | BID, out, used)
            used = _fresh(books[i], 2, levels, SNAPSHOT_LEVEL | ASK, out, used)
            is_known[0] = 1
        else:
            used = _gone(books[i], 0, levels, LEVEL | BID, out, used)
            used = _gone(books[i], 2, levels, LEVEL | ASK, out, used)
            used = _fresh(books[i], 0, levels, LEVEL | BID, out, used)
            used = _fresh(books[i], 2, levels, LEVEL | ASK, out, used)
        if is_valid[i] != 0:
            _keep(levels, books[i])
        if used > begin:
            out[used - 1]["flags"] |= FINAL
            owners[begin:used] = i
    return used


@kernel
def _forget(levels: Array) -> None:
    for side in range(levels.shape[0]):
        for level in range(levels.shape[1]):
            levels[side, level] = 0.0


@kernel
def _keep(levels: Array, book: Array) -> None:
    for side in range(levels.shape[0]):
        for level in range(levels.shape[1]):
            levels[side, level] = book[side, level]


@kernel
def _put(row: Record, flags: int, price: float, size: float) -> None:
    row["flags"] = flags
    row["price"] = price
    row["size"] = size


@kernel
def _clear(out: Array, used: int) -> int:
    _put(out[used], CLEAR | BID, np.nan, 0.0)
    _put(out[used + 1], CLEAR | ASK, np.nan, 0.0)
    return used + 2


@kernel
def _size_at(ladders: Array, side: int, price: float) -> float:
    """Return the size at a price; 0 = it is not in the window. Prices stand in row `side`, sizes in the next."""
    for level in range(ladders.shape[1]):
        if ladders[side, level] == price and ladders[side + 1, level] > 0.0:
            return float(ladders[side + 1, level])
    return 0.0


@kernel
def _gone(book: Array, side: int, levels: Array, flags: int, out: Array, used: int) -> int:
    """Write a removal for each level that was there and is no more."""
    for level in range(levels.shape[1]):
        if levels[side + 1, level] > 0.0 and _size_at(book, side, levels[side, level]) == 0.0:
            _put(out[used], flags, levels[side, level], 0.0)
            used += 1
    return used


@kernel
def _fresh(book: Array, side: int, levels: Array, flags: int, out: Array, used: int) -> int:
    """Write each level that is new or has another size."""
    for level in range(book.shape[1]):
        size = book[side + 1, level]
        if size > 0.0 and _size_at(levels, side, book[side, level]) != size:
            _put(out[used], flags, book[side, level], size)
            used += 1
    return used
