"""What `cli.py status` asks for: execution answers only where there is one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.errors import ConnectivityError
from messages.commands import Reply
from operating import looking
from runtime.topology import EXECUTION, MARKET_DATA


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], actors: list[str]) -> dict[str, Any]:
    """Return what `status` prints of a session of these actors, and assert that nobody else is asked."""

    def answer(_session: str, actor: str, *_: object) -> Reply:
        if actor not in actors:
            raise ConnectivityError(f"{actor} does not answer")
        return Reply(ok=True, text=f"{actor} speaks")

    monkeypatch.setattr(looking, "send", lambda *_: Reply(ok=True, data={"actors": {name: {} for name in actors}}))
    monkeypatch.setattr(looking, "send_command", answer)
    looking.status("anything", as_json=True)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_session_that_trades_shows_what_execution_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(monkeypatch, capsys, [MARKET_DATA, EXECUTION])["execution"] == "execution speaks"


def test_a_recording_has_no_execution_that_could_be_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "execution" not in shown(monkeypatch, capsys, [MARKET_DATA])
