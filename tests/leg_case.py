"""An instrument's part of a run made by hand, for tests of statistics. Tick 0.5 $, lot 0.001, times in s."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from backtest.engine.result import ORDERS, SERIES
from backtest.metrics.leg import FEE_UNIT, FILL_LINE, Grid, Leg

GRID = Grid(Decimal("0.5"), Decimal("0.001"))
MONEY = GRID.money
S = 10**9


class Fill(NamedTuple):
    """One fill; mids in half ticks (bid + ask): as it happened, and 1, 5, 30 s later."""

    time_s: float
    side: int
    ticks: int
    lots: int
    mid2: int
    mid2_1s: int
    mid2_5s: int
    mid2_30s: int
    fee: int = 0  # points · 1e-8


def leg(
    fills: Sequence[Fill] = (),
    *,
    seconds: int = 60,
    end_mid2: int | None = 200,
    begin_mid2: int | None = 200,
    begin_lots: int = 0,
    funding: Decimal = Decimal(0),
    instrument: str = "BTC-PERPETUAL",
) -> Leg:
    """Return a leg whose series is flat but for what the fills did to position, cash and fees, at the last mid."""
    lines = np.zeros(len(fills), FILL_LINE)
    position = begin_lots
    for line, fill in zip(lines, fills, strict=True):
        position += fill.side * fill.lots
        line["time_ns"], line["side"], line["price_ticks"] = round(fill.time_s * S), fill.side, fill.ticks
        line["size_lots"], line["fee"], line["position_lots"], line["liquidity_side"] = fill.lots, fill.fee, position, 1
        line["mid2_ticks"] = fill.mid2
        line["mid2_ticks_1s"], line["mid2_ticks_5s"], line["mid2_ticks_30s"] = fill[5:8]
    return Leg(
        instrument=instrument,
        grid=GRID,
        fills=lines,
        orders=np.zeros(0, ORDERS),
        series=_series(lines, seconds, begin_lots, end_mid2 or 0),
        begin_ns=0,
        end_ns=seconds * S,
        quoting_begin_ns=0,
        quoting_end_ns=seconds * S,
        begin_position_lots=begin_lots,
        begin_mid2_ticks=begin_mid2,
        end_mid2_ticks=end_mid2,
        fees=int(lines["fee"].sum()) * FEE_UNIT * MONEY,
        funding=funding,
    )


def _series(fills: np.ndarray, seconds: int, begin_lots: int, mid2: int) -> np.ndarray:
    series = np.zeros(seconds + 1, SERIES)
    series["time_ns"] = np.arange(seconds + 1) * S
    series["market_bid_ticks"] = mid2 // 2
    series["market_ask_ticks"] = mid2 - mid2 // 2
    for row in series:
        past = fills[fills["time_ns"] <= row["time_ns"]]
        lots = past["side"] * past["size_lots"]
        row["position_lots"] = begin_lots + lots.sum()
        row["cash"] = -(lots * past["price_ticks"]).sum()
        row["fees"] = past["fee"].sum()
    return series
