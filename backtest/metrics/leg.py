"""One instrument's part of a run: its fills with the market after them, its orders, its seconds.

The same of a backtest and of a live session: both are what the exchange told us, and a recording of the market.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from backtest.book import NO_ASK, NO_BID
from backtest.data.container import EventFile
from backtest.engine.result import FILLS, SERIES, RunResult
from backtest.metrics.market import TOUCH, span_ns, touch_at
from domain.clock import NS_PER_S

CURVE_S = (1, 2, 5, 10, 30, 60)  # after each fill, where the market went
MARKOUTS_S = (1, 5, 30)  # those of the statistics
UNKNOWN_MID = -(2**62)
FEE_UNIT = Decimal("1e-8")

# A fill, and twice the mid (bid + ask, in ticks: whole) as it happened and some seconds later.
FILL_LINE = np.dtype(
    [
        *((name, "<i8") for name in FILLS.names or () if not name.startswith("market_")),
        ("mid2_ticks", "<i8"),
        *((f"mid2_ticks_{after}s", "<i8") for after in CURVE_S),
    ]
)


@dataclass(frozen=True, slots=True)
class Grid:
    """What ticks and lots are worth: quote currency for a tick, base units for a lot, exactly."""

    tick_size: Decimal
    lot_base: Decimal

    @property
    def money(self) -> Decimal:
        """Quote currency for a point: one tick on one lot."""
        return self.tick_size * self.lot_base


@dataclass(frozen=True, slots=True)
class Leg:
    """One instrument's part of a run.

    Attributes:
        fills: FILL_LINE rows by time. A mid is UNKNOWN_MID where the recording does not reach.
        orders: ORDERS rows (backtest/engine/result.py).
        series: SERIES rows, one a second, and one for the end.
        begin_ns, end_ns: first and last moment of the market, the exchange's clock.
        quoting_begin_ns, quoting_end_ns: from the first wish until it was asked to stop; the whole run where neither
            is known.
        begin_position_lots: held before the first fill.
        begin_mid2_ticks, end_mid2_ticks: twice the first and the last mid, ticks; None without a market.
        fees, funding: paid, received, quote currency; exact. Rebates are negative fees.
    """

    instrument: str
    grid: Grid
    fills: npt.NDArray[np.void]
    orders: npt.NDArray[np.void]
    series: npt.NDArray[np.void]
    begin_ns: int
    end_ns: int
    quoting_begin_ns: int
    quoting_end_ns: int
    begin_position_lots: int
    begin_mid2_ticks: int | None
    end_mid2_ticks: int | None
    fees: Decimal
    funding: Decimal

    def equity_usd(self) -> npt.NDArray[np.float64]:
        """Return what we had made at each row of `series`, at its mid."""
        series = self.series
        costs = (series["fees"] + series["funding"]) * float(FEE_UNIT)
        held = series["position_lots"] * (series["market_bid_ticks"] + series["market_ask_ticks"]) / 2
        begun = self.begin_position_lots * (self.begin_mid2_ticks or 0) / 2
        equity: npt.NDArray[np.float64] = (series["cash"] + held - begun - costs) * float(self.grid.money)
        return equity


def leg_of_result(file: EventFile, result: RunResult) -> Leg:
    """Return an instrument's part of a backtest over a recording."""
    grid = grid_of(file)
    fills, bounds = with_markouts(file, result.fills)
    closing = closing_row(result.series, result.fills, int(result.venue["funding"][0]), bounds)
    return Leg(
        instrument=result.instrument,
        grid=grid,
        fills=fills,
        orders=result.orders,
        series=np.concatenate([result.series, closing]),
        begin_ns=bounds.begin_ns,
        end_ns=bounds.end_ns,
        quoting_begin_ns=bounds.begin_ns,
        quoting_end_ns=bounds.end_ns,
        begin_position_lots=0,
        begin_mid2_ticks=bounds.begin_mid2_ticks,
        end_mid2_ticks=bounds.end_mid2_ticks,
        fees=int(result.venue["fees"][0]) * FEE_UNIT * grid.money,
        funding=-int(result.venue["funding"][0]) * FEE_UNIT * grid.money,
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a recording begins and ends, and the first and last mid that it has."""

    begin_ns: int
    end_ns: int
    begin_mid2_ticks: int | None
    end_mid2_ticks: int | None
    last_touch: tuple[int, int]  # ticks; (0, 0) without one


def grid_of(file: EventFile) -> Grid:
    """Return what the recording's ticks and lots are worth; its sizes and prices are meant as they print."""
    header = file.header
    lot_base = Decimal(repr(header.lot_size)) * Decimal(repr(header.contract_multiplier))
    return Grid(Decimal(repr(header.tick_size)), lot_base)


def with_markouts(file: EventFile, fills: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.void], Bounds]:
    """Return (FILL_LINE rows of FILLS rows, the bounds of the market), by one pass over the recording."""
    begin_ns, end_ns = span_ns(file)
    grid_ns = np.append(np.arange(begin_ns, end_ns, NS_PER_S), end_ns)
    wanted = [fills["time_ns"] + after * NS_PER_S for after in (0, *CURVE_S)]
    moments = np.unique(np.concatenate([grid_ns, *wanted]))
    touch = touch_at(file, moments)
    mid2 = mid2_ticks(touch)
    lines = np.zeros(len(fills), FILL_LINE)
    for name in FILL_LINE.names or ():
        if name in (FILLS.names or ()):
            lines[name] = fills[name]
    for name, asked in zip(("mid2_ticks", *(f"mid2_ticks_{after}s" for after in CURVE_S)), wanted, strict=True):
        lines[name] = mid2[np.searchsorted(moments, asked)]
    known = np.flatnonzero((mid2 != UNKNOWN_MID) & (moments <= end_ns))
    if len(known) == 0:
        return lines, Bounds(begin_ns, end_ns, None, None, (0, 0))
    first, last = int(known[0]), int(known[-1])
    ends = (int(touch["bid_ticks"][last]), int(touch["ask_ticks"][last]))
    return lines, Bounds(begin_ns, end_ns, int(mid2[first]), int(mid2[last]), ends)


def closing_row(
    series: npt.NDArray[np.void], fills: npt.NDArray[np.void], funding: int, bounds: Bounds
) -> npt.NDArray[np.void]:
    """Return one more row of a series, for the end: all fills, at the last mid, so that equity ends at the profit."""
    row = series[-1:].copy() if len(series) else np.zeros(1, SERIES)
    before = series[-1] if len(series) else row[0]
    lots = fills["side"] * fills["size_lots"]
    row["time_ns"] = max(int(before["time_ns"]), bounds.end_ns)
    row["market_bid_ticks"], row["market_ask_ticks"] = bounds.last_touch
    row["position_lots"] = int(fills["position_lots"][-1]) if len(fills) else before["position_lots"]
    row["cash"] = -int((lots * fills["price_ticks"]).sum())
    row["fees"] = int(fills["fee"].sum())
    row["funding"] = funding
    row["fills"] = len(fills)
    row["volume_lots"] = int(fills["size_lots"].sum())
    return row


def mid2_ticks(touch: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    """Return twice the mids of TOUCH rows, UNKNOWN_MID where there is no book."""
    assert touch.dtype == TOUCH
    is_known = (touch["bid_ticks"] != NO_BID) & (touch["ask_ticks"] != NO_ASK)
    found: npt.NDArray[np.int64] = np.where(is_known, touch["bid_ticks"] + touch["ask_ticks"], UNKNOWN_MID)
    return found
