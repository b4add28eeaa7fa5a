"""How every benchmark reports: JSON lines where standard output is no terminal, a table where it is one."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Column, Table

_HEADS = ("figure", "median", "range", "unit", "target")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One figure.

    Attributes:
        value: the median over rounds where there are rounds; null when it could not be measured.
        low, high: the range over rounds; equal to `value` where there is one round.
        target: the value must not exceed it, or must reach it where `is_floor`; null = the figure is for information.
        ok: whether the target is met; null without a target.
    """

    name: str
    value: float | None
    unit: str
    target: float | None = None
    ok: bool | None = None
    low: float | None = None
    high: float | None = None
    is_floor: bool = False


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where the figures come from."""

    name: str
    value: dict[str, str]
    unit: str = "text"
    target: None = None
    ok: None = None


def figure(name: str, values: Sequence[float], unit: str, *, target_max: float | None = None) -> Line:
    """Return the median and range of one figure over rounds; an empty one misses any target."""
    ordered = sorted(values)
    if not ordered:
        return Line(name=name, value=None, unit=unit, target=target_max, ok=None if target_max is None else False)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return Line(
        name=name,
        value=round(median, 3),
        unit=unit,
        target=target_max,
        ok=None if target_max is None else median <= target_max,
        low=round(ordered[0], 3),
        high=round(ordered[-1], 3),
    )


def environment(packages: Iterable[str]) -> Environment:
    """Return machine, cores, Python and the versions of `packages`."""
    value = {
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    return Environment(name="environment", value=value | {name: importlib.metadata.version(name) for name in packages})


def show(place: Environment, lines: Sequence[Line]) -> None:
    """Print everything: a table on a terminal, JSON lines elsewhere."""
    if not sys.stdout.isatty():
        for line in (place, *lines):
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()
        return
    table = Table(*(Column(head, no_wrap=True) for head in _HEADS), box=None, pad_edge=False)
    for line in lines:
        sign, verdict = "≥" if line.is_floor else "≤", "met" if line.ok else "MISSED"
        target = "" if line.target is None else f"{sign} {line.target:g} {verdict}"
        spread = "" if line.low is None else f"{_short(line.low)}…{_short(line.high)}"
        table.add_row(line.name, _short(line.value), spread, line.unit, target)
    console = Console()
    console.print(table)
    console.print(", ".join(f"{name} {text}" for name, text in place.value.items()), markup=False)


def _short(value: float | None) -> str:
    """Return a figure as a person reads it: three digits, more before the point only."""
    if value is None:
        return "—"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def exit_code(lines: Iterable[Line], *, is_check: bool) -> int:
    """Return 1 when targets are checked and one is missed, else 0."""
    return int(is_check and any(line.ok is False for line in lines))


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()
