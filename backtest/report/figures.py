"""The plots of the page, as plotly.js takes them: plain dicts of `data` and `layout`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from backtest.metrics.facts import Latency
from backtest.metrics.leg import CURVE_S
from backtest.metrics.statistics import BPS, Statistics
from backtest.report.tables import Columns, Shown

Figure = dict[str, Any]
BID, ASK, OURS, GREY = "#1a9850", "#d73027", "#3b6fd4", "#8a8f98"
DIGITS = 9
_LOWER = {"type": "date", "anchor": "y2"}  # of two panels the lower one has the clock
TIMES_FROM = 1e11
PARTS = ("spread", "adverse_selection", "inventory", "fees", "funding")


def equity_and_inventory(equity: Columns, shown: Sequence[Shown]) -> Figure:
    """Equity over all instruments above, the position of each below."""
    data = [_line(equity, "equity_usd", "equity", OURS, fill="tozeroy")]
    for one in shown:
        name = "position" if len(shown) == 1 else one.instrument
        data.append(_line(one.series, "position_base", name, None if len(shown) > 1 else GREY, shape="hv", axis="y2"))
    return _figure(
        data, {"xaxis": _LOWER, "yaxis": _axis("equity, $", 0.4, 1.0), "yaxis2": _axis("position, base", 0.0, 0.36)}
    )


def quotes_over_book(one: Shown) -> Figure:
    """The market's best prices, ours around them, and our fills."""
    market = [
        _line(one.series, "market_bid_usd", "market bid", "#9bd3ae", shape="hv"),
        _line(one.series, "market_ask_usd", "market ask", "#f0a9a3", shape="hv"),
    ]
    ours = [
        _line(one.series, "own_bid_usd", "our bid", BID, shape="hv"),
        _line(one.series, "own_ask_usd", "our ask", ASK, shape="hv"),
    ]
    fills = [_marks(one.fills, 1, "bought", BID, "triangle-up"), _marks(one.fills, -1, "sold", ASK, "triangle-down")]
    return _figure([*market, *ours, *fills], {"yaxis": _axis("price, $")})


def markout_curve(shown: Sequence[Shown]) -> Figure:
    """How far the mid was from the fill's price in our favour, by seconds after it; bars are standard errors."""
    data = []
    for name, side, colour in (("all", 0, OURS), ("bought", 1, BID), ("sold", -1, ASK)):
        means, errors = [], []
        for column in ("mid_usd", *(f"mid_{after}s_usd" for after in CURVE_S)):
            mean, error = _markout(shown, column, side)
            means.append(mean)
            errors.append(error)
        bars = {"type": "data", "array": _plain(errors), "visible": side == 0, "thickness": 1}
        line = {"type": "scatter", "mode": "lines+markers", "name": name, "line": {"color": colour}}
        data.append({**line, "x": [0, *CURVE_S], "y": _plain(means), "error_y": bars})
    axis = {"title": {"text": "seconds after the fill"}, "type": "linear"}
    return _figure(data, {"yaxis": _axis("markout, bps"), "xaxis": axis})


def _markout(shown: Sequence[Shown], column: str, side: int) -> tuple[float, float]:
    moves, weights = [], []
    for one in shown:
        fills = one.all_fills
        chosen = ~np.isnan(fills[column]) & ((fills["side"] == side) if side else True)
        price = fills["price_usd"][chosen]
        moves.append(fills["side"][chosen] * (fills[column][chosen] - price) / price * BPS)
        weights.append(fills["size_base"][chosen] * price)
    move, weight = np.concatenate(moves), np.concatenate(weights)
    if len(move) == 0:
        return np.nan, np.nan
    mean = float(np.average(move, weights=weight))
    error = float(np.sqrt((weight**2 * (move - mean) ** 2).sum()) / weight.sum()) if len(move) > 1 else np.nan
    return mean, error


def spread_and_skew(one: Shown) -> Figure:
    """Our spread and the market's above; how far our middle stood off the market's below."""
    series = dict(one.series)
    mid = (series["market_bid_usd"] + series["market_ask_usd"]) / 2
    series["ours"] = (series["own_ask_usd"] - series["own_bid_usd"]) / mid * BPS
    series["market"] = (series["market_ask_usd"] - series["market_bid_usd"]) / mid * BPS
    series["off"] = ((series["own_ask_usd"] + series["own_bid_usd"]) / 2 - mid) / mid * BPS
    data = [
        _line(series, "ours", "our spread", OURS),
        _line(series, "market", "market's spread", GREY),
        _line(series, "off", "our middle − mid", ASK, axis="y2"),
        _line(series, "position_base", "position", GREY, axis="y3", shape="hv"),
    ]
    if np.any(series["reservation_price"] != 0):
        asked = series["reservation_price"] != 0
        series["skew"] = np.where(asked, (series["reservation_price"] - series["fair_price"]) / mid * BPS, np.nan)
        data.insert(3, _line(series, "skew", "reservation − fair price", BID, axis="y2"))
    axes = {
        "xaxis": _LOWER,
        "yaxis": _axis("spread, bps", 0.52, 1.0),
        "yaxis2": _axis("skew, bps", 0.0, 0.48),
        "yaxis3": {"overlaying": "y2", "side": "right", "title": {"text": "position, base"}, "showgrid": False},
    }
    return _figure(data, axes)


def profit_split(told: Statistics) -> Figure:
    """The parts of the profit, and their sum."""
    values = [float(told.split[name]) for name in (*PARTS, "net")]
    names = ["spread", "adverse<br>selection", "inventory", "fees", "funding", "net"]
    colours = [*(BID if value >= 0 else ASK for value in values[:-1]), OURS]
    text = [f"{value:+,.4g}" for value in values]
    bars = {"type": "bar", "x": names, "y": values, "text": text, "marker": {"color": colours}, "textposition": "auto"}
    return _figure([bars], {"yaxis": _axis("$"), "xaxis": {"type": "category"}, "showlegend": False})


def latency_bars(latency: Mapping[str, Latency]) -> Figure:
    """The median, and the slowest hundredth and thousandth, of every way."""
    data = [
        {
            "type": "bar",
            "name": name,
            "x": list(latency),
            "y": [getattr(found, name) if found.n else None for found in latency.values()],
            "marker": {"color": colour},
        }
        for name, colour in (("p50", "#9db8ea"), ("p99", OURS), ("p999", "#1d3c7c"))
    ]
    axes = {"yaxis": {**_axis("µs"), "type": "log"}, "xaxis": {"type": "category"}, "barmode": "group"}
    return _figure(data, axes)


def importances(found: Mapping[str, float]) -> Figure:
    """How much of what the trials differed in each parameter explains."""
    names = sorted(found, key=lambda name: found[name])
    values = [found[name] for name in names]
    bars = {"type": "bar", "orientation": "h", "y": names, "x": values, "marker": {"color": OURS}}
    axes = {"yaxis": {"type": "category", "automargin": True}, "xaxis": {"title": {"text": "importance"}}}
    return _figure([bars], {**axes, "showlegend": False})


def trial_values(numbers: Sequence[int], values: Sequence[float]) -> Figure:
    """What every trial came to, and the best so far."""
    best = np.maximum.accumulate(np.array(values, np.float64)) if values else np.zeros(0)
    points = {"type": "scatter", "mode": "markers", "name": "trial", "x": list(numbers), "y": _plain(values)}
    line = {"type": "scatter", "mode": "lines", "name": "best", "x": list(numbers), "y": _plain(best)}
    dots = {"color": GREY, "size": 6}
    axes = {"yaxis": _axis("objective"), "xaxis": {"title": {"text": "trial"}}}
    return _figure([{**points, "marker": dots}, {**line, "line": {"color": OURS}}], axes)


def _line(
    columns: Columns, name: str, label: str, colour: str | None, *, shape: str = "linear", axis: str = "y", **more: Any
) -> Figure:
    line: dict[str, Any] = {"width": 1.4, "shape": shape}
    if colour:
        line["color"] = colour
    points = {"x": _plain(columns["time_ms"]), "y": _plain(columns[name])}
    return {"type": "scatter", "mode": "lines", "name": label, "line": line, "yaxis": axis, **points, **more}


def _marks(fills: Columns, side: int, label: str, colour: str, symbol: str) -> Figure:
    chosen = fills["side"] == side
    text = [f"{size:g}" for size in fills["size_base"][chosen]]
    points = {"x": _plain(fills["time_ms"][chosen]), "y": _plain(fills["price_usd"][chosen]), "text": text}
    marker = {"color": colour, "symbol": symbol, "size": 8, "line": {"width": 0.5, "color": "white"}}
    return {"type": "scatter", "mode": "markers", "name": label, "marker": marker, **points}


def _axis(title: str, low: float = 0.0, high: float = 1.0) -> Figure:
    return {"title": {"text": title}, "domain": [low, high], "automargin": True}


def _figure(data: list[Figure], axes: Figure) -> Figure:
    legend = {"orientation": "h", "y": 1.1, "x": 0}
    margin = {"l": 70, "r": 50, "t": 30, "b": 45}
    base = {"margin": margin, "legend": legend, "hovermode": "x unified", "xaxis": {"type": "date"}}
    return {"data": data, "layout": {**base, **axes}}


def _plain(values: npt.NDArray[np.float64] | Sequence[float]) -> list[float | None]:
    """Return numbers as JSON takes them, with no more digits than anybody sees; times in ms are whole."""
    return [_short(value) for value in np.asarray(values, np.float64).tolist()]


def _short(value: float) -> float | None:
    if np.isnan(value):
        return None
    return round(value) if abs(value) >= TIMES_FROM else float(f"{value:.{DIGITS}g}")
