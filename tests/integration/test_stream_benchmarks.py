"""The benchmarks of streams and of stages in their short forms: every figure is there; nothing is said about speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def report_of(*arguments: str) -> dict[str, dict[str, Any]]:
    """Run a benchmark and return its lines by name; it leaves neither files nor segments."""
    before = {name for name in os.listdir("/dev/shm") if ".bench" in name}
    with tempfile.TemporaryDirectory(prefix="rmb") as scratch:  # short: sockets go below it
        done = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=REPOSITORY, env={**os.environ, "TMPDIR": scratch},
            capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert os.listdir(scratch) == [], "temporary files were left behind"
    assert {name for name in os.listdir("/dev/shm") if ".bench" in name} <= before, "segments were left behind"
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


def test_stages_tells_what_each_actor_computes() -> None:
    report = report_of("benchmarks.stages", "--rounds", "1", "--ticks", "100")
    for stage in ("market_data", "strategy", "execution"):
        assert 0 < report[stage]["value"] < 10_000
        assert report[stage]["target"] in (15.0, 20.0, 60.0)
        assert report[f"cold.{stage}"]["value"] > 0


def test_in_a_burst_the_orders_of_ours_come_from_young_ticks_and_most_ticks_are_superseded() -> None:
    report = report_of("benchmarks.burst", "--seconds", "0.5", "--rate", "10000")
    assert report["superseded.ours"]["value"] > 0.2
    assert report["superseded.official"]["value"] <= 0.01, "it works off every message"
    assert report["recovery.ours"]["value"] < 10_000
    for subject in ("ours", "official"):
        assert report[f"age_p99.{subject}"]["value"] > 0
    assert report["age_at_end.ours_to_official"]["target"] == 0.01


@pytest.mark.slow
def test_ticks_at_random_moments_are_answered_by_both() -> None:
    report = report_of("benchmarks.poisson", "--rounds", "1", "--rates", "100", "--seconds", "2")
    for subject in ("ours", "official"):
        assert (
            0 < report[f"wire_to_wire_p50.{subject}.100"]["value"] <= report[f"wire_to_wire_p99.{subject}.100"]["value"]
        )
        assert report[f"superseded.{subject}.100"]["value"] < 0.9
