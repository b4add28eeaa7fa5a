"""Averages over time: how much a new value counts after `elapsed_s`, with a time constant in s."""

from __future__ import annotations

from domain.clock import NS_PER_S
from domain.jit import Record, kernel


@kernel
def elapsed_since_book(state: Record, time_ns: int) -> float:
    """Return the time since the last usable book, s, and note this one; 0.0 after an outage: it was not seen."""
    before_ns = state["average_time_ns"]
    state["average_time_ns"] = time_ns
    return 0.0 if before_ns == 0 else max(time_ns - before_ns, 0) / NS_PER_S


@kernel
def moved_average(average: float, value: float, elapsed_s: float, constant_s: float) -> float:
    """Return the average with `value` in it, which held for `elapsed_s`; the first value (average 0) counts whole.

    The step of an exponential average by the implicit Euler rule: no exponential, never beyond the value.
    """
    if average == 0.0:
        return value
    return average + (value - average) * elapsed_s / (constant_s + elapsed_s)
