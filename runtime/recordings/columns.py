"""The columns of a recording: one for each field of a record, one for each element of an array, units last.

`position` is the record's place in its ring: it grows by one from record to record, and where it grows by more, records
were lost. `instrument` is the venue's name. `actor` says which process wrote the ring, for there may be several
strategies. What stands in a column is what docs/shm-layout.md says of the field.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from domain import records
from domain.records import Field, RecordType

SCHEMA_VERSION = 1
Rows = npt.NDArray[np.void]

# Units of float fields, by name; what is not here is a pure number. `usd` = quote currency, `base` = base units.
_USD = (
    "bid_price", "ask_price", "mark_price", "index_price", "last_price", "best_bid_price", "best_ask_price",
    "collar_low", "collar_high", "forward_price", "price", "open", "high", "low", "close", "mid", "mid_price",
    "micro_price", "fair_price", "reservation_price", "half_spread_model", "half_spread_fee_floor", "half_spread",
    "skew", "basis", "funding", "drift_shift", "market_impact", "signal_shift", "inventory_cost",
    "previous_settlement_price", "expected_expiration_price",
)  # fmt: skip
_BASE = (
    "bid_size", "ask_size", "best_bid_size", "best_ask_size", "open_interest", "size", "bought", "sold", "position",
    "net_delta", "inventory", "delta",
)  # fmt: skip
_UNITS = (
    dict.fromkeys(_USD, "usd")
    | dict.fromkeys(_BASE, "base")
    | {
        "sigma": "usd_per_sqrt_s",
        "arrival_rate": "per_s",
        "arrival_decay": "per_usd",
        "risk_aversion": "per_usd",
        "skew_per_unit": "usd_per_base",
        "funding_mark": "usd_per_base",
        "impact_per_base": "usd",
        "impact_error": "usd_per_base",
        "drift": "usd_per_s",
        "funding_rate": "per_8h",
        "mark_volatility": "per_year",
    }
)


class Recorded(NamedTuple):
    """One kind of recording.

    Attributes:
        name: of its folder, and of the ring; of the rings of several strategies, what stands before the dot.
        stamp: field with the wall clock that decides the hour of a record.
    """

    name: str
    record: RecordType
    stamp: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return (*_LEADING, *(name for field in self.fields for name in column_names(field)))

    @property
    def fields(self) -> list[Field]:
        """The record's fields that become columns of their own name."""
        return [field for field in self.record.fields if field.name not in ("sequence", "instrument")]

    @property
    def has_instrument(self) -> bool:
        return "instrument" in (self.record.dtype.names or ())


_LEADING = ("position", "actor", "instrument")
KINDS: tuple[Recorded, ...] = (
    Recorded("books", records.BOOK, "receive_realtime_ns"),
    Recorded("trades", records.TRADE, "receive_realtime_ns"),
    Recorded("tickers", records.TICKER, "receive_realtime_ns"),
    Recorded("indices", records.INDEX, "receive_realtime_ns"),
    Recorded("candles", records.CANDLE, "close_realtime_ns"),
    Recorded("explanations", records.EXPLANATION, "computed_realtime_ns"),
    Recorded("quote_inputs", records.QUOTE_INPUTS, "computed_realtime_ns"),
)
KINDS_BY_NAME: dict[str, Recorded] = {kind.name: kind for kind in KINDS}


def column_names(field: Field) -> list[str]:
    """Return the columns of a field: `bid_price` of a book is `bid_price_1_usd` to `bid_price_10_usd`, best first."""
    unit = f"_{_UNITS[field.name]}" if field.name in _UNITS else ""
    if field.count == 1 or _is_blob(field):
        return [f"{field.name}{unit}"]
    return [f"{field.name}_{i}{unit}" for i in range(1, field.count + 1)]


def schema_of(kind: Recorded) -> Any:
    """Return the Arrow schema of a kind."""
    import pyarrow as pa

    columns = [("position", pa.int64()), ("actor", pa.string()), ("instrument", pa.string())]
    for field in kind.fields:
        columns += [(name, _arrow_type(pa, field)) for name in column_names(field)]
    return pa.schema(columns)


def batch_of(kind: Recorded, rows: Rows, actor: str, instruments: Sequence[str], schema: Any) -> Any:
    """Return records of a ring (of the kind's dtype, shape (n,)) as an Arrow batch."""
    import pyarrow as pa

    arrays = [pa.array(rows["sequence"] - 1), pa.array([actor] * len(rows), pa.string())]
    arrays.append(pa.array(_instrument_names(kind, rows, instruments), pa.string()))
    for field in kind.fields:
        arrays += _arrays(pa, field, rows)
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _instrument_names(kind: Recorded, rows: Rows, instruments: Sequence[str]) -> Iterable[str | None]:
    if not kind.has_instrument:
        return [None] * len(rows)
    return [instruments[row] for row in rows["instrument"].tolist()]


def _arrays(pa: Any, field: Field, rows: Rows) -> list[Any]:
    values = rows[field.name]
    if field.kind == "text":
        return [pa.array([text.decode() for text in values.tolist()], pa.string())]
    if _is_blob(field):
        width = field.count * 8
        data = np.ascontiguousarray(values).view(np.uint8)
        return [pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(rows), [None, pa.py_buffer(data)])]
    if field.count == 1:
        return [pa.array(np.ascontiguousarray(values))]
    return [pa.array(np.ascontiguousarray(values[:, i])) for i in range(field.count)]


def _arrow_type(pa: Any, field: Field) -> Any:
    if field.kind == "text":
        return pa.string()
    if _is_blob(field):
        return pa.binary(field.count * 8)
    return pa.int64() if field.kind == "i8" else pa.float64()


def _is_blob(field: Field) -> bool:
    """Words that only a program reads: kept as bytes."""
    return field.name == "words"
