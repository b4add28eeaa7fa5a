"""Strategies and models over recordings; each is a program with a command line of its own (backtest/)."""

from __future__ import annotations

import typer

from operating.programs import go_on_as


def calibrate(context: typer.Context) -> None:
    """Fit σ, A, κ and impact to recorded data, suggest γ, write a block for a configuration; see `calibrate --help`."""
    go_on_as("backtest.calibration", context.args)


def backtest(context: typer.Context) -> None:
    """Run a strategy over a recording, and write its statistics and a report; see `backtest --help`."""
    go_on_as("backtest", context.args)


def optimize(context: typer.Context) -> None:
    """Search for parameters over recordings, judged on time that the search never saw; see `optimize --help`."""
    go_on_as("backtest.search", context.args)


def score(context: typer.Context) -> None:
    """Play a recorded session's own orders again, and compare with what happened; see `score --help`."""
    go_on_as("backtest.scoring", context.args)
