"""Under what conditions a backtest was run, in a line: two of them compare only where these are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backtest.metrics.facts import Facts
from domain.clock import NS_PER_MS
from fills.queue import QueueModel


def conditions(facts: Facts) -> str:
    """Return step, latency, queue model, repairs, and how many orders our gate denied; empty of a live session."""
    parameters = facts.parameters
    if parameters and "step_ms" not in parameters:  # of several instruments, which differ in their strategies alone
        parameters = next(iter(parameters.values()))
    if not parameters:
        return ""
    venue = parameters["venue"]
    step_ms = parameters["step_ms"]
    parts = [
        f"a decision every {step_ms:g} ms" if step_ms else "a decision at every message",
        _latency(venue["latency"]),
        f"queue {_queue(venue['queue_model'], venue['queue_power'])}",
        f"fees {venue['maker_fee_bps']:g} / {venue['taker_fee_bps']:g} bps",
        f"repair {', '.join(facts.repairs)}" if facts.repairs else "no repair",
        f"{facts.counts.get('denied', 0):,} orders denied",
    ]
    return " · ".join(parts)


def _latency(latency: Mapping[str, Any]) -> str:
    if steps := latency["entry_steps"]:
        back = latency["answer_steps"]
        return f"latency as measured, median {_ms(_median(steps))} there and {_ms(_median(back))} back"
    return f"latency {_ms(latency['entry_ns'][0])} there and {_ms(latency['answer_ns'][0])} back"


def _queue(model: int, power: float) -> str:
    name = QueueModel(model).name.lower()
    return f"{name} ({power:g})" if name.startswith("power") else name


def _median(quantiles: Sequence[int]) -> int:
    return quantiles[len(quantiles) // 2]


def _ms(time_ns: int) -> str:
    return f"{time_ns / NS_PER_MS:.3g} ms"
