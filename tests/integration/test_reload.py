"""A configuration file edited under a running session: taken over whole, or not at all, and journaled."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from messages.commands import Reload, SetParameter
from tests.sessions import LOCAL, RunningSession, read_json_lines, wait_until


@pytest.fixture
def session(tmp_path: Path) -> Any:
    with RunningSession(tmp_path, LOCAL) as running:
        running.wait_for_quotes(60)
        yield running


def edit(session: RunningSession, old: str, new: str) -> None:
    text = session.config.read_text()
    assert old in text
    session.config.write_text(text.replace(old, new))


def journaled(session: RunningSession) -> list[dict[str, Any]]:
    return read_json_lines(session.run / "config-changes.jsonl")


def levels(session: RunningSession) -> tuple[int, int]:
    found = session.status()["instruments"]["BTC-PERPETUAL"]
    return len(found["bids"]), len(found["asks"])


def running_config(session: RunningSession) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((session.run / "config.json").read_text())
    return content


def test_an_edited_file_is_taken_over_journaled_and_kept_over_a_restart(session: RunningSession) -> None:
    edit(session, "levels = 3", "levels = 1")
    edit(session, "position_max_base = 0.1", "position_max_base = 0.08\ninterval_ms = 90")
    session.config.write_text(session.config.read_text() + "\n[execution]\naudit_interval_s = 3.0\n")
    reply = session.cli("set", "--reload")
    assert reply.returncode == 0, reply.stdout + reply.stderr
    taken, waiting = reply.stdout.split(" · ")
    assert "instruments.BTC-PERPETUAL.strategy.levels: 3 → 1" in taken
    assert "risk.position_max_base: 0.1 → 0.08" in taken
    assert "execution.audit_interval_s: 10.0 → 3.0" in taken
    assert waiting.strip() == "only at the next start: risk.interval_ms: 100 → 90"
    wait_until(lambda: levels(session) == (1, 1), 20, "one level a side")
    by_key = {line["key"]: line for line in journaled(session)}
    assert by_key["risk.position_max_base"]["old"] == 0.1
    assert by_key["risk.position_max_base"]["new"] == 0.08
    assert by_key["risk.interval_ms"]["outcome"] == "waits for the next start"
    assert by_key["instruments.BTC-PERPETUAL.strategy.levels"]["outcome"] == "taken over"
    decisions = (session.run / "risk_decisions.jsonl").read_text()
    assert '"position_max_base"' in decisions
    kept = running_config(session)
    assert (kept["risk"]["position_max_base"], kept["risk"]["interval_ms"]) == (0.08, 100)
    # If the strategy dies, its next life goes by the new file, too
    before = session.actor_pid("strategy")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: session.actor_pid("strategy") not in (0, before), 20, "strategy is replaced")
    session.wait_for_quotes(60)
    wait_until(lambda: levels(session) == (1, 1), 20, "one level a side")
    # and a second reload of the same file finds nothing but what waits
    assert session.send(Reload()).text.startswith("nothing to take over · only at the next start: risk.interval_ms")


def test_a_bad_file_changes_nothing_and_says_what_and_where(session: RunningSession) -> None:
    kept = running_config(session)
    for old, new, expected in (
        ("levels = 3", "levels = 99", "levels"),
        ("levels = 99", "levles = 2", "unknown key `levles`"),
        ("levles = 2", "levels = 2\n[", "not valid TOML"),
    ):
        edit(session, old, new)
        reply = session.send(Reload())
        assert not reply.ok
        assert reply.text.startswith(f"nothing has changed: {session.config}")
        assert expected in reply.text
    wait_until(lambda: levels(session) == (3, 3), 20, "three levels a side")
    assert running_config(session) == kept
    assert journaled(session) == []


def test_a_looser_limit_needs_force_and_keeps_everything_else_back(session: RunningSession) -> None:
    edit(session, "levels = 3", "levels = 2")
    edit(session, "position_max_base = 0.1", "position_max_base = 0.2")
    refused = session.send(Reload())
    assert not refused.ok
    assert "looser, which needs --force: risk.position_max_base: 0.1 → 0.2" in refused.text
    wait_until(lambda: levels(session) == (3, 3), 20, "three levels a side")
    assert journaled(session) == []
    forced = session.send(Reload(force=True))
    assert forced.ok, forced.text
    wait_until(lambda: levels(session) == (2, 2), 20, "two levels a side")


def test_sighup_reloads_and_what_was_set_by_hand_stays_unless_the_file_says_otherwise(session: RunningSession) -> None:
    assert session.send(SetParameter(name="strategy.levels", value="2")).ok
    edit(session, "order_size_base = 0.01", "order_size_base = 0.02")
    session.signal(signal.SIGHUP)
    wait_until(lambda: "configuration reloaded: taken over: " in session.said, 20, "the reload is told")
    assert "order_size_base: 0.01 → 0.02" in session.said
    wait_until(lambda: levels(session) == (2, 2), 20, "two levels, as set by hand")
    edit(session, "levels = 3", "levels = 1")
    session.signal(signal.SIGHUP)
    wait_until(lambda: levels(session) == (1, 1), 20, "one level, as the file says now")
    session.signal(signal.SIGINT)
    assert session.wait(60) == 0, session.said
