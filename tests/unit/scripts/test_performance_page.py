from __future__ import annotations

import json

import pytest

from scripts.performance_page import ResultsError, page, runs_of

PLACE = {"name": "environment", "value": {"cpu": "Abacus", "cores": "2"}, "unit": "text", "target": None, "ok": None}
MET = {"name": "age", "value": 4.0, "unit": "ms", "target": 10.0, "ok": True, "low": 3.0, "high": 123.4}
MISSED = {"name": "orders", "value": 1.25, "unit": "1/s", "target": 2.0, "ok": False, "low": None, "is_floor": True}
LINES = [json.dumps(line) for line in ({"benchmark": "burst", "load": "0.50 0.40 0.30"}, PLACE, MET, MISSED)]


def test_the_page_has_each_figure_its_target_the_machine_and_the_load() -> None:
    text = page(runs_of(LINES), "# Performance\n")
    assert "| age | 4 | 3…123 | ms | ≤ 10 met |" in text
    assert "| orders | 1.25 |  | 1/s | ≥ 2 **missed** |" in text
    assert "cpu Abacus, cores 2." in text
    assert "Load average before it: 0.50 0.40 0.30." in text
    assert "Targets missed: `burst orders`." in text


@pytest.mark.parametrize(("load", "is_warned"), [("0.5 0.4 0.3", False), ("2.5 0.4 0.3", True)])
def test_figures_of_a_machine_that_did_other_work_too_carry_a_warning(load: str, is_warned: bool) -> None:
    text = page(runs_of([json.dumps({"benchmark": "burst", "load": load}), *LINES[1:]]), "")
    assert ("The machine was busy" in text) is is_warned


@pytest.mark.parametrize("lines", [[], ["{}"], ["nonsense"], LINES[1:], [*LINES, '{"name": "age"}']])
def test_results_that_no_benchmark_wrote_are_refused_with_the_remedy(lines: list[str]) -> None:
    with pytest.raises(ResultsError, match="make bench"):
        runs_of(lines)
