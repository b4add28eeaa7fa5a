"""The suite's own arithmetic: what is missed must show, and say how to play it again."""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults.findings import Findings, table
from tests.faults.row import Play


def test_a_missed_bound_names_row_seed_and_round() -> None:
    told: list[str] = []
    findings = Findings("venue", 7, load_now=lambda: 1.5, tell=told.append)
    for number, value in enumerate((10.0, 30.0, 20.0), start=1):
        findings.measure("pulled", value, "ms", number, bound=25.0)
    assert findings.failures() == ["venue, seed 7, round 2: pulled 30 ms, bound 25, at load 1.5"]
    assert told == findings.failures()
    assert findings.as_json()["ok"] is False
    assert "MISSED" in table([findings])


def test_slack_widens_every_bound_and_no_broken_rule() -> None:
    findings = Findings("venue", 7, slack=5, load_now=lambda: 2.0)
    findings.measure("pulled", 120.0, "ms", 1, bound=25.0)
    assert findings.failures() == []
    findings.measure("pulled", 126.0, "ms", 2, bound=25.0)
    findings.break_rule(3, "a fill is told twice")
    assert findings.failures() == [
        "venue, seed 7, round 3: a fill is told twice",
        "venue, seed 7, round 2: pulled 126 ms, bound 5 × 25, at load 2.0",
    ]


def test_quantiles_are_samples() -> None:
    findings = Findings("venue", 7)
    for value in range(1, 101):
        findings.measure("pulled", float(value), "ms", value)
    (measure,) = findings.measures
    assert (measure.quantile(0.5), measure.quantile(0.99), measure.quantile(1.0)) == (50.0, 99.0, 100.0)


def test_a_round_draws_the_same_whichever_rounds_are_played_before() -> None:
    def draws(seed: int, number: int) -> list[float]:
        rng: random.Random = Play(seed, [number], Path(), Findings("venue", seed), print, Path()).rng(number)
        return [rng.random() for _ in range(5)]

    assert draws(1, 17) == draws(1, 17)
    assert draws(1, 17) != draws(1, 18)
    assert draws(1, 17) != draws(2, 17)
