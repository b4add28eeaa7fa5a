"""Whether a process lives."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from runtime.parent import is_alive


def test_a_process_lives_until_it_is_reaped() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    assert is_alive(process.pid)
    process.communicate()
    assert not is_alive(process.pid)


def test_a_process_of_another_user_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert is_alive(1)


@pytest.mark.parametrize("pid", [0, -1])
def test_nobody_does_not_live(pid: int) -> None:
    assert not is_alive(pid)
