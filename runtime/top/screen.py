"""A change in tables for people."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runtime.config import SupervisorConfig
from runtime.top.change import Change

SILENT_MS_MAX = SupervisorConfig().suspect_ms  # longer, and the supervisor suspects an actor, unless told otherwise
_RING_COLUMNS = 3


def screen_of(session: str, change: Change) -> RenderableType:
    """Return the whole picture; 80 columns are enough."""
    equity = "not known yet" if change.equity is None else f"{change.equity:+.2f} $"
    head = Text(f"{session} · risk {change.risk} · P&L {equity} · over {change.seconds:.1f} s", style="bold")
    return Group(head, _instruments(change), _actors(change), _stages(change), _rings(change))


def _instruments(change: Change) -> Table:
    table = _table("instrument", "our bid", "mid", "our ask", "position", "fills", "P&L $")
    for name, found in change.instruments.items():
        prices = (_shown(price, ".10g") for price in (found.our_bid, found.mid, found.our_ask))
        table.add_row(name, *prices, _shown(found.position, ".8g"), str(found.fills), _shown(found.pnl, "+.2f"))
    return table


def _actors(change: Change) -> Table:
    table = _table("actor", "pid", "life", "phase", "silent ms", "loops/s", "cpu %", "MB", "core")
    for actor in change.actors:
        style = "" if actor.phase == "live" and actor.silent_ms <= SILENT_MS_MAX else "red"
        table.add_row(
            actor.name, str(actor.pid), str(actor.life), actor.phase, _shown(actor.silent_ms, ".0f"),
            _shown(actor.loops_per_s, ".0f"), _shown(actor.cpu_percent, ".1f"), _shown(actor.private_mb, ".0f"),
            "shared" if actor.core < 0 else str(actor.core), style=style,
        )  # fmt: skip
    return table


def _stages(change: Change) -> Table:
    table = _table("stage", "/s", "p50 µs", "p99 µs", "longest so far µs")
    for stage in change.stages:
        quantiles = (_shown(value, ",.0f") for value in (stage.p50_us, stage.p99_us))
        table.add_row(stage.name, _shown(stage.per_s, ".1f"), *quantiles, _shown(stage.longest_us, ",.0f"))
    return table


def _rings(change: Change) -> Table:
    table = _table(*("ring", "/s") * _RING_COLUMNS)
    cells = [(name, _shown(rate, ".1f")) for name, rate in change.rings_per_s.items()]
    for first in range(0, len(cells), _RING_COLUMNS):
        row = [cell for pair in cells[first : first + _RING_COLUMNS] for cell in pair]
        table.add_row(*row, *[""] * (2 * _RING_COLUMNS - len(row)))
    return table


def _table(*columns: str) -> Table:
    """Return a table without a frame, names to the left and numbers to the right."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for column in columns:
        is_name = column in ("instrument", "actor", "stage", "ring", "phase")
        table.add_column(column, justify="left" if is_name else "right", no_wrap=True)
    return table


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None or not math.isfinite(value) else format(value, form)
