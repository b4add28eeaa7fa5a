"""The page of the suite's figures: what was missed or broken stands there like what held."""

from __future__ import annotations

from typing import Any

from tests.faults.findings import Findings
from tests.faults.page import page


def report_of(findings: Findings) -> dict[str, Any]:
    findings.load = [1.0, 2.0]
    machine = {"cores": 2, "nice": 0}
    return {"time": "20260101-000000", "machine": machine, "rows": [findings.as_json()]}


def test_a_figure_stands_beside_its_bound_and_the_load_of_its_worst() -> None:
    findings = Findings("kill", 7, load_now=lambda: 1.5)
    findings.measure("again", 1234.0, "ms", 1, bound=3000.0)
    text = page([report_of(findings)])
    assert "| again | 1 | 1,234 | 1,234 | 1,234 | ms | 3000 | held | 1.5 |" in text
    assert "Every rule held." in text


def test_what_was_missed_and_what_broke_are_said() -> None:
    findings = Findings("kill", 7, load_now=lambda: 9.5)
    findings.measure("again", 3234.0, "ms", 1, bound=3000.0)
    findings.break_rule(2, "a fill is told twice")
    text = page([report_of(findings)])
    assert "| 3000 | **missed** | 9.5 |" in text
    assert "- kill, seed 7, round 2: a fill is told twice" in text
    assert "Every rule held." not in text


def test_a_missed_bound_is_not_called_a_rule_that_held() -> None:
    findings = Findings("kill", 7, load_now=lambda: 9.5)
    findings.measure("again", 3234.0, "ms", 1, bound=3000.0)
    findings.measure("again", 3334.0, "ms", 2, bound=3000.0)
    text = page([report_of(findings)])
    assert "No rule broken; 1 bound missed." in text
    assert "Every rule held." not in text
    findings.measure("pulled", 1234.0, "ms", 2, bound=1000.0)
    assert "No rule broken; 2 bounds missed." in page([report_of(findings)])


def test_a_broken_rule_that_speaks_of_a_bound_is_said() -> None:
    findings = Findings("stop", 7)
    findings.break_rule(2, "two quotes, bound to nothing")
    assert "- stop, seed 7, round 2: two quotes, bound to nothing" in page([report_of(findings)])
