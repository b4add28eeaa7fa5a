"""One subject against a stream of ticks of the probe venue: what tick_to_order and burst have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.full_system import FullSystem, full_system
from benchmarks.probe_market import STREAM_TICK_SIZE
from benchmarks.probe_stream import RECOVERY_TIMEOUT_S, StreamResult
from benchmarks.probe_ticks import START_TIMEOUT_S
from benchmarks.processes import Probe, running

WARMUP_TICKS = 100
PREPARE_S_PER_TICK = 0.0005  # frames are made before the stream begins


class StreamRound(NamedTuple):
    """One subject's turn; `summary` is summary.json, empty but for ours."""

    result: StreamResult
    summary: dict[str, Any]


def measure_stream(
    subject: str,
    number: int,
    rate: float,
    ticks: int,
    home: Path,
    environ: Mapping[str, str],
    *,
    instruments: int = 1,
    extra: str = "",
    beside: Callable[[FullSystem], AbstractContextManager[object]] = lambda _: nullcontext(),
) -> StreamRound:
    """Run `ours` or `official` against a probe of its own.

    Args:
        rate: ticks a second, of all instruments together.
        extra: further sections of our configuration.
        beside: what else runs while ours is measured.

    Raises:
        BenchmarkError: it could not be measured.
    """
    probe_log, subject_log = home.with_suffix(".probe"), home.with_suffix(".log")
    timeout_s = START_TIMEOUT_S + ticks * PREPARE_S_PER_TICK + ticks / rate + RECOVERY_TIMEOUT_S + 10.0
    arguments = [
        "-m", "benchmarks.probe_venue", "--ticks", str(ticks), "--warmup-ticks", str(WARMUP_TICKS),
        "--rate", str(rate), "--instruments", str(instruments), "--seed", str(number + 1),
    ]  # fmt: skip
    with running(arguments, probe_log, environ, is_heard=True) as venue:
        probe = Probe(venue, probe_log)
        if subject == "ours":
            name = f"bench{os.getpid()}-{number}"
            with (
                full_system(name, probe.url, home, environ, instruments=instruments, extra=extra) as system,
                beside(system),
            ):
                result = probe.outcome(StreamResult, timeout_s, system.process, system.log)
            return StreamRound(result, system.summary())
        quoter = ["-m", "benchmarks.official_quoter", probe.url, str(STREAM_TICK_SIZE)]
        with running(quoter, subject_log, environ) as process:
            return StreamRound(probe.outcome(StreamResult, timeout_s, process, subject_log), {})
