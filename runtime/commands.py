"""Commands over ZeroMQ: a server that an actor's loop drains and never waits on, and clients that time out.

Each process binds one ROUTER socket in the session's run directory (0700, so only this user can connect). Before the
command goes a frame that names the sender, for the journal of commands.
"""

from __future__ import annotations

import asyncio
import functools
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import zmq
import zmq.asyncio

from domain.errors import ConnectivityError
from messages.commands import AnyCommand, Command, Reply, Stop, decode_command, decode_reply, encode
from runtime.command_journal import CommandJournal
from runtime.paths import socket_address
from runtime.session import is_supervised
from runtime.topology import SUPERVISOR

COMMANDS_PER_CYCLE_MAX = 64
GIVE_UP_POLL_MS = 20
LOOK_INTERVAL_S = 0.25  # whether the session still has a supervisor
LAST_WORD_MS = 250  # for an answer that a supervisor gave as it ended
ACTOR_VARIABLE = "RINGMAKER_ACTOR"


class Request(NamedTuple):
    """A command that waits for its answer: call `answer` once."""

    command: AnyCommand
    answer: Callable[[Reply], None]


class CommandServer:
    """Receives commands for one process. `fd` is what the loop polls; it is edge-triggered, so drain it whole."""

    def __init__(self, session: str, process: str, journal: CommandJournal | None = None) -> None:
        self._journal = journal
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 200)
        address = socket_address(session, process)
        self._socket.bind(address)  # a socket file left by a killed predecessor is replaced
        os.chmod(address.removeprefix("ipc://"), 0o600)
        self.fd = int(self._socket.getsockopt(zmq.FD))

    def drain(self) -> list[Request]:
        """Return the commands that have come, at most `COMMANDS_PER_CYCLE_MAX`. Never waits."""
        requests: list[Request] = []
        while len(requests) < COMMANDS_PER_CYCLE_MAX:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            request = self._parsed(frames)
            if request is not None:
                requests.append(request)
        return requests

    def close(self) -> None:
        """Close the socket; answers already given are still delivered."""
        self._socket.close()
        self._context.term()

    def _parsed(self, frames: list[bytes]) -> Request | None:
        address = frames[: frames.index(b"") + 1] if b"" in frames else frames[:1]
        *sender, body = frames[len(address) :] or [b""]

        def answer(reply: Reply) -> None:
            if not self._socket.closed:
                self._socket.send_multipart([*address, encode(reply)], zmq.NOBLOCK)

        try:
            command = decode_command(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            answer(Reply(ok=False, text=f"not a command: {error}"))
            return None
        journal = self._journal
        if journal is None:
            return Request(command, answer)
        received_ns = journal.now_ns()
        name = sender[0].decode(errors="replace") if sender else ""
        if isinstance(command, Stop):  # noted now: whoever reads the journal ends before the answer
            journal.note(name, command, received_ns, Reply(ok=True, text="ends"))
            return Request(command, answer)

        def answer_and_note(reply: Reply) -> None:
            answer(reply)
            journal.note(name, command, received_ns, reply)

        return Request(command, answer_and_note)


@functools.cache
def sender_name() -> bytes:
    """Return who sends commands from this process: actor or program, user, process id."""
    program = os.environ.get(ACTOR_VARIABLE) or Path(sys.argv[0]).name or "python"
    return f"{program}, uid {os.getuid()}, pid {os.getpid()}".encode()


def send_command(
    session: str, process: str, command: Command, timeout_s: float | None, *, given_up: threading.Event | None = None
) -> Reply:
    """Send one command and wait for its answer, until `given_up` is set at the longest.

    A supervisor is waited for only while it lives: nobody takes the place of one that has ended.

    Args:
        timeout_s: None, of a supervisor alone = as long as it lives.

    Raises:
        ConnectivityError: if no answer comes in time, or the session has ended meanwhile.
    """
    assert timeout_s is not None or process == SUPERVISOR, f"{process} is nobody's to watch: give a timeout"
    deadline_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
    is_watched = process == SUPERVISOR and (timeout_s is None or is_supervised(session))
    look_s = time.monotonic() + LOOK_INTERVAL_S
    with zmq.Context(io_threads=1) as context, context.socket(zmq.REQ) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(socket_address(session, process))
        socket.send_multipart([sender_name(), encode(command)])
        while not socket.poll(GIVE_UP_POLL_MS):
            now_s = time.monotonic()
            if now_s > deadline_s or (given_up is not None and given_up.is_set()):
                raise ConnectivityError(f"{process} of session {session} did not answer within {timeout_s:g} s")
            if is_watched and now_s > look_s:
                look_s = now_s + LOOK_INTERVAL_S
                if not is_supervised(session) and not socket.poll(LAST_WORD_MS):
                    raise ConnectivityError(f"session {session} ended before it answered")
        return decode_reply(socket.recv())


class CommandCall:
    """One command on its way, for a loop that may not wait: poll it until there is an answer or no more patience.

    A connection of its own, so that a dead peer leaves nothing behind.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], session: str, process: str, command: Command) -> None:
        self._socket = context.socket(zmq.REQ)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(socket_address(session, process))
        self._socket.send_multipart([sender_name(), encode(command)], zmq.NOBLOCK)

    def poll(self) -> Reply | None:
        """Return the answer, once; None while there is none. Never waits."""
        try:
            reply = decode_reply(self._socket.recv(zmq.NOBLOCK))
        except zmq.Again:
            return None
        self.close()
        return reply

    def close(self) -> None:
        """Give up: an answer that still comes is nobody's."""
        self._socket.close()


class CommandClient:
    """Sends commands from an asyncio loop; one connection a command, so that a dead peer leaves nothing behind."""

    def __init__(self, session: str) -> None:
        self._session = session
        self._context = zmq.asyncio.Context(io_threads=1)

    async def send(self, process: str, command: Command, timeout_s: float) -> Reply:
        """Send one command and wait for its answer.

        Raises:
            ConnectivityError: if no answer comes in time.
        """
        socket = self._context.socket(zmq.REQ)
        socket.setsockopt(zmq.LINGER, 0)
        try:
            socket.connect(socket_address(self._session, process))
            await socket.send_multipart([sender_name(), encode(command)])
            return decode_reply(await asyncio.wait_for(socket.recv(), timeout_s))
        except TimeoutError:
            raise ConnectivityError(
                f"{process} of session {self._session} did not answer within {timeout_s:g} s"
            ) from None
        finally:
            socket.close()

    def close(self) -> None:
        self._context.destroy(linger=0)
