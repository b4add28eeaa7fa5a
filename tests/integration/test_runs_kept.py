"""A run whose supervisor was killed is removed by a later start once it is old, as one that ended in order is."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

from tests.sessions import INSTRUMENT, RunningSession, wait_until

CONFIG = INSTRUMENT + "[supervisor]\nruns_kept_days = 1\n"
S_PER_DAY = 86_400.0


def test_the_run_of_a_killed_supervisor_goes_when_it_is_old_and_the_last_one_stays(tmp_path: Path) -> None:
    with RunningSession(tmp_path, CONFIG) as session:
        # given a session that is killed while it quotes, and that nothing of it lives
        session.wait_for_quotes(60)
        session.signal(signal.SIGKILL)
        session.wait(10)
        wait_until(lambda: not session.processes(), 30, "the actors end")
        (killed,) = session.all_runs
        assert (killed / "execution.journal").exists()
        assert not (killed / "summary.json").exists()
        # and three more like it: one of them is young, one is the last, though it is old
        old, young, last = (killed.with_name(f"{killed.name}-{number}") for number in (2, 3, 4))
        for other in (old, young, last):
            shutil.copytree(killed, other)
        for run in (killed, old, last):
            make_old(run)
        # if the session is started again
        session.__enter__()
        session.wait_for_quotes(60)
        # I expect the two to be gone, and the new one to quote beside what is left
        assert {young, last} < set(session.all_runs)
        assert len(session.all_runs) == 3
        assert f"removed of runs that ended more than 1 days ago: 2, {killed.name} to {old.name}" in session.said
        session.signal(signal.SIGINT)
        assert session.wait(60) == 0, session.said
        session.assert_nothing_stays()


def make_old(run: Path) -> None:
    """Have every file of a run be written two days ago."""
    for path in run.rglob("*"):
        os.utime(path, (0.0, time.time() - 2 * S_PER_DAY))
