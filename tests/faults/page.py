"""Write docs/faults.md: `python -m tests.faults.page runs/*-faults/faults.json > docs/faults.md`, of whichever runs."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

INTRODUCTION = """# What the fault suite found

Printed by `python -m tests.faults.page FILE...` from what runs of the suite left; [operating.md](operating.md) says
what each row does. Of each figure: how often it was taken, its median, 99th percentile and largest, the bound, and the
machine's load average (one minute) when the largest was taken. Sessions run at about 500 books and tickers a second."""
HEADER = ("| figure | n | p50 | p99 | max | unit | bound | | load at max |", "|---|---|---|---|---|---|---|---|---|")
FAILURE_CHARS = 200
MISSED = re.compile(r", bound [^,]+, at load [\d.]+$")  # the figure's row says it, too


def page(reports: Iterable[dict[str, Any]]) -> str:
    """Return the page of some reports, each row of each report by itself."""
    lines = [INTRODUCTION]
    for report in reports:
        for row in report["rows"]:
            lines += ["", *_row(row, report)]
    return "\n".join(lines) + "\n"


def _row(row: dict[str, Any], report: dict[str, Any]) -> list[str]:
    """Return a row as a title, how it was played, its figures, and what did not hold."""
    machine = report["machine"]
    loads = " to ".join(f"{load:.1f}" for load in row["load"])
    nice = f", priority {machine['nice']:+d}" if machine.get("nice") else ""
    counts = "; ".join(f"{n} {what}" for what, n in sorted(row["counts"].items()))
    lines = [
        f"## {row['row']}",
        "",
        f"{report['time']} UTC, seed {row['seed']}, {machine['cores']} cores, load {loads}{nice}.",
    ]
    if counts:
        lines[-1] += f" {counts}."
    lines += ["", *HEADER, *(_measure(measure) for measure in row["measures"])]
    return [*lines, "", *_verdicts(row)]


def _verdicts(row: dict[str, Any]) -> list[str]:
    """Return what broke, or that no rule did and how many figures missed their bounds."""
    broken = [failure for failure in row["failures"] if not MISSED.search(failure)]
    if broken:
        return [f"- {' '.join(failure.split())[:FAILURE_CHARS]}" for failure in broken]
    missed = sum(measure["bound"] is not None and not measure["ok"] for measure in row["measures"])
    if missed:
        return [f"No rule broken; {missed} {'bound' if missed == 1 else 'bounds'} missed."]
    return ["Every rule held."]


def _measure(measure: dict[str, Any]) -> str:
    figures = [_figure(measure[name]) for name in ("p50", "p99", "max")]
    bound, verdict = ("", "") if measure["bound"] is None else (f"{measure['bound']:g}", _verdict(measure))
    load = f"{measure['max_at_load']:.1f}" if "max_at_load" in measure else ""
    cells = [measure["name"], measure["n"], *figures, measure["unit"], bound, verdict, load]
    return f"| {' | '.join(map(str, cells))} |"


def _verdict(measure: dict[str, Any]) -> str:
    return "held" if measure["ok"] else "**missed**"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the page of the reports that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.page", description=__doc__)
    parser.add_argument("report", nargs="+", type=Path, help="faults.json of a run of the suite")
    options = parser.parse_args(arguments)
    print(page(json.loads(path.read_text()) for path in options.report), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
