"""The examples of docs/ as a user runs them: a whole session on the local exchange, and the ways in which it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from domain.errors import ExitCode
from messages.commands import SetParameter
from tests.sessions import INSTRUMENT, LOCAL, REPOSITORY, RunningSession, open_orders, wait_until
from trading.signals.candle_log import CandleLine, read_candle_lines

STRATEGY = REPOSITORY / "docs" / "my_strategy.py"
SIGNAL = REPOSITORY / "docs" / "my_signal.py"
# Short candles and bars, so that every signal has something to say within seconds.
OWN = LOCAL.replace(
    "[strategy] ",
    f'[strategy.signals]\nis_enabled = true\nuser = "{SIGNAL}"\ncandle_volume_base = 0.05\nbar_s = 0.1\n'
    "flow_window_s = 5.0\nparameters = { volume_factor_min = 1.0 }\n"
    f'[strategy]\nfile = "{STRATEGY}"\n#',
)


def candles(session: RunningSession) -> list[CandleLine]:
    path = session.run / "signals.jsonl"
    return read_candle_lines(path) if path.exists() else []


def test_the_example_is_as_short_as_promised() -> None:
    assert len(STRATEGY.read_text().splitlines()) <= 50


@pytest.mark.timeout(400)  # compiling takes 7 s of processor time, or 33 with a cold cache; others work here too
def test_the_example_strategy_quotes_with_the_example_signal(tmp_path: Path) -> None:
    assert "file = " in OWN
    # Given machine code, as `make run` makes it before a session starts
    (tmp_path / "own.toml").write_text(OWN)
    command = [sys.executable, "-m", "scripts.warm_kernels", str(tmp_path / "own.toml")]
    assert subprocess.run(command, cwd=REPOSITORY, timeout=250, check=False).returncode == 0
    with RunningSession(tmp_path, OWN) as session:
        session.wait_for_quotes(120)
        # If a parameter of its own is set
        reply = session.send(SetParameter(name="strategy.user.lean_half_spreads", value="0.5"))
        assert reply.ok, reply.text
        refused = session.send(SetParameter(name="strategy.user.lean_half_spreads", value="7"))
        assert not refused.ok
        assert "wants 0 to 1" in refused.text
        wait_until(lambda: any(line.user_signal for line in candles(session)), 60, "a candle with its own signal")
        session.signal(signal.SIGINT)
        assert session.wait(60) == 0, session.said
        # I expect quotes on both sides while both were wanted, and nothing left behind
        summary, log = session.summary, session.order_log()
        print(json.dumps({key: summary[key] for key in ("quoted_time_ratio", "quoted_time_ratio_raw", "fills")}))
        assert min(summary["quoted_time_ratio"].values()) > 0.5
        assert summary["position"] == summary["venue_position"]
        assert open_orders(log) == {}
        said = (session.run / "logs" / "strategy.log").read_text()
        assert "my_strategy.py" in said
        assert "failed" not in said
        # and a report on every signal, the user's own among them
        report = subprocess.run(
            [sys.executable, str(REPOSITORY / "cli.py"), "report", str(session.run), "--json"],
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert report.returncode == 0, report.stderr
        rows = json.loads(report.stdout)["signals"]
        assert {"momentum", "flow_imbalance", "user_signal"} <= {row["signal"] for row in rows}
        session.assert_nothing_stays()


def test_a_file_that_is_not_there_ends_the_start_with_one_line(tmp_path: Path) -> None:
    with RunningSession(tmp_path, f'strategy = "nowhere.py"\n{INSTRUMENT}') as session:
        assert session.wait(30) == ExitCode.USAGE
        (line,) = session.said.splitlines()
        assert "nowhere.py: no such file" in line


@pytest.mark.timeout(300)
def test_a_file_that_does_not_compile_ends_the_session_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(
        'from trading.quoting.standard import on_book, on_fill, on_trade\n\n\ndef quote(q):\n    q["ladder"]["x"] = 1\n'
    )
    with RunningSession(tmp_path, f'strategy = "{path}"\n{INSTRUMENT}') as session:
        assert session.wait(250) == ExitCode.USAGE, session.said
        assert f"{path}:5: quote does not compile: there is no field 'x'" in session.said
        assert "Traceback" not in session.said
