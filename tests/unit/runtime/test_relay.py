"""Who carries out which command."""

from __future__ import annotations

import time
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from messages import commands
from messages.commands import AnyCommand, Command, Reply
from runtime.commands import CommandServer, Request
from runtime.paths import make_private, run_directory
from runtime.supervision.relay import FLATTEN_TIMEOUT_S, Leg, Relay, legs_of

BY_THE_SUPERVISOR_ITSELF = (commands.Status, commands.Stop)
EXAMPLES: dict[str, object] = {
    "reason": "test", "name": "risk.position_max_base", "value": "1", "actor": "strategy",
}  # fmt: skip


def example(kind: type[Command]) -> AnyCommand:
    needed = [field.name for field in msgspec.structs.fields(kind) if field.required]
    command: AnyCommand = kind(**{name: EXAMPLES[name] for name in needed})  # type: ignore[assignment]
    return command


@pytest.mark.parametrize("kind", [kind for kind in get_args(AnyCommand) if kind not in BY_THE_SUPERVISOR_ITSELF])
def test_every_command_that_is_passed_on_has_somebody_to_do_it(kind: type[Command]) -> None:
    assert legs_of(example(kind))


def test_a_kill_is_latched_by_risk() -> None:
    assert [(leg.actor, leg.command) for leg in legs_of(commands.Kill())] == [("risk", commands.Kill())]


def test_a_halt_that_flattens_is_waited_for_as_long_as_a_flatten() -> None:
    assert legs_of(commands.Halt("test", flatten=True))[0].timeout_s == FLATTEN_TIMEOUT_S
    assert legs_of(commands.Halt("test"))[0].timeout_s < FLATTEN_TIMEOUT_S


def test_the_supervisors_own_leg_does_not_queue_behind_operators_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path))
    make_private(run_directory("relay"))
    server = CommandServer("relay", "execution")
    relay = Relay("relay", lambda _command, _reply: None)
    try:
        for _ in range(8):  # nobody is there to answer
            relay.pass_on(Request(commands.Flatten(), lambda _reply: None), [Leg("strategy", commands.Pause(), 60.0)])
        future = relay.call(Leg("execution", commands.Stop(), 30.0))
        deadline = time.monotonic() + 10.0
        while not future.done() and time.monotonic() < deadline:
            for request in server.drain():
                request.answer(Reply(ok=True, text="stopped"))
            time.sleep(0.01)
        assert future.done()
        assert future.result().text == "execution: stopped"
    finally:
        relay.close()
        server.close()


def test_a_leg_that_cannot_be_sent_is_an_answer_and_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path / ("x" * 120)))  # too long for a socket
    relay = Relay("relay", lambda _command, _reply: None)
    try:
        reply = relay.call(Leg("execution", commands.Stop(), 1.0)).result(10.0)
        assert not reply.ok
        assert "socket path too long" in reply.text
    finally:
        relay.close()


def test_a_flatten_reaches_execution_although_strategy_is_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path))
    make_private(run_directory("relay"))
    server = CommandServer("relay", "execution")
    relay = Relay("relay", lambda _command, _reply: None)
    replies: list[Reply] = []
    try:
        pause, flatten = legs_of(commands.Flatten())
        assert (pause.actor, flatten.actor) == ("strategy", "execution")
        relay.pass_on(Request(commands.Flatten(), replies.append), [pause._replace(timeout_s=0.1), flatten])
        deadline = time.monotonic() + 10.0
        while not replies and time.monotonic() < deadline:
            for request in server.drain():
                request.answer(Reply(ok=True, text="flat"))
            relay.poll()
            time.sleep(0.01)
        (reply,) = replies
        assert reply.ok
        assert "strategy of session relay did not answer" in reply.text
        assert reply.text.endswith("execution: flat")
    finally:
        relay.close()
        server.close()
