from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import zmq

from domain.errors import ConnectivityError, UserError
from messages.commands import Pause, Reply, SetParameter, Stop, decode_command, encode
from runtime.commands import CommandServer, send_command
from runtime.paths import make_private, run_directory, socket_address
from runtime.session import SessionLock
from runtime.topology import SUPERVISOR


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path))
    make_private(run_directory("s"))
    return "s"


def serve_one(server: CommandServer, reply: Reply, seen: list[object]) -> None:
    deadline = time.monotonic() + 10
    while not seen and time.monotonic() < deadline:
        for request in server.drain():
            seen.append(request.command)
            request.answer(reply)
        time.sleep(0.005)


def test_a_command_is_answered(session: str) -> None:
    server = CommandServer(session, "strategy")
    seen: list[object] = []
    thread = threading.Thread(target=serve_one, args=(server, Reply(ok=True, text="set", data={"old": 1}), seen))
    thread.start()
    reply = send_command(session, "strategy", SetParameter(name="levels", value="2"), timeout_s=10)
    thread.join()
    server.close()
    assert seen == [SetParameter(name="levels", value="2")]
    assert reply == Reply(ok=True, text="set", data={"old": 1})


def test_nobody_there_is_an_error_after_the_timeout(session: str) -> None:
    with pytest.raises(ConnectivityError, match="strategy of session s did not answer"):
        send_command(session, "strategy", Pause(), timeout_s=0.05)


def test_a_supervisor_that_ends_is_not_waited_for(session: str) -> None:
    # Given a supervisor that was asked, and has not answered
    lock = SessionLock(run_directory(session), session)
    ending = threading.Timer(0.3, lock.release)
    ending.start()
    # If it ends, I expect one line at once instead of an answer after a minute
    begun_s = time.monotonic()
    with pytest.raises(ConnectivityError, match="session s ended before it answered"):
        send_command(session, SUPERVISOR, Stop(), timeout_s=60)
    assert time.monotonic() - begun_s < 20
    ending.join()


def test_a_supervisor_that_has_just_ended_is_not_waited_for_without_end(session: str) -> None:
    with pytest.raises(ConnectivityError, match="session s ended before it answered"):
        send_command(session, SUPERVISOR, Stop(), timeout_s=None)


def test_a_frame_that_is_no_command_gets_an_answer_and_harms_nothing(session: str) -> None:
    server = CommandServer(session, "risk")
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.connect(socket_address(session, "risk"))
        for frame in (b"\xff\xfe", b"{}", b'{"command":"unheard_of"}'):
            socket.send(frame)
            deadline = time.monotonic() + 10
            while not socket.poll(20) and time.monotonic() < deadline:
                assert server.drain() == []
            assert b"not a command" in socket.recv()
    server.close()


def test_commands_survive_encoding() -> None:
    command = SetParameter(name="BTC-PERPETUAL.levels", value="3", force=True)
    assert decode_command(encode(command)) == command


def test_a_socket_path_that_is_too_long_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", "/tmp/" + "x" * 120)
    with pytest.raises(UserError, match="RINGMAKER_RUN_ROOT"):
        socket_address("s", "risk")
