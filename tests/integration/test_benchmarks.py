"""`benchmarks.tick_to_order` in its quick form: every subject answers; nothing is said about speed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from benchmarks.probe_venue import is_token_well_formed
from benchmarks.report import Line, exit_code, figure

REPOSITORY = Path(__file__).resolve().parents[2]
TICKS = 100
SUBJECTS = ("ours", "official", "echo")


@pytest.fixture(scope="module")
def report() -> dict[str, dict[str, Any]]:
    """The lines of one quick run, by name; the run leaves neither files nor segments."""
    before = {name for name in os.listdir("/dev/shm") if ".bench" in name}
    command = [sys.executable, "-m", "benchmarks.tick_to_order", "--rounds", "1", "--ticks", str(TICKS)]
    with tempfile.TemporaryDirectory(prefix="rmb") as scratch:  # short: sockets go below it
        environ = {**os.environ, "TMPDIR": scratch}
        done = subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stderr
        assert os.listdir(scratch) == [], "temporary files were left behind"
    assert {name for name in os.listdir("/dev/shm") if ".bench" in name} <= before, "segments were left behind"
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["name"]: line for line in lines}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_answers_the_ticks(report: dict[str, dict[str, Any]], subject: str) -> None:
    assert report[f"unanswered.{subject}"]["value"] <= TICKS // 10  # a busy machine may cost single ticks
    for quantile in ("p50", "p99"):
        value = report[f"wire_to_wire_{quantile}.{subject}"]["value"]
        assert math.isfinite(value)
        assert value > 0


def test_both_quoters_move_both_sides(report: dict[str, dict[str, Any]]) -> None:
    for subject in ("ours", "official"):
        assert 1.5 <= report[f"orders_per_tick.{subject}"]["value"] <= 2.5


def test_ratios_and_stages_are_told_with_their_targets(report: dict[str, dict[str, Any]]) -> None:
    for quantile in ("p50", "p99"):
        assert report[f"wire_to_wire_{quantile}.ours_to_official"]["target"] == 0.8
        assert report[f"wire_to_wire_{quantile}.ours_to_echo"]["target"] == 3.5
        assert report[f"stage.tick_to_order_{quantile}"]["value"] > 0


def test_every_line_has_the_keys_of_the_contract(report: dict[str, dict[str, Any]]) -> None:
    assert report["environment"]["value"].keys() >= {"machine", "cpu", "cores", "python", "thalex", "picows"}
    for line in report.values():
        assert line.keys() >= {"name", "value", "unit", "target", "ok"}
        expected = None if line["target"] is None else line["value"] <= line["target"]
        assert line["ok"] == expected


def test_a_missed_target_fails_only_a_check() -> None:
    missed = figure("x", [3.0, 1.0, 2.0], "µs", target_max=1.5)

    assert missed == Line(name="x", value=2.0, unit="µs", target=1.5, ok=False, low=1.0, high=3.0)
    assert exit_code([missed], is_check=True) == 1
    assert exit_code([missed], is_check=False) == 0


def test_a_figure_that_was_not_measured_misses_its_target() -> None:
    assert figure("x", [], "µs", target_max=1.5).ok is False


def test_the_probe_refuses_what_is_no_token() -> None:
    for text in ("", "a.b", "a.b.c", "e30.e30.c2ln"):  # e30 = {}: neither algorithm nor key id
        assert not is_token_well_formed(text)
