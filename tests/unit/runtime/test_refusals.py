"""A command that is written wrong is told apart from one that could not be done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from domain.errors import UserError
from messages.commands import Pause, Reply
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
