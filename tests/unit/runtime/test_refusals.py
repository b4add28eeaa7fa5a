"""What an actor makes of a command: what is written wrong is told apart from what could not be done; what is logged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from domain.errors import UserError
from messages.commands import AnyCommand, Pause, Reply, Status
from runtime.host import handle


def answer(error: Exception) -> Any:
    def refuse(_command: Pause) -> Reply:
        raise error

    ctx: Any = SimpleNamespace(name="strategy", log=SimpleNamespace(info=lambda *_, **__: None))
    actor: Any = SimpleNamespace(handlers={Pause: refuse})
    request: Any = SimpleNamespace(command=Pause())
    return handle(ctx, actor, request)


@pytest.mark.parametrize(
    ("error", "is_usage"), [(ValueError("no such key"), True), (UserError("nobody"), True), (OSError("full"), False)]
)
def test_a_wrong_name_or_value_is_usage_and_a_failure_is_not(error: Exception, is_usage: bool) -> None:
    assert answer(error) == Reply(ok=False, text=str(error), is_usage=is_usage)


@pytest.mark.parametrize(("command", "is_logged"), [(Pause(), True), (Status(), False)])
def test_a_command_is_logged_and_a_question_is_not(command: AnyCommand, is_logged: bool) -> None:
    # Given an actor that answers both
    lines: list[str] = []
    ctx: Any = SimpleNamespace(name="execution", log=SimpleNamespace(info=lambda line, **_: lines.append(line)))
    actor: Any = SimpleNamespace(handlers={type(command): lambda _: Reply(ok=True)})
    request: Any = SimpleNamespace(command=command)
    # If it is sent
    assert handle(ctx, actor, request) == Reply(ok=True)
    # I expect a line of what changes something alone: a status a second would fill the log
    assert lines == (["command"] if is_logged else [])
