"""A running session, told what to do: quotes off and on, positions to zero, values set, an actor replaced, the end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domain.errors import UserError
from messages import commands
from operating.asking import ANSWER_TIMEOUT_S, end_recording, finish, send, send_and_wait
from operating.options import Session
from operating.places import CONFIGS
from runtime.last_run import is_recording
from runtime.session import is_supervised
from runtime.supervision.relay import PROFILE_MARGIN_S
from runtime.topology import ACTORS

RELOAD_TIMEOUT_S = 90.0
Strategy = Annotated[str, typer.Argument(help="one of several, by its name in the configuration; default: all")]


def pause(strategy: Strategy = "", session: Session = "local") -> None:
    """Take all quotes away, or those of one strategy; positions stay."""
    finish(send(session, commands.Pause(strategy)))


def resume(strategy: Strategy = "", session: Session = "local") -> None:
    """Quote again after a pause, a halt or a kill; of one strategy, after a pause."""
    finish(send(session, commands.Resume(strategy)))


def reduce(session: Session = "local") -> None:
    """Quote only the side that reduces the position."""
    finish(send(session, commands.Reduce()))


def flatten(
    instrument: Annotated[str, typer.Option("--instrument", "-i", help="only this one; the others go on")] = "",
    session: Session = "local",
) -> None:
    """Pause, then bring every position (or one instrument's, without a pause) to zero with reduce-only orders."""
    finish(send_and_wait(session, commands.Flatten(instrument)))


def set_parameter(
    name: Annotated[
        str, typer.Argument(help="strategy.NAME, strategies.STRATEGY.NAME, INSTRUMENT.NAME or risk.NAME")
    ] = "",
    value: Annotated[str, typer.Argument()] = "",
    session: Session = "local",
    force: Annotated[bool, typer.Option("--force", help="needed to loosen a limit")] = False,
    reload: Annotated[
        bool, typer.Option("--reload", help="instead: take over what was edited in the configuration file")
    ] = False,
) -> None:
    """Set one parameter of the running session, or with --reload all that its file says now; checked before."""
    if reload and not (name or value):
        finish(send(session, commands.Reload(force=force), RELOAD_TIMEOUT_S))
        return
    if reload or not (name and value):
        raise UserError("expected NAME VALUE, e.g. `set strategy.levels 2`, or --reload alone")
    finish(send(session, commands.SetParameter(name=name, value=value, force=force)))


def profile(
    actor: Annotated[
        str,
        typer.Argument(help=f"one of {', '.join(kind.name for kind in ACTORS)}; of several strategies strategy.NAME"),
    ],
    seconds: Annotated[
        float,
        typer.Argument(help=f"more than 0, at most {commands.PROFILE_S_MAX:g}; the page follows within half a minute"),
    ] = 10.0,
    session: Session = "local",
) -> None:
    """Sample an actor's stack while it works and write a flame chart; one an actor, four at a time."""
    command = commands.Profile(actor=actor, seconds=seconds)
    if refusal := command.why_not():
        raise UserError(refusal)
    finish(send(session, command, seconds + PROFILE_MARGIN_S + ANSWER_TIMEOUT_S))


def stop(
    session: Session = "local",
    flatten_first: Annotated[bool, typer.Option("--flatten", help="bring positions to zero first")] = False,
    restart: Annotated[
        str, typer.Option("--restart", metavar="ACTOR", help="only this actor; its successor takes over at once")
    ] = "",
) -> None:
    """End the session: quotes cancelled and confirmed by the venue, processes ended."""
    if restart and flatten_first:
        raise UserError("--restart goes on quoting, --flatten ends the session: use one of the two")
    if is_recording(session) and is_supervised(session) and not (restart or flatten_first):
        print(end_recording(session))
        return
    finish(send_and_wait(session, commands.Stop(flatten=flatten_first, actor=restart)))


def kill(
    session: Session = "local",
    config: Annotated[Path | None, typer.Option("--config", help="default: what the session ran with last")] = None,
) -> None:
    """Cancel everything at the venue with a connection of its own, whatever still works; then halt the session.

    Needs no other process of ours. Ends when the venue has shown twice that no order is open.
    """
    from actors import kill as one_shot

    named = [] if config is None else ["--config", str(config)]
    raise typer.Exit(one_shot.operate(["--session", session, *named], CONFIGS))
