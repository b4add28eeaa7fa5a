"""A short version of every row of the suite; `make faults` plays all of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.faults.__main__ import ROWS
from tests.faults.findings import Findings, table
from tests.faults.row import Play, Row

SEED = 1
TEST_SLACK = 5.0  # this machine may be busy: the bounds themselves are judged by `make faults`


@pytest.mark.timeout(300)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_must_hold_of_each_fault_holds(row: Row, tmp_path: Path) -> None:
    findings = Findings(row.name, SEED, slack=TEST_SLACK)
    with tempfile.TemporaryDirectory(prefix="rmf", dir="/tmp") as folder:  # sockets need a short path
        row.play(Play(SEED, range(1, row.rounds_short + 1), Path(folder), findings, print, tmp_path))
    print(table([findings]))
    assert findings.measures or findings.counts  # a row that is not allowed here counts what it leaves out
    assert findings.failures() == []
