"""A short version of the suite's venue row; `make faults` plays all of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.faults.findings import Findings, table
from tests.faults.row import Play
from tests.faults.rows import venue

SEED = 1
TEST_SLACK = 5.0  # this machine may be busy: the bounds themselves are judged by `make faults`


@pytest.mark.timeout(300)
def test_fills_and_position_are_the_venues_after_disconnects_losses_and_refusals(tmp_path: Path) -> None:
    findings = Findings(venue.ROW.name, SEED, slack=TEST_SLACK)
    with tempfile.TemporaryDirectory(prefix="rmf", dir="/tmp") as folder:  # sockets need a short path
        rounds = range(1, venue.ROW.rounds_short + 1)
        venue.ROW.play(Play(SEED, rounds, Path(folder), findings, print, tmp_path))
    print(table([findings]))
    assert findings.counts["fills"] > 0
    assert findings.failures() == []
