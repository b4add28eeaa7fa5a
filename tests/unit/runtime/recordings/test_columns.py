from __future__ import annotations

import numpy as np
import pyarrow as pa

from domain.records import BOOK, Field
from runtime.recordings.columns import _UNITS, KINDS, KINDS_BY_NAME, batch_of, column_names, schema_of

PURE_NUMBERS = {
    "index_delta", "expiration_progress", "momentum", "reversal", "exhaustion", "flow_imbalance", "trend",
    "mean_reversion", "user_signal", "volatility", "adx", "trade_intensity_per_s", "horizon_s", "gamma_factor",
    "market_stress", "gamma_signal_factor", "sigma_signal_factor", "decay_signal_factor", "flow_factor",
    "displacement_factor", "bid_asymmetry_factor", "ask_asymmetry_factor", "bid_fill_factor", "ask_fill_factor",
    "bid_size_factor", "ask_size_factor",
}  # fmt: skip


def test_every_float_column_has_its_unit_last_or_is_known_to_be_a_pure_number() -> None:
    floats = {field.name for kind in KINDS for field in kind.fields if field.kind == "f8"}
    assert floats - set(_UNITS) == PURE_NUMBERS


def test_column_names_of_a_kind_are_distinct_and_are_the_schemas() -> None:
    for kind in KINDS:
        assert len(set(kind.columns)) == len(kind.columns), kind.name
        assert schema_of(kind).names == list(kind.columns)


def test_arrays_become_columns_best_first_with_the_unit_last() -> None:
    assert column_names(Field("bid_price", "f8", "", 3)) == ["bid_price_1_usd", "bid_price_2_usd", "bid_price_3_usd"]


def test_a_batch_holds_what_the_records_hold() -> None:
    kind = KINDS_BY_NAME["books"]
    rows = np.zeros(2, BOOK.dtype)
    rows["sequence"] = [8, 9]
    rows["instrument"] = [1, 0]
    rows["bid_price"][1] = np.arange(10)
    batch = batch_of(kind, rows, "market_data", ["A", "B"], schema_of(kind))
    assert isinstance(batch, pa.RecordBatch)
    assert batch.column("position").to_pylist() == [7, 8]
    assert batch.column("instrument").to_pylist() == ["B", "A"]
    assert [batch.column(f"bid_price_{i}_usd")[1].as_py() for i in range(1, 11)] == list(range(10))
