"""From prices and sizes as recorded to whole ticks and lots, exactly or not at all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backtest.data.events import BEST, CLEAR, EVENT, EVERY_PRICE, KIND_MASK, Events, RawEvents
from backtest.data.findings import DataError, Findings

STEP_DECIMALS = 9  # finer steps than 1e-9 are not looked for
SAMPLE_ROWS_MIN = 50_000
_OFF_GRID = 1e-3  # of a step
_LARGEST = 2.0**52  # beyond it float64 has no fraction left to check

_Floats = npt.NDArray[np.float64]


class Steps(NamedTuple):
    """What a tick ($) and a lot (units of size) are; 0 = found from the data."""

    tick_size: float = 0.0
    lot_size: float = 0.0


STEPS_FOUND = Steps()


def smallest_step(values: _Floats) -> float:
    """Return the largest step of which all `values` are multiples, to 1e-9; 0 when all are zero."""
    finite = np.abs(values[np.isfinite(values) & (values != 0.0)])
    if not len(finite):
        return 0.0
    # The fewest decimals with which the values are whole; their common divisor is the step.
    for decimals in range(STEP_DECIMALS + 1):
        scaled = finite * 10.0**decimals
        whole = np.rint(scaled)
        if np.all(np.abs(scaled - whole) <= np.maximum(1e-6, scaled * 1e-14)) and whole.max() < _LARGEST:
            return float(np.gcd.reduce(whole.astype(np.int64))) / 10.0**decimals
    return 10.0**-STEP_DECIMALS


def found_steps(rows: RawEvents, given: Steps) -> Steps:
    """Return the steps: those given, the others found from `rows`.

    Raises:
        DataError: when the rows hold no price or no size to find a step from.
    """
    tick = given.tick_size or smallest_step(rows["price"])
    lot = given.lot_size or smallest_step(rows["size"])
    if not (tick > 0.0 and lot > 0.0):
        raise DataError("no prices and sizes in the data to find tick and lot size from: give --tick and --lot")
    return Steps(tick, lot)


def on_grid(findings: Findings, rows: RawEvents, steps: Steps) -> Events:
    """Return raw rows as events without the marks of who reads them.

    Raises:
        DataError: for a price or size that is no whole number of steps, not finite, or negative (sizes).
    """
    kinds = rows["flags"] & KIND_MASK
    may_be_empty = ((kinds == CLEAR) | (kinds == BEST)) & np.isnan(rows["price"])
    prices = np.where(may_be_empty, 0.0, rows["price"])
    sizes = np.where(may_be_empty, 0.0, rows["size"])
    _refuse_first(findings, rows, sizes < 0.0, "size", sizes)
    events = np.empty(len(rows), EVENT)
    for name in ("exchange_time_ns", "local_time_ns", "flags", "venue_id"):
        events[name] = rows[name]
    ticks = _steps(findings, rows, "price", prices, steps.tick_size, "--tick")
    events["price_ticks"] = np.where(may_be_empty, EVERY_PRICE, ticks)
    events["size_lots"] = _steps(findings, rows, "size", sizes, steps.lot_size, "--lot")
    return events


def _steps(
    findings: Findings, rows: RawEvents, name: str, values: _Floats, step: float, option: str
) -> npt.NDArray[np.int64]:
    scaled = values / step
    whole = np.rint(scaled)
    off = ~(np.abs(scaled - whole) <= _OFF_GRID) | ~(np.abs(scaled) < _LARGEST)  # NaN is off too
    if off.any():
        i = int(np.argmax(off))
        advice = f"give the venue's step with {option}"
        raise findings.refuse(int(rows["source"][i]), f"{name} {values[i]:.12g} is no multiple of {step:g}; {advice}")
    return whole.astype(np.int64)


def _refuse_first(findings: Findings, rows: RawEvents, bad: npt.NDArray[np.bool_], name: str, values: _Floats) -> None:
    if bad.any():
        i = int(np.argmax(bad))
        raise findings.refuse(int(rows["source"][i]), f"expected a {name} of 0 or more, found {values[i]:g}")
