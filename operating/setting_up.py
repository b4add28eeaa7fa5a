"""Before a session: a first configuration, and whether the machine and it are fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from operating.options import AsJson
from operating.places import CONFIGS


def doctor(
    config: Annotated[Path, typer.Argument(help="what a session would be started with")] = CONFIGS / "local.toml",
    venue: Annotated[bool, typer.Option("--venue", help="also ask a real venue what it lists; no key is used")] = False,
    as_json: AsJson = False,
) -> None:
    """Look whether this machine and a configuration are fit for a session; one line a look."""
    from runtime.doctor.examination import examine
    from runtime.doctor.finding import exit_code_of

    found = examine(config, asks_venue=venue)
    if as_json:
        print(json.dumps([one._asdict() for one in found], indent=2))
    else:
        print(*(one.line() for one in found), sep="\n")
    raise typer.Exit(exit_code_of(found))


def init(
    file: Annotated[Path, typer.Argument(help="to write; its name is the session's name")],
    venue: Annotated[str, typer.Option("--venue", help="local or thalex")] = "local",
    instrument: Annotated[str, typer.Option("--instrument", "-i", help="as the venue names it")] = "BTC-PERPETUAL",
    preset: Annotated[str, typer.Option("--preset", help="none, conservative or aggressive")] = "none",
    price_usd: Annotated[float | None, typer.Option("--price", help="what it trades at, roughly")] = None,
    size_base: Annotated[float | None, typer.Option("--size", help="of an order, base units")] = None,
) -> None:
    """Write a commented configuration of one instrument, to begin with; never over one that is there."""
    from runtime.first_config import write_first_config

    config = write_first_config(
        file, venue=venue, instrument=instrument, preset=preset, price_usd=price_usd, size_base=size_base
    )
    asks = " --venue" if venue != "local" else ""
    print(f"{file} written, session {config.session}; next: ./cli.py doctor {file}{asks}, then make run CONFIG={file}")
