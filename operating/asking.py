"""Commands to a running session: sent to its supervisor, their answer told, and what to do where none comes."""

from __future__ import annotations

import sys
import threading

import typer

from domain.errors import ConnectivityError, ExitCode, UserError
from messages.commands import Command, Reply
from operating.places import CONFIGS
from runtime import paths
from runtime.commands import send_command
from runtime.last_run import how_to_start, last_run
from runtime.session import is_supervised
from runtime.topology import SUPERVISOR

ANSWER_TIMEOUT_S = 10.0
PATIENCE_S = 30.0  # without an answer for so long, the operator is told what is waited for


def send(session: str, command: Command, timeout_s: float | None = ANSWER_TIMEOUT_S) -> Reply:
    """Send a command to the session's supervisor; one clear line and exit 2 when it does not run.

    Args:
        timeout_s: None = its answer is waited for as long as the supervisor lives.
    """
    if not is_supervised(session):
        raise UserError(_why_nobody_answers(session))
    try:
        return send_command(session, SUPERVISOR, command, timeout_s)
    except ConnectivityError as error:
        if not is_supervised(session):
            left = last_run(session)
            raise UserError(f"{error}{f': {left.folder} says how' if left else ''}") from None
        raise UserError(f"{error}; `./cli.py kill -s {session}` cancels without the supervisor") from None


def _why_nobody_answers(session: str) -> str:
    """Return what became of a session that has no supervisor, and how to start it."""
    from runtime.abandoned import abandoned
    from shm.attach import list_sessions

    if (orphans := abandoned(session)) is not None:
        return (
            f"session {session}: {orphans.words()}; `./cli.py kill -s {session}` cancels at the venue and "
            f"confirms, then {how_to_start(session, CONFIGS)}"
        )
    running = ", ".join(name for name in list_sessions() if is_supervised(name)) or "none"
    return f"no session named `{session}` is running (running: {running}); {how_to_start(session, CONFIGS)}"


def send_and_wait(session: str, command: Command) -> Reply:
    """Send a command that may flatten, which takes what the configuration allows: no time of ours may cut it off."""
    waits = (
        f"session {session} has not answered for {PATIENCE_S:g} s and still lives: a flattening may take "
        "execution.flatten_passive_s, flatten_timeout_s and more; Ctrl-C ends the waiting alone, "
        f"`./cli.py kill -s {session}` breaks off what it does, and cancels"
    )
    telling = threading.Timer(PATIENCE_S, print, (waits,), {"file": sys.stderr})
    telling.daemon = True
    telling.start()
    takes_commands = (paths.run_directory(session) / f"{SUPERVISOR}.sock").exists()  # a recording alone takes none
    try:
        return send(session, command, timeout_s=None if takes_commands else ANSWER_TIMEOUT_S)
    finally:
        telling.cancel()


def finish(reply: Reply) -> None:
    """Print the answer; one that is a no ends this process with its exit code."""
    print(reply.text)
    if not reply.ok:
        raise typer.Exit(ExitCode.USAGE if reply.is_usage else ExitCode.CRASH)
