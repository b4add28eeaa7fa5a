"""Commands to a running session: sent to its supervisor, their answer told, and what to do where none comes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import typer

from domain.errors import ConnectivityError, ExitCode, UserError
from messages.commands import Command, Reply
from operating.places import CONFIGS
from runtime import paths
from runtime.commands import send_command
from runtime.last_run import how_to_start, is_recording, last_run
from runtime.plain_words import in_plain_words
from runtime.session import is_supervised, supervisor_pid
from runtime.topology import SUPERVISOR

ANSWER_TIMEOUT_S = 10.0
RECORDING_END_S = 60.0  # market data, then the recorder with its last files
LOCK_WRITTEN_S = 0.5  # who takes a session says at once who it is
PATIENCE_S = 30.0  # without an answer for so long, the operator is told what is waited for


def send(session: str, command: Command, timeout_s: float | None = ANSWER_TIMEOUT_S) -> Reply:
    """Send a command to the session's supervisor; one clear line and exit 2 when it does not run.

    Args:
        timeout_s: None = its answer is waited for as long as the supervisor lives.
    """
    if not is_supervised(session):
        raise UserError(_why_nobody_answers(session))
    if is_recording(session):
        raise UserError(_takes_no_commands(session))
    try:
        return send_command(session, SUPERVISOR, command, timeout_s)
    except ConnectivityError as error:
        if not is_supervised(session):
            left = last_run(session)
            raise UserError(f"{error}{f': {left.folder} says how' if left else ''}") from None
        raise UserError(f"{error}; `./cli.py kill -s {session}` cancels without the supervisor") from None


def _takes_no_commands(session: str) -> str:
    """Return what a recording, which answers nobody, is, and how it is ended."""
    stop = f"`./cli.py stop -s {session}`"
    if pid := supervisor_pid(session):
        return f"session {session} is a recording: Ctrl-C, `kill {pid}` or {stop} ends it"
    return (
        f"session {session} is a recording whose process is not visible from here: Ctrl-C or {stop} ends it where it "
        "runs, in its container or as its user"
    )


def _why_nobody_answers(session: str) -> str:
    """Return what became of a session that has no supervisor, and how to start it."""
    if is_recording(session):
        return f"the recording {session} does not run; `./cli.py record`, with what it was given, starts it again"
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


def end_recording(session: str) -> str:
    """Have a recording that runs end, wait for that, and return what became of it.

    Raises:
        UserError: it is not ours or not to be seen from here, or goes on for too long.
    """
    pid = _told_to_end(session)
    deadline_s = time.monotonic() + RECORDING_END_S
    while is_supervised(session):
        if time.monotonic() > deadline_s:
            raise UserError(f"the recording {session} (pid {pid}) was told to end and still writes its files")
        time.sleep(0.05)
    return f"the recording {session} has ended"


def _told_to_end(session: str) -> int:
    """Send SIGTERM to the process of a recording, and to no other; return its id, 0 when it has ended by itself.

    Raises:
        UserError: it is not ours, or not to be seen from here.
    """
    deadline_s = time.monotonic() + LOCK_WRITTEN_S
    while is_supervised(session):
        pid = supervisor_pid(session)
        try:
            if pid and _sent_sigterm(session, pid):
                return pid
        except PermissionError:
            raise UserError(f"{_takes_no_commands(session)}; it is not yours to end") from None
        if time.monotonic() > deadline_s:
            raise UserError(_takes_no_commands(session))
        time.sleep(0.02)
    return 0


def _sent_sigterm(session: str, pid: int) -> bool:
    """Return whether process `pid` was told to end: whether it is still that of the session."""
    try:
        pid_fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if supervisor_pid(session) != pid:  # asked again: what is open now is this process, and no later one
            return False
        signal.pidfd_send_signal(pid_fd, signal.SIGTERM)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(pid_fd)


def finish(reply: Reply) -> None:
    """Print the answer; one that is a no ends this process with its exit code."""
    print(in_plain_words(reply.text))
    if not reply.ok:
        raise typer.Exit(ExitCode.USAGE if reply.is_usage else ExitCode.CRASH)
