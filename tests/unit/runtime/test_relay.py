"""Who carries out which command."""

from __future__ import annotations

import time
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from domain.errors import UserError
from messages import commands
from messages.commands import AnyCommand, Command, Reply
from runtime.commands import CommandServer, Request
from runtime.paths import make_private, run_directory
from runtime.supervision.relay import PROFILES_MAX, Leg, Relay, legs_of
from runtime.topology import Topology
from trading.orders.config import ExecutionConfig

ONE = Topology(["BTC-PERPETUAL", "ETH-PERPETUAL"])
TWO = Topology(["BTC-PERPETUAL", "ETH-PERPETUAL", "BTC-ROLL"], {"BTC": ["BTC-PERPETUAL"], "ETH": ["ETH-PERPETUAL"]})
EXECUTION = ExecutionConfig()
BY_THE_SUPERVISOR_ITSELF = (commands.Status, commands.Stop, commands.Vitals, commands.Reload)
NOT_THE_OPERATORS = (commands.Hedge, commands.TakeConfig)
EXAMPLES: dict[str, object] = {
    "reason": "test", "name": "risk.position_max_base", "value": "1", "actor": "strategy",
}  # fmt: skip


def example(kind: type[Command]) -> AnyCommand:
    needed = [field.name for field in msgspec.structs.fields(kind) if field.required]
    command: AnyCommand = kind(**{name: EXAMPLES[name] for name in needed})  # type: ignore[assignment]
    return command


@pytest.mark.parametrize(
    "kind", [kind for kind in get_args(AnyCommand) if kind not in (*BY_THE_SUPERVISOR_ITSELF, *NOT_THE_OPERATORS)]
)
def test_every_command_that_is_passed_on_has_somebody_to_do_it(kind: type[Command]) -> None:
    assert legs_of(example(kind), ONE, EXECUTION)


def test_a_kill_is_latched_by_risk() -> None:
    assert [(leg.actor, leg.command) for leg in legs_of(commands.Kill(), ONE, EXECUTION)] == [("risk", commands.Kill())]


@pytest.mark.parametrize(
    "command", [commands.Halt("test", flatten=True), commands.Flatten(), commands.Flatten("BTC-PERPETUAL")]
)
def test_a_flatten_is_waited_for_as_long_as_execution_may_take(command: AnyCommand) -> None:
    patient = ExecutionConfig(flatten_timeout_s=600.0, flatten_passive_s=300.0, stop_timeout_s=20.0)
    assert legs_of(command, ONE, patient)[-1].timeout_s > 600.0 + 300.0 + 2 * 20.0
    assert legs_of(command, ONE, EXECUTION)[-1].timeout_s < 60.0
    assert legs_of(commands.Halt("test"), ONE, patient)[-1].timeout_s < 10.0


def legs(command: AnyCommand, topology: Topology = TWO) -> list[tuple[str, str]]:
    """Return who does what, in short."""
    return [
        (leg.actor, getattr(leg.command, "name", type(leg.command).__name__))
        for leg in legs_of(command, topology, EXECUTION)
    ]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (commands.Pause(), [("strategy.BTC", "Pause"), ("strategy.ETH", "Pause")]),
        (commands.Pause("ETH"), [("strategy.ETH", "Pause")]),
        (commands.Pause("strategy.ETH"), [("strategy.ETH", "Pause")]),
        (commands.Resume(), [("risk", "Resume"), ("strategy.BTC", "Resume"), ("strategy.ETH", "Resume")]),
        (commands.Resume("BTC"), [("strategy.BTC", "Resume")]),
        (commands.Flatten(), [("strategy.BTC", "Pause"), ("strategy.ETH", "Pause"), ("execution", "Flatten")]),
        (commands.Profile("strategy.BTC"), [("strategy.BTC", "Profile")]),
        (commands.SetParameter("levels", "2"), [("strategy.BTC", "levels"), ("strategy.ETH", "levels")]),
        (commands.SetParameter("strategy.levels", "2"), [("strategy.BTC", "levels"), ("strategy.ETH", "levels")]),
        (commands.SetParameter("strategies.ETH.levels", "2"), [("strategy.ETH", "levels")]),
        (commands.SetParameter("ETH-PERPETUAL.levels", "2"), [("strategy.ETH", "ETH-PERPETUAL.levels")]),
        (commands.SetParameter("risk.interval_ms", "50"), [("risk", "interval_ms")]),
    ],
)
def test_a_command_goes_to_one_strategy_or_to_all(command: AnyCommand, expected: list[tuple[str, str]]) -> None:
    assert legs(command) == expected


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (commands.Pause("SOL"), "no strategy named SOL; there are: strategy.BTC, strategy.ETH"),
        (commands.SetParameter("strategies.SOL.levels", "2"), "no strategy named SOL"),
        (commands.SetParameter("BTC-ROLL.levels", "2"), "no strategy quotes BTC-ROLL"),
        (commands.Flatten("NOPE"), "no instrument NOPE; there are: BTC-PERPETUAL, ETH-PERPETUAL, BTC-ROLL"),
        *(
            (commands.Profile("risk", seconds), "expected more than 0 and at most 600")
            for seconds in (0.0, -50.0, 601.0, float("inf"), float("nan"))
        ),
        (
            commands.Profile("strategy"),
            "no actor named strategy; there are: market_data, risk, execution, strategy.BTC",
        ),
    ],
)
def test_a_command_to_nobody_is_refused_with_those_that_there_are(command: AnyCommand, said: str) -> None:
    with pytest.raises(UserError, match=said):
        legs_of(command, TWO, EXECUTION)


def test_a_pause_reaches_the_strategy_that_lives_and_says_that_the_other_did_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path))
    make_private(run_directory("relay"))
    server = CommandServer("relay", "strategy.ETH")
    relay = Relay("relay", lambda _command, _reply: None, lambda _actor: "")
    replies: list[Reply] = []
    try:
        btc, eth = legs_of(commands.Pause(), TWO, EXECUTION)
        relay.pass_on(Request(commands.Pause(), replies.append), [btc._replace(timeout_s=0.1), eth])
        deadline = time.monotonic() + 10.0
        while not replies and time.monotonic() < deadline:
            for request in server.drain():
                request.answer(Reply(ok=True, text="paused"))
            relay.poll()
            time.sleep(0.01)
        (reply,) = replies
        assert not reply.ok
        assert reply.text.endswith("did not answer within 0.1 s; strategy.ETH: paused")
    finally:
        relay.close()
        server.close()


def test_an_actor_that_is_silent_is_told_with_what_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path))
    make_private(run_directory("relay"))
    doing = {"strategy": "it is compiling kernels"}
    relay = Relay("relay", lambda _command, _reply: None, lambda actor: doing.get(actor, ""))
    try:
        reply = relay.call(Leg("strategy", commands.Pause(), 0.05)).result(10.0)
        expected = "strategy of session relay did not answer within 0.05 s: it is compiling kernels"
        assert (reply.ok, reply.text) == (False, expected)
    finally:
        relay.close()


def test_the_supervisors_own_leg_does_not_queue_behind_operators_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path))
    make_private(run_directory("relay"))
    server = CommandServer("relay", "execution")
    relay = Relay("relay", lambda _command, _reply: None, lambda _actor: "")
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


@pytest.mark.parametrize(
    "command",
    [
        commands.Halt("test"),
        commands.Kill(),
        commands.Reduce(),
        commands.Pause(),
        commands.Flatten(),
        commands.CancelAll(),
        commands.Resume(),
        commands.SetParameter("risk.interval_ms", "50"),
    ],
)
def test_no_command_queues_behind_profiles(
    command: AnyCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path))
    make_private(run_directory("relay"))
    server = CommandServer("relay", "execution")
    relay = Relay("relay", lambda _command, _reply: None, lambda _actor: "")
    replies: list[Reply] = []
    try:
        for _ in range(8):  # nobody is there to answer
            profile = commands.Profile("strategy", 600.0)
            relay.pass_on(Request(profile, lambda _reply: None), [Leg("strategy", profile, 605.0)])
        relay.pass_on(Request(command, replies.append), [Leg("execution", commands.CancelAll(), 30.0)])
        deadline = time.monotonic() + 10.0
        while not replies and time.monotonic() < deadline:
            for request in server.drain():
                request.answer(Reply(ok=True, text="done"))
            relay.poll()
            time.sleep(0.01)
        assert [reply.text for reply in replies] == ["execution: done"]
    finally:
        relay.close()
        server.close()


def test_a_profile_too_many_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path))
    make_private(run_directory("relay"))
    relay = Relay("relay", lambda _command, _reply: None, lambda _actor: "")
    replies: list[Reply] = []
    try:
        for _ in range(PROFILES_MAX + 1):  # nobody is there to answer
            profile = commands.Profile("strategy", 600.0)
            relay.pass_on(Request(profile, replies.append), [Leg("strategy", profile, 640.0)])
        expected = f"{PROFILES_MAX} profiles are being taken: ask again when one of them is done"
        assert [reply.text for reply in replies] == [expected]
    finally:
        relay.close()


def test_a_leg_that_cannot_be_sent_is_an_answer_and_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path / ("x" * 120)))  # too long for a socket
    relay = Relay("relay", lambda _command, _reply: None, lambda _actor: "")
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
    relay = Relay("relay", lambda _command, _reply: None, lambda _actor: "")
    replies: list[Reply] = []
    try:
        pause, flatten = legs_of(commands.Flatten(), ONE, EXECUTION)
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
