"""cli.py report RUN: write the report of a backtest or of a live session anew, print its statistics."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from backtest.metrics.facts import read_facts, write_run
from backtest.metrics.session import read_session
from backtest.report.page import write_report
from backtest.report.screen import statistics_lines
from domain.errors import ExitCode, UserError
from runtime import paths
from runtime.arguments import Arguments
from runtime.secrecy import keep_files_private


def main(arguments: list[str] | None = None) -> int:
    """Write and print; returns the exit code."""
    parser = Arguments(prog="cli.py report", description=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--json", action="store_true", help="print the facts of the run as JSON")
    given = parser.parse_args(arguments)
    keep_files_private()
    try:
        given.run = paths.find_run(given.run)
        facts = read_facts(given.run)
        if facts is None or facts.kind == "live":  # a session may have gone on since its last report
            session = read_session(given.run)
            facts = session.facts
            write_run(given.run, session.legs, facts)
        report = write_report(given.run)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    if given.json:
        print(msgspec.json.encode({"report": str(report), **msgspec.to_builtins(facts)}).decode())
    else:
        print("\n".join(statistics_lines(facts)), f"\nreport: {report}", sep="\n")
    return int(ExitCode.CLEAN)
