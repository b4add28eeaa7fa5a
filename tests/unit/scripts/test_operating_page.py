"""docs/operating.md knows every verb, target and exit code that there is."""

from __future__ import annotations

import re

import pytest

import cli
from domain.errors import ExitCode
from runtime.doctor.examination import examine
from tests.sessions import REPOSITORY

PAGE = (REPOSITORY / "docs" / "operating.md").read_text()


def test_every_verb_stands_on_the_page() -> None:
    callbacks = [(command.name, command.callback) for command in cli.app.registered_commands]
    verbs = [name or callback.__name__ for name, callback in callbacks if callback is not None]
    told = set(re.findall(r"\./cli\.py (\w+)", PAGE)) | {"resume", "optimize", "score"}  # on the lines of others
    assert len(verbs) > 15
    assert sorted(set(verbs) - told) == []
    assert all(verb in PAGE for verb in ("resume", "optimize", "score"))


@pytest.mark.parametrize("code", list(ExitCode))
def test_every_exit_code_stands_on_the_page(code: ExitCode) -> None:
    assert re.search(rf"^\| {int(code)} \| \w", PAGE, re.MULTILINE)


def test_every_line_of_the_doctor_stands_on_the_page() -> None:
    found = examine(REPOSITORY / "configs" / "local.toml", asks_venue=True, environ={})
    table = PAGE.partition("| line | looks at |")[2].partition("\n\n")[0]
    assert sorted({one.subject for one in found} - set(re.findall(r"`([.\w]+)`", table))) == []
