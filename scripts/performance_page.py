"""Write docs/performance.md: `python -m scripts.performance_page RESULTS > docs/performance.md`.

RESULTS is what `make bench` leaves in runs/bench.jsonl: for each benchmark a line {"benchmark", "load"} and then its
own JSON lines. The words of the page are in docs/performance-notes.md; every figure in the tables is from RESULTS.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

NOTES = Path(__file__).resolve().parents[1] / "docs" / "performance-notes.md"
REMEDY = "run `make bench`, which writes it"


class Run(NamedTuple):
    """One benchmark's run: its name, the load average before it, where it ran, its figures."""

    name: str
    load: str
    environment: dict[str, str]
    figures: list[dict[str, Any]]


class ResultsError(ValueError):
    """The results cannot be read; the text says where and why."""


def runs_of(lines: Iterable[str]) -> list[Run]:
    """Return the runs in the order in which they were made.

    Raises:
        ResultsError: a line is not what a benchmark prints.
    """
    runs: list[Run] = []
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            if "benchmark" in line:
                runs.append(Run(str(line["benchmark"]), str(line["load"]), {}, []))
            elif line["name"] == "environment":
                runs[-1].environment.update(line["value"])
            else:
                assert {"value", "unit", "target", "ok"} <= line.keys()
                runs[-1].figures.append(line)
        except (ValueError, KeyError, IndexError, AssertionError, TypeError):
            raise ResultsError(f"line {number}: expected a line of a benchmark, got {text[:60]!r}: {REMEDY}") from None
    if not runs:
        raise ResultsError(f"no benchmark in it: {REMEDY}")
    return runs


def page(runs: Sequence[Run], notes: str) -> str:
    """Return the page."""
    parts = [notes.rstrip(), "", "## The last run", "", *_place(runs), ""]
    for run in runs:
        parts += [f"### benchmarks.{run.name}", "", f"Load average before it: {run.load}.{_warning(run)}", ""]
        parts += ["| figure | median | range | unit | target |", "|---|---|---|---|---|"]
        parts += [_row(figure) for figure in run.figures]
        parts.append("")
    return "\n".join(parts)


def _place(runs: Sequence[Run]) -> list[str]:
    """Return machine and versions, each once."""
    known: dict[str, str] = {}
    for run in runs:
        known.update(run.environment)
    missed = [(run.name, one["name"]) for run in runs for one in run.figures if one["ok"] is False]
    told = ", ".join(f"{name} {value}" for name, value in known.items())
    verdict = ", ".join(f"`{run} {name}`" for run, name in missed) or "none"
    return [f"{told}.", "", f"Targets missed: {verdict}."]


def _warning(run: Run) -> str:
    """Return a warning where others had work for every core."""
    is_busy = float(run.load.split()[0]) > float(run.environment.get("cores", "inf"))
    return " **The machine was busy with other work: read ratios, not figures.**" if is_busy else ""


def _row(figure: dict[str, Any]) -> str:
    target = ""
    if figure["target"] is not None:
        sign = "≥" if figure.get("is_floor") else "≤"
        target = f"{sign} {figure['target']:g} {'met' if figure['ok'] else '**missed**'}"
    spread = "" if figure.get("low") is None else f"{_short(figure['low'])}…{_short(figure['high'])}"
    return f"| {figure['name']} | {_short(figure['value'])} | {spread} | {figure['unit']} | {target} |"


def _short(value: float | None) -> str:
    """Return a figure as a person reads it: three digits, more before the point only."""
    if value is None:
        return "—"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the page; return 2 when RESULTS cannot be read."""
    parser = argparse.ArgumentParser(prog="scripts.performance_page", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", type=Path)
    options = parser.parse_args(arguments)
    try:
        runs = runs_of(options.results.read_text().splitlines())
    except (OSError, ResultsError) as error:
        print(f"error: {options.results}: {error}", file=sys.stderr)
        return 2
    print(page(runs, NOTES.read_text()), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
