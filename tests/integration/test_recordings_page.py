"""The examples on docs/recordings.md, run on the recording of a session."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.sessions import LOCAL, REPOSITORY, RunningSession

PAGE = (REPOSITORY / "docs" / "recordings.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_examples_of_the_page_run_on_what_a_session_leaves(tmp_path: Path) -> None:
    with RunningSession(tmp_path, LOCAL, arguments=("--seconds", "20")) as session:
        session.wait_for_quotes()
        done = session.cli("set", "strategy.levels", "2")
        assert done.returncode == 0, done.stderr
        assert session.wait(90) == 0, session.said
    command = [sys.executable, "-c", block("python")]
    told = subprocess.run(command, cwd=session.home, capture_output=True, text=True, timeout=180, check=False)
    assert told.returncode == 0, told.stderr
    assert "spread_usd" in told.stdout
    assert "bought_less_sold_base" in told.stdout
    assert "('BTC-PERPETUAL', " in told.stdout

    connection = sqlite3.connect(session.run / "audit.sqlite")
    statements = [one for one in block("sql").split(";") if one.strip()]
    assert len(statements) == 5
    answers = [connection.execute(statement).fetchall() for statement in statements]
    connection.close()
    assert dict(answers[1])
    states = [row[2] for row in answers[2] if row[1] == "account"]
    assert states[0] == "HALTED"  # until everything is known, which may be so for more than one reason
    assert "ACTIVE" in states
    (fees,) = answers[3]
    assert fees[1] == session.summary["fills"]
    assert [(row[3], row[5]) for row in answers[4]] == [("levels", "2")]
    assert answers[4][0][6].startswith("cli.py, uid ")  # who asked, and not the supervisor that passed it on
    assert os.path.samefile(session.run, session.home / "runs" / "latest")
