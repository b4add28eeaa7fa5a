"""Alarms of risk come to the operator's screen, each once."""

from __future__ import annotations

import json
from pathlib import Path

from domain.clock import NS_PER_S
from runtime.supervision.alarm_watch import LINES_MAX, AlarmWatch


def line(alarm: str, text: str, decision: str = "alarm") -> str:
    return (
        json.dumps({"decision": decision, "text": text, "alarm": alarm, "instrument": "BTC-PERPETUAL", "x": 1}) + "\n"
    )


def test_each_alarm_is_told_once_and_no_other_decision(tmp_path: Path) -> None:
    path = tmp_path / "risk_decisions.jsonl"
    watch = AlarmWatch(path)
    assert watch.look(0) == []  # before risk has written anything
    path.write_text(line("", "reducing", "state") + line("fill_rate", "130 fills in a minute"))
    assert watch.look(NS_PER_S // 2) == []  # once a second is often enough
    assert watch.look(NS_PER_S) == ["alarm: BTC-PERPETUAL fill rate: 130 fills in a minute"]
    assert watch.look(2 * NS_PER_S) == []


def test_a_line_that_is_half_there_is_told_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "risk_decisions.jsonl"
    watch = AlarmWatch(path)
    whole = line("market_anomaly", "far off")
    path.write_text("not JSON\n" + whole[:20])
    assert watch.look(0) == []
    with path.open("a") as file:
        file.write(whole[20:])
    assert watch.look(NS_PER_S) == ["alarm: BTC-PERPETUAL market anomaly: far off"]


def test_many_at_once_are_told_by_their_number(tmp_path: Path) -> None:
    path = tmp_path / "risk_decisions.jsonl"
    path.write_text("".join(line("fill_rate", f"{n} fills in a minute") for n in range(LINES_MAX + 3)))
    told = AlarmWatch(path).look(0)
    assert len(told) == LINES_MAX + 1
    assert told[-1] == f"3 more: {path}"
