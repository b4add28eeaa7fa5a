"""Which format a file is of, and the streams of raw rows that some files of one recording make."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from backtest.data import binance, bybit, hftbacktest, orders_csv, recordings, tardis
from backtest.data.container import is_event_file
from backtest.data.events import RawEvents
from backtest.data.findings import DataError, Findings
from backtest.data.lines import head
from runtime.recordings.files import PART_SUFFIX

EVENT_FILE = "events"
PARQUET = "parquet"
HFTBACKTEST = "hftbacktest"
BINANCE = "binance"
TARDIS = "tardis"
BYBIT = "bybit"
RECORDING = "recording"
ORDERS = "orders"
# Streams of one recording, in the order in which they are given out at equal times: a trade before its book.
_KINDS = ("", "trades", "incremental", "snapshots", "book", "books", "quotes")


def format_of(path: Path) -> tuple[str, str]:
    """Return (format, kind of stream) of a file, told by its contents.

    Raises:
        DataError: when it is none of those known.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(16)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; check the path") from None
    if is_event_file(magic):
        return EVENT_FILE, ""
    if path.suffix == PART_SUFFIX:
        return RECORDING, recordings.kind_of(path)
    if magic.startswith(b"PAR1"):
        kind = recordings.kind_of(path)
        return (RECORDING, kind) if kind else (PARQUET, "")
    if magic.startswith(b"\x93NUMPY") or (magic.startswith(b"PK\x03\x04") and _holds_arrays(path)):
        return HFTBACKTEST, ""
    first_line = head(path).split(b"\n", 1)[0]
    if binance.is_binance(first_line):
        return BINANCE, ""
    if orders_csv.is_orders(first_line):
        return ORDERS, ""
    if kind := tardis.kind_of(first_line):
        return TARDIS, kind
    if kind := bybit.kind_of(first_line):
        return BYBIT, kind
    raise DataError(
        f"{path}:1: unknown format: expected an event file, our Parquet, hftbacktest's npz, a Binance recording, "
        f"an order-by-order CSV, a Tardis CSV, a Bybit archive or our recording, found {first_line[:60]!r}"
    )


def _holds_arrays(path: Path) -> bool:
    try:
        return any(name.endswith(".npy") for name in zipfile.ZipFile(path).namelist())
    except zipfile.BadZipFile:
        return False


def common_format(paths: list[Path]) -> tuple[str, list[str]]:
    """Return the format of all files, and the kind of each.

    Raises:
        DataError: when they are of different formats.
    """
    found = [format_of(path) for path in paths]
    for path, (name, _) in zip(paths, found, strict=True):
        if name != found[0][0]:
            raise DataError(f"{path}: is of format {name}, {paths[0]} of {found[0][0]}: convert them apart")
    return found[0][0], [kind for _, kind in found]


def raw_streams(findings: Findings, name: str, kinds: list[str]) -> list[Iterator[RawEvents]]:
    """Return the raw rows of all files as streams; files of one kind follow one another in the order given."""
    if name == BINANCE:
        return [binance.read(findings, list(range(len(kinds))))]
    if name == HFTBACKTEST:
        return [hftbacktest.read(findings, list(range(len(kinds))))]
    if name == ORDERS:
        return [chain.from_iterable(orders_csv.read(findings, number) for number in range(len(kinds)))]
    read = tardis.read if name == TARDIS else bybit.read

    def stream(kind: str) -> Iterator[RawEvents]:
        numbers = [number for number, its_kind in enumerate(kinds) if its_kind == kind]
        if name == RECORDING:
            return recordings.read(findings, numbers, kind)
        return chain.from_iterable(read(findings, number, kind) for number in numbers)

    return [stream(kind) for kind in _KINDS if kind in kinds]
