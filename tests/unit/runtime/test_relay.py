"""Who carries out which command."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from messages import commands
from messages.commands import AnyCommand, Command
from runtime.supervision.relay import FLATTEN_TIMEOUT_S, legs_of

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
