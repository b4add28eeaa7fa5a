"""The statistics of a run, as definitions.py defines them.

Nothing here is infinite or NaN: what a run cannot tell is None, with the reason why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.metrics.definitions import DEFINITIONS
from backtest.metrics.leg import MARKOUTS_S, UNKNOWN_MID, Leg
from backtest.metrics.ratios import drawdown, return_interval_s, sharpe, sortino
from backtest.metrics.round_trips import round_trips_usd
from backtest.metrics.split import NOTHING, Split, split_of
from domain.clock import NS_PER_S
from domain.order import LiquiditySide

DAY_S = 86_400
BPS = 1e4


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    Attributes:
        values: by the names of DEFINITIONS, None where the run cannot tell.
        why_null: the reason of every None.
        split: the parts of the profit as exact decimal text.
    """

    values: dict[str, float | int | None]
    why_null: dict[str, str]
    split: dict[str, str]


class _Sheet:
    """Gathers values; refuses what is not finite."""

    def __init__(self) -> None:
        self.values: dict[str, float | int | None] = {}
        self.why_null: dict[str, str] = {}

    def put(self, name: str, value: float | int | None, why: str = "") -> None:
        assert name in DEFINITIONS, f"{name} is not defined"
        if value is not None and not math.isfinite(value):
            value = None
        self.values[name] = value
        if value is None:
            assert why, f"{name} is unknown without a reason"
            self.why_null[name] = why

    def put_ratio(self, name: str, part: float, whole: float, why: str) -> None:
        self.put(name, part / whole if whole else None, why)


def statistics(legs: Sequence[Leg]) -> Statistics:
    """Return the statistics of a run of one or more instruments."""
    assert legs, "a run has at least one instrument"
    sheet = _Sheet()
    seconds = (max(leg.end_ns for leg in legs) - min(leg.begin_ns for leg in legs)) / NS_PER_S
    sheet.put("seconds", seconds)
    split = sum((split_of(leg) for leg in legs), NOTHING)
    _money(sheet, split)
    _risk(sheet, legs)
    _trading(sheet, legs, float(split.net), seconds)
    _quoting(sheet, legs)
    _inventory(sheet, legs)
    _markouts(sheet, legs)
    assert list(sheet.values) == list(DEFINITIONS), "a statistic is missing, or out of its place"
    return Statistics(
        values=sheet.values,
        why_null=sheet.why_null,
        split={name: f"{value.normalize():f}" for name, value in (*split._asdict().items(), ("net", split.net))},
    )


def _money(sheet: _Sheet, split: Split) -> None:
    sheet.put("net_pnl", float(split.net))
    for name, part in split._asdict().items():
        sheet.put(f"pnl_{name}", float(part))


def equity_over(legs: Sequence[Leg]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return (times, equity over all instruments) once a second; before its first moment an instrument made nothing,
    after its last one it keeps what it had."""
    if len(legs) == 1:
        return legs[0].series["time_ns"], legs[0].equity_usd()
    begin_ns = min(int(leg.series["time_ns"][0]) for leg in legs)
    end_ns = max(int(leg.series["time_ns"][-1]) for leg in legs)
    times_ns = np.append(np.arange(begin_ns, end_ns, NS_PER_S), end_ns)
    total = np.zeros(len(times_ns))
    for leg in legs:
        places = np.searchsorted(leg.series["time_ns"], times_ns, side="right") - 1
        total += np.where(places >= 0, leg.equity_usd()[np.maximum(places, 0)], 0.0)
    return times_ns, total


def _risk(sheet: _Sheet, legs: Sequence[Leg]) -> None:
    _, equity = equity_over(legs)
    interval_s = return_interval_s(len(equity) - 1)
    short = f"the run is shorter than 30 s ({len(equity) - 1} s)"
    sheet.put(
        "sharpe", sharpe(equity, interval_s) if interval_s else None, "equity did not vary" if interval_s else short
    )
    sheet.put(
        "sortino", sortino(equity, interval_s) if interval_s else None, "no interval lost" if interval_s else short
    )
    sheet.put("return_interval", interval_s, short)
    fall = drawdown(equity)
    sheet.put("max_drawdown", fall.usd)
    sheet.put("longest_below_peak", fall.below_peak_s)
    trips = [trip for leg in legs for trip in round_trips_usd(leg)]
    sheet.put("round_trips", len(trips))
    sheet.put_ratio("win_rate", sum(trip > 0 for trip in trips), len(trips), "no round trip was finished")


def _trading(sheet: _Sheet, legs: Sequence[Leg], net: float, seconds: float) -> None:
    lots = [leg.fills["size_lots"].sum() for leg in legs]
    as_maker = [(leg.fills["size_lots"] * (leg.fills["liquidity_side"] == LiquiditySide.MAKER)).sum() for leg in legs]
    volumes = [float(leg.grid.lot_base) * float(n) for leg, n in zip(legs, lots, strict=True)]
    turnover = sum(_turnover(leg) for leg in legs)
    sheet.put("fills", sum(len(leg.fills) for leg in legs))
    sheet.put_ratio("maker_share", float(sum(as_maker)), float(sum(lots)), "no fill")
    sheet.put("volume", volumes[0] if len(legs) == 1 else None, _SEVERAL)
    sheet.put("turnover", turnover)
    sheet.put_ratio("turnover_per_day", turnover * DAY_S, seconds, "the run has no length")
    sheet.put_ratio("net_pnl_per_turnover", net * BPS, turnover, "no fill")
    orders = sum(len(leg.orders) for leg in legs)
    filled = sum(int(np.count_nonzero(leg.orders["filled_lots"])) for leg in legs)
    sheet.put("orders", orders)
    sheet.put_ratio("fill_ratio", filled, orders, "no order")


def _turnover(leg: Leg) -> float:
    return float(leg.grid.money) * float((leg.fills["size_lots"] * leg.fills["price_ticks"]).sum())


_SEVERAL = "several instruments have no common unit: see each"


def _quoting(sheet: _Sheet, legs: Sequence[Leg]) -> None:
    length_ns = sum(leg.quoting_end_ns - leg.quoting_begin_ns for leg in legs)
    for side in ("bid", "ask"):
        quoted_ns = sum(int(leg.series[f"{side}_quoted_ns"][-1]) for leg in legs)
        sheet.put_ratio(f"quoted_time_{side}", min(quoted_ns, length_ns), length_ns, "the run has no length")
    spreads = np.concatenate([quoted_spread_bps(leg) for leg in legs])
    quoted = spreads[~np.isnan(spreads)]
    sheet.put_ratio("quoted_time_both", len(quoted), len(spreads), "the run has no length")
    sheet.put("quoted_spread", float(quoted.mean()) if len(quoted) else None, "never quoted on both sides")


def quoted_spread_bps(leg: Leg) -> np.ndarray:
    """Return, for every second of quoting, what lay between our best prices, bps of the mid; NaN without both."""
    samples = leg.series[:-1]  # the last row is not of a second: it closes the books
    series = samples[(samples["time_ns"] >= leg.quoting_begin_ns) & (samples["time_ns"] <= leg.quoting_end_ns)]
    mid2 = (series["market_bid_ticks"] + series["market_ask_ticks"]).astype(np.float64)
    both = (series["own_bid_ticks"] != 0) & (series["own_ask_ticks"] != 0) & (mid2 != 0)
    apart = 2.0 * (series["own_ask_ticks"] - series["own_bid_ticks"])
    spreads: np.ndarray = np.divide(apart, mid2, out=np.full(len(series), np.nan), where=both) * BPS
    return spreads


def _inventory(sheet: _Sheet, legs: Sequence[Leg]) -> None:
    names = ("position_end", "position_mean", "position_mean_abs", "position_max_abs")
    if len(legs) > 1:
        for name in names:
            sheet.put(name, None, _SEVERAL)
        return
    (leg,) = legs
    lot = float(leg.grid.lot_base)
    held = leg.series["position_lots"] * lot
    peak = np.abs(np.concatenate([leg.fills["position_lots"] * lot, held]))
    for name, value in zip(names, (held[-1], held.mean(), np.abs(held).mean(), peak.max()), strict=True):
        sheet.put(name, float(value))


def _markouts(sheet: _Sheet, legs: Sequence[Leg]) -> None:
    for after in MARKOUTS_S:
        gained = turnover = 0.0
        for leg in legs:
            fills = leg.fills[leg.fills[f"mid2_ticks_{after}s"] != UNKNOWN_MID]
            moves = 0.5 * fills[f"mid2_ticks_{after}s"] - fills["price_ticks"]
            gained += float(leg.grid.money) * float((fills["side"] * fills["size_lots"] * moves).sum())
            turnover += float(leg.grid.money) * float((fills["size_lots"] * fills["price_ticks"]).sum())
        sheet.put_ratio(f"markout_{after}s", gained * BPS, turnover, f"no fill is followed by {after} s of market")
