"""Market data alone, recorded until it is ended: a session that quotes nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import UserError


def record(
    config: Annotated[Path | None, typer.Argument(help="what to follow, as for a session; without it --venue")] = None,
    venue: Annotated[str, typer.Option("--venue", help="without a file: local or thalex")] = "",
    instruments: Annotated[
        list[str] | None, typer.Option("--instrument", "-i", help="with --venue; may be given more than once")
    ] = None,
    url: Annotated[str, typer.Option("--url", help="with --venue: its WebSocket address")] = "",
    seconds: Annotated[float | None, typer.Option("--seconds", help="end after this time; default: at Ctrl-C")] = None,
) -> None:
    """Record public market data, without keys and without an order: market data and a recorder, nothing else."""
    from runtime.config import load_config
    from runtime.supervision.outlet import Outlet
    from runtime.supervision.recording_session import RecordingSession, recording_of, recording_of_venue

    if (config is None) == (not venue):
        raise UserError("record: give a configuration, or --venue")
    if seconds is not None and not seconds > 0:
        raise UserError(f"--seconds {seconds:g}: expected a number above 0")
    if config is not None:
        asked = recording_of(load_config(config))
    else:
        asked = recording_of_venue(venue, instruments or ["BTC-PERPETUAL"], url)
    outlet, error_outlet = Outlet(sys.stdout), Outlet(sys.stderr)
    session = RecordingSession(
        asked, seconds=seconds, say=lambda text: outlet.say(f"{asked.session}: {text}"), say_error=error_outlet.say
    )
    try:
        raise typer.Exit(session.run())
    finally:
        outlet.close()
        error_outlet.close()
