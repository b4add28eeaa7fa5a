"""A leg made of a backtest: markouts from the recording itself, equity that ends at the profit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backtest.data.container import EventFile
from backtest.metrics.leg import leg_of_result
from backtest.metrics.market import touch_at
from backtest.metrics.split import net_of
from backtest.metrics.tables import write_tables
from tests.backtest_run import ran, settings
from tests.engine_case import MS, T0_NS, Orders, Tape, played


def test_a_moment_sees_the_book_as_it_stood_before_it(tmp_path: Path) -> None:
    # Given a bid that improves at 20 ms and a recording that ends at 30 ms
    tape = Tape().book(0, {99: 10}, {101: 10}).bid(20, 100, 5).bid(30, 100, 6)
    played(tmp_path, tape, Orders().insert(5, 1, 1, 90, 1))
    file = EventFile(tmp_path / "tape.events")
    times = T0_NS + np.array([0, 10, 20, 21, 30, 31]) * MS
    # I expect no book at first, the old bid up to the moment of the change, and none beyond the end
    bids = touch_at(file, times)["bid_ticks"].tolist()
    assert bids[1:5] == [99, 99, 100, 100]
    assert bids[0] == bids[5] < 0


def test_equity_ends_at_the_profit_and_the_tables_can_be_read_back(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    result = ran(tmp_path, settings())
    leg = leg_of_result(EventFile(tmp_path / "generated.events"), result)
    assert len(leg.fills) > 10
    assert leg.equity_usd()[-1] == pytest.approx(float(net_of(leg)))
    # The engine notes the touch at every fill: the pass over the recording finds the same
    noted = result.fills["market_bid_ticks"] + result.fills["market_ask_ticks"]
    assert np.mean(leg.fills["mid2_ticks"] == noted) > 0.9
    write_tables(tmp_path, [leg])
    fills = parquet.read_table(tmp_path / "fills.parquet").to_pydict()
    assert fills["price_ticks"] == leg.fills["price_ticks"].tolist()
    assert fills["size_base"][0] == pytest.approx(int(leg.fills["size_lots"][0]) * float(leg.grid.lot_base))
    series = parquet.read_table(tmp_path / "series.parquet").to_pydict()
    assert series["equity_usd"][-1] == pytest.approx(float(net_of(leg)))
    assert None in series["own_bid_usd"]  # no quote yet as it began
    assert parquet.read_table(tmp_path / "orders.parquet").num_rows == len(leg.orders)
