"""What a worker does: one trial on one window, left where the trial is not worth its time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from backtest.data.container import EventFile
from backtest.engine.result import FEE_UNIT, Rows
from backtest.engine.run import WATCHED_PARTS, Settings
from backtest.metrics.statistics import statistics
from backtest.play import play
from backtest.search.space import with_values
from domain.errors import UserError


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trial on a window.

    Attributes:
        values: statistics by name; empty where the run was left or refused.
        curve: equity after every tenth of the window, $; shorter where the run was left.
        is_left: equity fell below the floor.
        refusal: why the parameters cannot be run; empty = they can.
        cpu_s, wall_s: processor time and time that it took.
    """

    values: dict[str, float | int | None] = {}
    curve: list[float] = []
    is_left: bool = False
    refusal: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0


def run_window(path: str, base: Settings, parameters: dict[str, Any], floor: Sequence[float] | None) -> Outcome:
    """Run parameters over a window.

    Args:
        floor: equity after every tenth under which the run is left, $; None = never.
    """
    begun_s, begun_cpu_s = time.monotonic(), time.process_time()
    try:
        settings = with_values(base, parameters)
    except UserError as error:
        return Outcome(refusal=str(error))
    file = EventFile(Path(path))
    point = file.header.tick_size * file.header.lot_size * file.header.contract_multiplier
    curve: list[float] = []

    def watch(part: float, series: Rows) -> bool:
        tenths = round(part * WATCHED_PARTS)
        curve.extend([equity_of(series, point)] * (tenths - len(curve)))
        return floor is None or curve[-1] >= floor[tenths - 1]

    _, leg = play(file, settings, watch)
    is_left = floor is not None and any(have < least for have, least in zip(curve, floor, strict=False))
    values = {} if is_left else statistics([leg]).values
    return Outcome(
        values=values,
        curve=curve,
        is_left=is_left,
        cpu_s=time.process_time() - begun_cpu_s,
        wall_s=time.monotonic() - begun_s,
    )


def equity_of(series: Rows, point: float) -> float:
    """Return equity at the last row of a series, $; 0 before there is one. `point`: $ for a tick on a lot."""
    if len(series) == 0:
        return 0.0
    row = series[-1]
    held = row["position_lots"] * (row["market_bid_ticks"] + row["market_ask_ticks"]) / 2
    return float((row["cash"] + held - (row["fees"] + row["funding"]) * FEE_UNIT) * point)
