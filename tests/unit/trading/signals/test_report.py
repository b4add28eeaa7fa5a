from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from domain.errors import ExitCode, UserError
from trading.signals.candle_log import HORIZONS, CandleLine
from trading.signals.report import read_run, report, report_lines

REPOSITORY = Path(__file__).resolve().parents[4]


def run_of(folder: Path, **instruments: int) -> Path:
    """A run whose momentum knows the next step, and whose trend is noise; so many candles of each instrument."""
    for name, count in instruments.items():
        steps, noise = np.random.default_rng(1).normal(0.0, 1.0, (2, count))
        mids = 10_000.0 + np.concatenate([[0.0], np.cumsum(steps)[:-1]])
        with (folder / f"signals.{name}.jsonl").open("wb") as file:
            for i, mid in enumerate(mids):
                line = CandleLine(
                    instrument=name, candle=i, time=i * 10**9, is_fresh=i == 0, is_warm=True, open=1, high=1, low=1,
                    close=1, bought=1, sold=1, mid=float(mid), momentum=float(steps[i]), reversal=0, exhaustion=0,
                    flow_imbalance=0, trend=float(noise[i]), mean_reversion=0, user_signal=0, volatility=0.5, adx=0,
                    trade_intensity_per_s=0,
                    **{f"mid_{h}": float(mids[i + h]) if i + h < count else None for h in (0, *HORIZONS)},
                )  # fmt: skip
                file.write(msgspec.json.encode(line) + b"\n")
    return folder


def test_a_run_is_reported_for_each_instrument_signal_and_horizon(tmp_path: Path) -> None:
    lines = read_run(run_of(tmp_path, BTC=400, ETH=30))
    found = report(lines)
    assert found["candles"] == {"BTC": 400, "ETH": 30}
    by_key = {(row["instrument"], row["signal"], row["horizon_candles"]): row for row in found["signals"]}
    best = by_key["BTC", "momentum", 1]
    assert (best["n"], best["verdict"], best["hit_rate"]["value"]) == (399, "for", 1.0)
    assert best["move_bps"]["low"] > 0.0
    assert by_key["BTC", "trend", 1]["verdict"] == "none"
    # what too few candles cannot tell is null, and JSON can hold it
    assert by_key["ETH", "momentum", 10]["correlation"] is None
    assert json.loads(json.dumps(found)) == found
    # a constant has no correlation
    assert by_key["BTC", "volatility", 1]["correlation"] is None


def test_the_table_is_one_a_person_can_read(tmp_path: Path) -> None:
    text = report_lines(read_run(run_of(tmp_path, BTC=400)))
    assert text[0] == "BTC: 400 candles in 0.11 h; values with 95 % intervals"
    assert text[1].split() == ["signal", "candles", "later", "n", "hit", "rate", "move", "with", "it,", "bps",
                               "correlation", "speaks"]  # fmt: skip
    assert text[2].startswith("  momentum ")
    assert "100.0 % [" in text[2]
    assert text[2].endswith("for")


def test_a_run_without_candles_or_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is_enabled was false"):
        read_run(tmp_path)
    with pytest.raises(UserError, match="no such run"):
        read_run(tmp_path / "nothing")


def test_cli_py_prints_it(tmp_path: Path) -> None:
    def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(REPOSITORY / "cli.py"), "report", *arguments], capture_output=True, text=True,
            timeout=180, check=False,
        )  # fmt: skip

    run = run_of(tmp_path, BTC=50)
    assert json.loads(cli(str(run), "--json").stdout)["candles"] == {"BTC": 50}
    assert "momentum" in cli(str(run)).stdout
    missing = cli(str(tmp_path / "nothing"))
    assert missing.returncode == ExitCode.USAGE
    assert missing.stderr.startswith("error: ")


def test_candles_of_files_that_were_put_away_come_first_oldest_first(tmp_path: Path) -> None:
    run = run_of(tmp_path, BTC=30, ETH=5)
    path = run / "signals.BTC.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for name, part in (("jsonl.2", lines[:10]), ("jsonl.1", lines[10:20]), ("jsonl", lines[20:])):
        path.with_name(f"signals.BTC.{name}").write_bytes(b"".join(part))
    found = [(line.instrument, line.candle) for line in read_run(run)]
    assert found == [*(("BTC", number) for number in range(30)), *(("ETH", number) for number in range(5))]


def test_a_file_that_is_put_away_while_the_others_are_read_costs_no_candle_and_tells_none_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the log of a running session in three files, and a strategy that puts its file away when one is opened
    run = run_of(tmp_path, BTC=30)
    path = run / "signals.BTC.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    opens = Path.open
    for opened in range(3):
        for left in run.iterdir():
            left.unlink()
        for name, part in (("jsonl.2", lines[:10]), ("jsonl.1", lines[10:20]), ("jsonl", lines[20:])):
            path.with_name(f"signals.BTC.{name}").write_bytes(b"".join(part))
        waiting = [opened]

        def open_and_put_away(own: Path, mode: str = "r", *more: Any, waiting: list[int] = waiting) -> Any:
            file = opens(own, mode, *more)
            if own.parent == run:
                waiting[0] -= 1
                if waiting[0] == -1:
                    for age in (2, 1):
                        path.with_name(f"{path.name}.{age}").rename(path.with_name(f"{path.name}.{age + 1}"))
                    path.rename(path.with_name(f"{path.name}.1"))
            return file

        with monkeypatch.context() as patched:
            patched.setattr(Path, "open", open_and_put_away)
            found = read_run(run)
        # I expect all candles once, in order
        assert [line.candle for line in found] == list(range(30)), opened
        assert waiting[0] < 0


def test_files_beside_a_log_that_are_none_of_it_are_left_alone(tmp_path: Path) -> None:
    run = run_of(tmp_path, BTC=3)
    for name in ("signals.BTC.jsonl.gz", "signals.BTC.jsonl.1.bak", "signals.BTC.jsonl~"):
        (run / name).write_bytes(b"no candle\n")
    assert [line.candle for line in read_run(run)] == [0, 1, 2]
