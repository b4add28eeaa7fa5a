"""`benchmarks.quote` in its shortest form: every figure is there; nothing is said about speed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FIGURES = ["python.raw", "python.all_on", "compiled.raw", "compiled.all_on", "solve.129_positions"]


def test_the_benchmark_measures_a_quote_from_python_and_in_compiled_code() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.quote", "--rounds", "1"], capture_output=True, text=True, timeout=280,
        cwd=REPOSITORY,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    place, *lines = map(json.loads, result.stdout.splitlines())
    assert place["name"] == "environment"
    assert [line["name"] for line in lines] == FIGURES
    assert all(line["value"] > 0 for line in lines)
    assert [line["target"] for line in lines] == [None, 8.0, None, 1.0, None]


def test_it_refuses_no_rounds() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.quote", "--rounds", "0"], capture_output=True, text=True, timeout=180,
        cwd=REPOSITORY,
    )  # fmt: skip
    assert result.returncode == 2
    assert "expected --rounds >= 1" in result.stderr
