"""One recording played, counted and written: what `./cli.py backtest` does, and a search does again and again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backtest.data.container import EventFile
from backtest.data.events import AT_LOCAL
from backtest.data.findings import Repair
from backtest.engine.result import RunResult
from backtest.engine.run import Settings, Watch, backtest
from backtest.metrics.facts import Facts, Latency, facts_of, latency_of, rules_of
from backtest.metrics.leg import Leg, leg_of_result
from domain.codes import OrderEventKind

_LATENCY_SAMPLES = 1_000_000
COUNTED = ("decisions", "inserts", "amends", "cancels", "denied", "unsent")


def play(file: EventFile, settings: Settings, watch: Watch | None = None) -> tuple[RunResult, Leg]:
    """Run a strategy over a recording, and return (what came out, with the market around it)."""
    result = backtest(file, settings, watch)
    return result, leg_of_result(file, result)


def facts_of_backtest(
    file: EventFile,
    result: RunResult,
    leg: Leg,
    *,
    data: Sequence[Path],
    config: Path | None,
    repairs: Iterable[Repair],
    notes: Sequence[str] = (),
) -> Facts:
    """Return all that is known of a run but its tables; `repairs` are those that were allowed."""
    mended = [f"{name} ({count:,})" for name, count in file.header.repairs.items() if count]
    return facts_of(
        [leg],
        kind="backtest",
        data=[path.name for path in data],
        config=str(config or ""),
        notes=[*notes, *([f"{leg.instrument}: the recording was repaired: {', '.join(mended)}"] if mended else [])],
        counts={name: int(result.run[name][0]) for name in COUNTED},
        fill_rules=rules_of([leg]),
        latency_us=latencies([file], [result]),
        parameters=result.parameters,
        fills_hash=result.fills_hash,
        repairs=sorted(repairs),
    )


def latencies(files: Sequence[EventFile], results: Sequence[RunResult]) -> dict[str, Latency]:
    """Return the ways to us: of the feed, of answers and of fills, from the exchange's clock to ours."""
    ways: dict[str, list[npt.NDArray[np.int64]]] = {"feed": [], "answer": [], "fill": []}
    for file, result in zip(files, results, strict=True):
        rows = file.block(0, _LATENCY_SAMPLES)
        rows = rows[rows["flags"] & AT_LOCAL != 0]
        answers = result.answers
        is_fill = answers["kind"] == OrderEventKind.FILLED
        passed = np.asarray(answers["local_time_ns"] - answers["exchange_time_ns"])
        ways["feed"].append(rows["local_time_ns"] - rows["exchange_time_ns"])
        ways["answer"].append(passed[~is_fill])
        ways["fill"].append(passed[is_fill])
    return {name: latency_of(np.concatenate(passed)) for name, passed in ways.items()}
