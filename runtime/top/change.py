"""What went on between two looks: rates, shares of a core, latencies of just that time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from domain.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from runtime.top.sample import ActorSample, InstrumentSample, Sample, StageSample
from shm.histogram import quantiles


class ActorChange(NamedTuple):
    """One actor: NaN where it did not run at both looks."""

    name: str
    pid: int
    life: int
    phase: str
    silent_ms: float
    loops_per_s: float
    cpu_percent: float
    private_mb: float
    core: int


class StageChange(NamedTuple):
    """One stage of the way of a tick; quantiles in µs, None without a sample in the time between."""

    name: str
    per_s: float
    p50_us: float | None
    p99_us: float | None
    longest_us: float  # since the session began


class Change(NamedTuple):
    """All of it, in the data's order."""

    seconds: float
    risk: str
    equity: float | None
    actors: list[ActorChange]
    rings_per_s: dict[str, float]
    stages: list[StageChange]
    instruments: dict[str, InstrumentSample]


def change_between(before: Sample, after: Sample) -> Change:
    """Return what went on between two looks at one session."""
    seconds = max(after.time_ns - before.time_ns, 1) / NS_PER_S
    return Change(
        seconds=seconds,
        risk=after.risk,
        equity=after.equity,
        actors=[
            _actor(name, before.actors.get(name), now, after.time_ns, seconds) for name, now in after.actors.items()
        ],
        rings_per_s={name: (head - before.rings.get(name, head)) / seconds for name, head in after.rings.items()},
        stages=[_stage(name, before.stages.get(name), now, seconds) for name, now in after.stages.items()],
        instruments=after.instruments,
    )


def _actor(name: str, before: ActorSample | None, now: ActorSample, now_ns: int, seconds: float) -> ActorChange:
    loops = cpu_s = float("nan")
    if before is not None and before.pid == now.pid:
        loops, cpu_s = float(now.loops - before.loops), now.usage.cpu_s - before.usage.cpu_s
    silent_ms = (now_ns - now.beat_time_ns) / NS_PER_MS if now.beat_time_ns else float("nan")
    return ActorChange(
        name, now.pid, now.life, now.phase.name.lower(), silent_ms, loops / seconds, 100.0 * cpu_s / seconds,
        now.usage.private_mb, now.core,
    )  # fmt: skip


def _stage(name: str, before: StageSample | None, now: StageSample, seconds: float) -> StageChange:
    buckets = now.buckets if before is None else np.maximum(now.buckets - before.buckets, 0)
    found = quantiles(buckets, now.max_ns)
    p50_us, p99_us = (found.p50_ns / NS_PER_US, found.p99_ns / NS_PER_US) if found.samples else (None, None)
    return StageChange(name, found.samples / seconds, p50_us, p99_us, now.max_ns / NS_PER_US)
