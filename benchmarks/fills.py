"""The fills of our engine against those of hftbacktest: `python -m benchmarks.fills [-o docs/fills.md]`. A few minutes.

hftbacktest runs the grid of benchmarks/grid_strategy.py, 10 ms each way, and writes down what it sends and what fills.
The same requests at the same moments are then played against our exchange, and fills are matched one to one: order,
side, price, time, size. Run it in the environment of the peers (`make .venv-bench/.ready`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from domain import jit

os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

import numpy as np

from backtest.data.container import EventFile
from backtest.data.convert import Options, convert
from backtest.data.findings import parse_repairs
from backtest.engine.records import POST_ONLY, REJECT_POST_ONLY
from backtest.engine.run import Engine
from backtest.engine.venue import Latency, VenueSettings
from backtest.synthetic import write_session
from benchmarks.backtest import BUSY, QUIET, RAW, REPOSITORY, shared
from benchmarks.backtest_ours import settings as grid_settings
from benchmarks.fills_compare import Cause, Comparison, Log, compare
from benchmarks.parameters import BACKTEST_LATENCY_NS
from fills.queue import QueueModel

QUIET_SECONDS, BUSY_SECONDS = 4 * 3600.0, 480.0
RECORDED = "recorded, 2024"
PAGE = """# The fills of hftbacktest and ours

    make .venv-bench/.ready && .venv-bench/bin/python -m benchmarks.fills -o docs/fills.md    # writes this page

hftbacktest {version} runs the grid of `benchmarks/grid_strategy.py` (10 + 10 post-only orders around a skewed mid,
10 ms each way) on its default exchange, which fills an order whole or not at all. What it sends is then sent to our
exchange at the same moments, over the same rows. A fill is equal when order, side, price, exchange time and size are.
Data: {data}.

{table}

Why the others differ. Each cause is tried on each order: with that one rule of theirs in the place of ours it fills as
in theirs. What no rule explains stands under "unexplained", and the command ends with exit code 1.

| cause | theirs | ours | fills |
|---|---|---|---|
| shared | every order of ours meets the whole of a trade, as if the others were not there | the trade meets the \
better-priced orders first, then those before in the queue; what they take is gone | {shared} |
| parts | the whole order, whatever its size, once one lot of a trade comes through the queue | what comes through, \
each part booked as it comes | {parts} |
| behind | where a cancel is shared out, what stood behind us is `previous - ahead`, with `ahead` already less the \
trades since: what was traded counts as behind | `previous - traded - ahead` | {behind} |
| unit | `log1` and `log2` take logarithms of sizes in base units | of sizes in lots | {unit} |
| unexplained | | | {unexplained} |

Rules that differ on purpose are left out of this comparison: a post-only order that would take (theirs expires; ours is
moved back by one tick, as on Thalex, or cancelled on wish, as here); takers (theirs fill whole at the best price,
whatever is there; ours walk the book and use it up). Its exchange with partial fills books none but the last part of an
order (its issue #316): its position is wrong from then on.

Each in its own loop, the same script decides on its own fills, and one fill that differs moves all orders after it:

{loops}

The rest of the way apart is how the script is carried out: ours quotes anew as soon as it hears of a fill, as live,
theirs at its next 100 ms; ours moves an order to another level with one amend, theirs cancels and inserts; theirs
leaves an order alone whose price is wanted again while its cancel is on the way.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: which data, a decision how often, which queue model, how large the orders."""

    data: str
    step_ms: int
    queue: QueueModel
    lots: int


CASES = (
    *(Case(RECORDED, 100, queue, 1) for queue in QueueModel if queue != QueueModel.FIFO),
    Case(RECORDED, 10, QueueModel.RISK_AVERSE, 1),
    Case(RECORDED, 10, QueueModel.POWER3, 1),
    Case(RECORDED, 100, QueueModel.POWER1, 20),
    Case("generated, busy", 100, QueueModel.RISK_AVERSE, 1),
    Case("generated, busy", 100, QueueModel.POWER1, 1),
    Case("generated, quiet", 100, QueueModel.RISK_AVERSE, 1),
    Case("generated, quiet", 100, QueueModel.POWER1, 1),
    Case("generated, quiet", 100, QueueModel.POWER1, 20),
)
LOOPS = (CASES[0], CASES[-3])  # risk-averse, one lot: recorded, quiet


@dataclass(frozen=True, slots=True)
class Loop:
    """Fills of each in its own loop: theirs; ours with post-only orders moved back, and cancelled; equal ones."""

    theirs: int
    ours: tuple[int, int]
    equal: tuple[int, int]


def prepared(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Write all data for both; returns (ours, theirs) by name. The recording is left out where it is absent."""
    sources = {"generated, busy": folder / "busy-all.events", "generated, quiet": folder / "quiet-all.events"}
    write_session(sources["generated, busy"], BUSY, BUSY_SECONDS)
    write_session(sources["generated, quiet"], QUIET, QUIET_SECONDS)
    if all(path.exists() for path in RAW):
        sources[RECORDED] = folder / "recorded-all.events"
        convert(RAW, sources[RECORDED], Options(repairs=parse_repairs(["clock"])))
    return {name: shared(path, path.with_name(path.name.replace("-all", ""))) for name, path in sources.items()}


def logged(case: Case, theirs: Path, file: EventFile, output: Path) -> Log:
    """Run hftbacktest in a process of its own and return what it sent and heard."""
    command = [
        sys.executable, "-m", "benchmarks.fills_theirs", str(theirs), "-o", str(output),
        "--queue", case.queue.name.lower(), "--step-ms", str(case.step_ms), "--lots", str(case.lots),
        "--tick", str(file.header.tick_size), "--lot", str(file.header.lot_size),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    with np.load(output) as found:
        return Log(found["requests"], found["fills"], int(found["end_ns"]))


def compared(folder: Path) -> tuple[dict[Case, Comparison], dict[Case, Loop]]:
    """Run all cases whose data is there; returns comparisons of the same requests, and of each in its own loop."""
    data = prepared(folder)
    found, own_loops = {}, {}
    latency = Latency.constant(BACKTEST_LATENCY_NS, BACKTEST_LATENCY_NS)
    for case in CASES:
        if case.data not in data:
            continue
        ours, theirs = data[case.data]
        file = EventFile(ours)
        log = logged(case, theirs, file, folder / "log.npz")
        settings = VenueSettings(latency=latency, queue_model=case.queue, queue_power=3.0)
        found[case] = compare(file, log, settings, case.lots)
        if case in LOOPS:
            own_loops[case] = own_loop(case, file, log)
    return found, own_loops


def own_loop(case: Case, file: EventFile, log: Log) -> Loop:
    """Run the same script in our engine on its own fills, with post-only orders moved back and cancelled."""
    theirs = Counter((fill[0], fill[2], fill[3]) for fill in log.fills.tolist())
    counts, equal = [], []
    usual = grid_settings(case.step_ms)
    settings = replace(usual, venue=replace(usual.venue, queue_model=case.queue))
    for flags in (POST_ONLY, POST_ONLY | REJECT_POST_ONLY):
        engine = Engine(file, settings)
        engine.run["flags"] = flags
        engine.play()
        fills = engine.result(file.header.instrument, settings).fills
        ours = Counter(fills[["time_ns", "side", "price_ticks"]].tolist())
        counts.append(ours.total())
        equal.append((theirs & ours).total())
    return Loop(theirs.total(), (counts[0], counts[1]), (equal[0], equal[1]))


def table(found: dict[Case, Comparison]) -> str:
    """Return the comparisons as a Markdown table."""
    lines = [
        "| data | decision every | queue model | lots | theirs | ours | equal | differ, and why |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case, one in found.items():
        causes = ", ".join(f"{cause} {count}" for cause, count in sorted(one.causes().items())) or "–"
        lines.append(
            f"| {case.data} | {case.step_ms} ms | `{case.queue.name.lower()}` | {case.lots} | {one.theirs:,} "
            f"| {one.ours:,} | {one.equal:,} | {causes} |"
        )
    return "\n".join(lines)


def loops(found: dict[Case, Loop]) -> str:
    """Return the runs of each in its own loop as a Markdown table."""
    lines = [
        "| data | theirs | ours | equal | ours, post-only cancelled | equal |",
        "|---|---|---|---|---|---|",
    ]
    for case, one in found.items():
        moved, cancelled = (f"{fills:,} | {equal:,}" for fills, equal in zip(one.ours, one.equal, strict=True))
        lines.append(f"| {case.data} | {one.theirs:,} | {moved} | {cancelled} |")
    return "\n".join(lines)


def page(found: dict[Case, Comparison], own_loops: dict[Case, Loop]) -> str:
    """Return the whole page."""
    causes: Counter[Cause] = sum((one.causes() for one in found.values()), Counter())
    recorded = "a recording of BTCUSDT, " if any(case.data == RECORDED for case in found) else ""
    data = f"{recorded}eight generated minutes of a busy market and four generated hours of a quiet one"
    counts = {str(cause): f"{causes[cause]:,}" for cause in Cause}
    return PAGE.format(version=version("hftbacktest"), table=table(found), loops=loops(own_loops), data=data, **counts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print or write; exit code 1 when a fill differs for no known reason."""
    parser = argparse.ArgumentParser(prog="benchmarks.fills", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", "-o", type=Path, metavar="FILE.md", help="write the page of the documentation here")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ringmaker-bench-") as folder:
        found, own_loops = compared(Path(folder))
    if given.output:
        given.output.write_text(page(found, own_loops), encoding="utf-8")
    print(table(found), loops(own_loops), sep="\n\n")
    unexplained = [one for each in found.values() for one in each.differences if one.cause == Cause.UNEXPLAINED]
    for one in unexplained:
        print(f"unexplained: order {one.order}: theirs {one.theirs}, ours {one.ours}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
