"""A running session, looked at: what it says of itself, and its actors at work."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from domain.errors import ConnectivityError, UserError
from messages import commands
from operating.asking import send
from operating.options import AsJson, Session
from runtime.commands import send_command
from runtime.topology import EXECUTION

EXECUTION_TIMEOUT_S = 2.0


def status(session: Session = "local", as_json: AsJson = False) -> None:
    """Show what the session does: actors, quotes, position, risk, and why a side is not quoted."""
    shown = dict(send(session, commands.Status()).data)
    if EXECUTION in shown["actors"]:  # a recording has none
        shown["execution"] = _execution_says(session)
    if as_json:
        print(json.dumps(shown, indent=2))
        return
    from runtime.supervision.screen import status_lines

    print(*status_lines(shown), sep="\n")


def _execution_says(session: str) -> str:
    """Return what execution says of itself: it alone knows of a journal that fails, and of a venue that refuses."""
    try:
        return send_command(session, EXECUTION, commands.Status(), EXECUTION_TIMEOUT_S).text
    except ConnectivityError as error:
        return str(error)


def top(
    session: Session = "local",
    interval_s: Annotated[float, typer.Option("--interval", min=0.1, max=60.0, help="seconds between two looks")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="one look, in plain text")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch the actors at work: cpu, memory, heartbeats, rings, latencies, position. Reads shared memory alone."""
    from rich.console import Console

    import shm
    from runtime.top import watch
    from runtime.top.screen import screen_of

    try:
        attached = shm.attach(session)
        if as_json:
            print(watch.as_json(watch.look_once(attached, interval_s)))
        elif once:
            Console(highlight=False).print(screen_of(session, watch.look_once(attached, interval_s)))
        else:
            watch.watch(attached, interval_s, Console(highlight=False))
            print(f"session {session} has ended")
    except shm.Error as error:
        raise UserError(str(error)) from None
    except KeyboardInterrupt:
        return
