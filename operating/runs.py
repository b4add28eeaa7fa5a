"""What a run has left, also while it goes on: an order explained, tables, statistics."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import UserError
from operating.options import AsJson, NewestOf
from operating.programs import environment, go_on_as
from runtime.last_run import choose_run


def explain(context: typer.Context) -> None:
    """Tell why an order was what it was, by our id or the venue's, each step computed again; see `explain --help`."""
    go_on_as("actors.explain", context.args)


def export(
    run: Annotated[Path | None, typer.Argument(help="folder or name of a run; default: the newest with orders")] = None,
    session: NewestOf = "",
    to: Annotated[Path | None, typer.Option("--to", help="folder to write to; default: csv/ in the run's")] = None,
    only: Annotated[
        str, typer.Option("--only", help="print one kind alone: fills, orders, messages or pnl", metavar="KIND")
    ] = "",
) -> None:
    """Write fills, orders, messages and P&L of a run as CSV, also while it runs."""
    from runtime.recordings.export import KINDS, export_kind, export_run

    found = choose_run(run, session)
    if only and (to is not None or only not in KINDS):
        raise UserError(f"--only {only}: expected one of {', '.join(KINDS)}, without --to")
    if only:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it without a word
        export_kind(found, only, sys.stdout)
        return
    for path, rows in export_run(found, to or found / "csv").items():
        print(f"{rows:>8} rows  {path}")


def report(
    run: Annotated[
        Path | None, typer.Argument(help="folder or name of a run or of a backtest; default: the newest with orders")
    ] = None,
    session: NewestOf = "",
    as_json: AsJson = False,
) -> None:
    """Show a run in statistics and write its report, report.html; and what its signals foretold, where it had them."""
    from trading.signals import report as signals  # NumPy: no other verb needs it

    folder = choose_run(run, session)
    command = [sys.executable, "-m", "backtest.report", str(folder), *(["--json"] if as_json else [])]
    page = subprocess.run(command, env=environment(), check=False, text=True, capture_output=True)
    try:
        lines = signals.read_run(folder)
    except UserError as error:
        if page.returncode:
            raise UserError(page.stderr.strip().removeprefix("error: ") or str(error)) from None
        print(page.stdout, end="")
        return
    if as_json:
        print(json.dumps({**signals.report(lines), "run": json.loads(page.stdout or "null")}, indent=2))
        return
    print("\n".join(signals.report_lines(lines)))
    print(f"\n{page.stdout}" if page.returncode == 0 else f"\nno report: {page.stderr.strip()}")
