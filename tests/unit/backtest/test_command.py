"""The commands: a backtest from data to report, its report again, and one clear line where something is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from backtest.command import main, tell_compiling
from backtest.data.container import EventFile, EventWriter
from backtest.metrics.definitions import DEFINITIONS
from backtest.report.command import main as report
from backtest.report.page import shown_value
from backtest.warm import KERNELS, RECORDING
from domain import jit
from tests.backtest_run import written

pytest.importorskip("pyarrow")


CONFIG = """
[instruments."BTC-PERPETUAL"]
[strategy]  # near the touch, two levels: fills of every kind in a short time
fee_floor = false
half_spread_min_usd = 0.0
sigma_prior_usd_per_sqrt_s = 1.0
arrival_rate_prior_per_s = 2.0
arrival_decay_prior_per_usd = 4.0
risk_aversion_per_usd = 0.5
levels = 2
"""


class Page(HTMLParser):
    """What a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.places: set[str] = set()
        self.figures = ""
        self._in_figures = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.fetched += [given[name] or "" for name in ("src", "href") if name in given]
        if tag == "div" and given.get("id"):
            self.places.add(given["id"] or "")
        self._in_figures = given.get("id") == "figures"

    def handle_data(self, data: str) -> None:
        if self._in_figures:
            self.figures += data
            self._in_figures = False


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backtest of a generated market, by the command."""
    folder = tmp_path_factory.mktemp("command")
    data = written(folder).path
    (folder / "near.toml").write_text(CONFIG)
    options = ["--step-ms", "100", "--config", str(folder / "near.toml"), "-o", str(folder / "run")]
    assert main([str(data), *options]) == 0
    return folder / "run"


def test_the_conditions_of_a_run_are_said_by_the_command_the_report_and_the_page(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given the run of the fixture, and one at every message with other ways, another queue and a repair
    data = run.parent / "generated.events"
    options = ["--entry-ms", "2", "--answer-ms", "7", "--queue", "risk_averse", "--repair", "clock"]
    assert main([str(data), *options, "--config", str(run.parent / "near.toml"), "-o", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    words = "a decision at every message · latency 2 ms there and 7 ms back · queue risk_averse · fees "
    assert f"  {words}" in said
    assert re.search(r" · repair clock · [\d,]+ orders denied\n", said)
    # If the first is reported again, I expect its own
    assert report([str(run)]) == 0
    first = "a decision every 100 ms · latency 5 ms there and 5 ms back · queue power1 (3) · fees "
    assert first in capsys.readouterr().out
    for folder, expected in ((run, first), (tmp_path / "run", words)):
        assert expected in (folder / "report.html").read_text(encoding="utf-8")


def test_kernels_that_are_compiled_first_are_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a process that compiles, and a machine that has compiled nothing of the backtest yet
    monkeypatch.setenv(jit.ENV_JIT, "1")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    jit.mark_warm()
    tell_compiling()
    assert capsys.readouterr().err == "compiling kernels, once for these sources: up to a minute on a quiet core\n"
    # If they are kept, I expect no word
    jit.mark_warm(KERNELS)
    tell_compiling()
    assert capsys.readouterr().err == ""


def test_a_queue_that_the_recording_cannot_have_names_what_the_user_gave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "levels.txt"
    data.write_text(RECORDING)
    assert main([str(data), "--queue", "fifo"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        f"error: {data}: --queue fifo needs a recording of orders and their fills, found price levels"
    )
    assert error.count("\n") == 1


def read(page: Path) -> Page:
    parsed = Page()
    parsed.feed(page.read_text(encoding="utf-8"))
    return parsed


def test_a_backtest_leaves_tables_summary_and_report(run: Path) -> None:
    assert {path.name for path in run.iterdir()} == {
        "fills.parquet", "orders.parquet", "series.parquet", "equity.parquet", "summary.json", "report.html",
    }  # fmt: skip
    summary = json.loads((run / "summary.json").read_text())
    assert list(summary["statistics"]["values"]) == list(DEFINITIONS)
    assert summary["statistics"]["values"]["fills"] > 0
    assert summary["counts"]["inserts"] > 0
    assert summary["parameters"]["step_ms"] == 100.0
    assert len(summary["fills_hash"]) == 16


def test_the_page_stands_alone_and_every_plot_has_its_place(run: Path) -> None:
    page = read(run / "report.html")
    assert page.fetched == []
    figures = json.loads(page.figures)
    assert set(figures) == page.places
    assert {"equity", "quotes0", "spread0", "markouts", "split", "latency"} <= page.places
    assert (run / "report.html").stat().st_size < 2_000_000


def test_the_figures_are_such_as_the_library_knows(run: Path) -> None:
    graphs = pytest.importorskip("plotly.graph_objects")
    for name, figure in json.loads(read(run / "report.html").figures).items():
        assert graphs.Figure(figure).data, name  # refuses unknown properties


def test_a_run_without_a_fill_has_a_report_too(tmp_path: Path) -> None:
    data = written(tmp_path, seconds=3.0).path
    assert main([str(data), "-o", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["statistics"]["values"]["fills"] == 0
    assert "NaN" not in read(tmp_path / "run" / "report.html").figures


def test_a_report_can_be_written_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    assert report([str(run)]) == 0
    assert (run / "report.html").read_bytes() == before
    assert capsys.readouterr().out.rstrip().endswith(f"report: {run / 'report.html'}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.events"], "nowhere.events"),
        (["{data}", "--config", "none.toml"], "none.toml: no such configuration file"),
        (["{data}", "--entry-ms", "-1"], "--entry-ms -1: expected ms from 0 to 60,000"),
        (["{data}", "--latency-from", "nowhere"], "nowhere/audit.sqlite: no audit trail"),
        (["{data}", "--maintenance-margin", "2"], "--maintenance-margin 2: expected from 0 to 1"),
        (["tests"], "tests: a folder without recordings/"),
        (["{data}", "--together"], "expected the recordings of two instruments or more"),
        (["{data}", "{data}", "--together"], "GENERATED is given twice"),
        (["{data}", "BTC={data}", "--together"], "holds GENERATED, expected BTC"),
        (["{data}", "--queue", "fifo"], "queue fifo needs a recording of orders and their fills, found price levels"),
        (["{data}", "-o", "/dev/null/run"], "/dev/null/run: cannot be written"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    data = str(written(tmp_path, seconds=2.0).path)
    assert main([argument.replace("{data}", data) for argument in arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert told in lines[0]


def test_several_instruments_run_together_and_stand_side_by_side(tmp_path: Path) -> None:
    first = written(tmp_path)
    other = tmp_path / "other.events"
    with EventWriter(other) as writer:
        writer.write(np.array(first.rows))
        writer.finish(msgspec.structs.replace(first.header, instrument="OTHER"))
    # Given levels for the one, and the strategy of all for the other
    config = "[risk]\nnet_notional_max_usd = 60000.0\n" + CONFIG + "[instruments.OTHER.strategy]\nlevels = 1\n"
    (tmp_path / "near.toml").write_text(config)
    options = ["--together", "--step-ms", "100", "--config", str(tmp_path / "near.toml"), "-o", str(tmp_path / "run")]
    assert main([str(first.path), f"OTHER={other}", *options]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert set(summary["by_instrument"]) == {"GENERATED", "OTHER"}
    fills = [summary["by_instrument"][name]["values"]["fills"] for name in ("GENERATED", "OTHER")]
    assert min(fills) > 0
    assert sum(fills) == summary["statistics"]["values"]["fills"]
    levels = {name: found["quoting"]["levels"] for name, found in summary["parameters"].items()}
    assert levels == {"GENERATED": 2, "OTHER": 1}
    assert (tmp_path / "run" / "report.html").exists()


def renamed(folder: Path, first: EventFile, name: str) -> Path:
    """Write the same market as another instrument's."""
    path = folder / f"{name}.events"
    with EventWriter(path) as writer:
        writer.write(np.array(first.rows))
        writer.finish(msgspec.structs.replace(first.header, instrument=name))
    return path


# As `./cli.py init --preset conservative` leaves it: what the preset sets stands nowhere in the file.
PRESET = """
[instruments."BTC-PERPETUAL"]
[instruments."BTC-FUTURE-1".strategy]
levels = 4
fee_maker_bps = 0.7
[strategy]
preset = "conservative"
"""


def played(folder: Path, *arguments: str) -> dict[str, Any]:
    """Return the summary of a backtest of configuration PRESET."""
    (folder / "preset.toml").write_text(PRESET)
    options = ["--step-ms", "1000", "--config", str(folder / "preset.toml"), "-o", str(folder / "run")]
    assert main([*arguments, *options]) == 0
    return dict(json.loads((folder / "run" / "summary.json").read_text()))


def test_the_strategy_of_the_session_is_played_its_preset_and_overrides_in_it(tmp_path: Path) -> None:
    data = renamed(tmp_path, written(tmp_path, seconds=3.0), "BTC-PERPETUAL")
    summary = played(tmp_path, str(data))
    quoting = summary["parameters"]["quoting"]
    assert (quoting["levels"], quoting["level_spacing_ticks"], quoting["shaping"]["tick_filter"]) == (2, 10, True)
    assert summary["notes"] == []


def test_a_recording_of_another_instrument_says_in_one_line_what_it_was_played_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = played(tmp_path, str(written(tmp_path, seconds=3.0).path))
    quoting = summary["parameters"]["quoting"]
    assert (quoting["levels"], quoting["level_spacing_ticks"]) == (2, 10)
    (note,) = summary["notes"]
    assert note.startswith(f"GENERATED: not in {tmp_path / 'preset.toml'}, which has BTC-PERPETUAL, BTC-FUTURE-1: ")
    assert f"  note: {note}" in capsys.readouterr().out.splitlines()


def test_a_future_that_the_configuration_has_by_its_role_is_played_with_its_strategy_and_fee(tmp_path: Path) -> None:
    market = written(tmp_path, seconds=3.0)
    files = [renamed(tmp_path, market, name) for name in ("BTC-PERPETUAL", "BTC-27NOV26")]
    summary = played(tmp_path, "--together", *map(str, files))
    found = {
        name: (settings["quoting"]["levels"], settings["quoting"]["level_spacing_ticks"])
        for name, settings in summary["parameters"].items()
    }
    assert found == {"BTC-PERPETUAL": (2, 10), "BTC-27NOV26": (4, 10)}
    assert summary["parameters"]["BTC-27NOV26"]["venue"]["maker_fee_bps"] == 0.7
    assert summary["notes"] == ['BTC-27NOV26: played with the strategy of [instruments."BTC-FUTURE-1"]']


def test_recordings_of_other_times_are_not_run_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = written(tmp_path, seconds=2.0)
    other = tmp_path / "other.events"
    with EventWriter(other) as writer:
        writer.write(np.array(first.rows))
        later = {name: getattr(first.header, name) + 3600 * 10**9 for name in ("begin_ns", "end_ns")}
        writer.finish(msgspec.structs.replace(first.header, instrument="OTHER", **later))
    assert main([str(first.path), str(other), "--together"]) == 2
    assert "expected recordings of one time" in capsys.readouterr().err


def test_the_report_of_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report([str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_funding_is_paid_and_stands_in_the_split(tmp_path: Path) -> None:
    (tmp_path / "near.toml").write_text(CONFIG)
    options = [
        "--step-ms",
        "100",
        "--config",
        str(tmp_path / "near.toml"),
        "--funding-rate-8h",
        "1",
        "-o",
        str(tmp_path / "run"),
    ]
    assert main([str(written(tmp_path).path), *options]) == 0
    told = json.loads((tmp_path / "run" / "summary.json").read_text())["statistics"]
    assert told["values"]["pnl_funding"] != 0.0
    parts = [Decimal(told["split"][name]) for name in ("spread", "adverse_selection", "inventory", "fees", "funding")]
    assert sum(parts) == Decimal(told["split"]["net"])


def test_fees_that_were_paid_are_shown_as_positive_and_rebates_as_negative() -> None:
    assert shown_value("pnl_fees", -0.885) == "0.885 $"
    assert shown_value("pnl_fees", 0.25) == "-0.25 $"
    assert shown_value("pnl_fees", 0.0) == "0 $"


def test_a_file_that_is_not_there_is_told_before_kernels_are_compiled(tmp_path: Path) -> None:
    # Given a machine on which nothing was compiled yet
    told = {**os.environ, "RINGMAKER_CACHE_DIR": str(tmp_path), "RINGMAKER_HOME": str(tmp_path)}
    # If a recording is misspelt, alone or beside others, I expect that line alone
    for arguments in (["no.gz"], ["--together", "no.gz", "nor.gz"]):
        command = [sys.executable, "-m", "backtest", *arguments]
        ended = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert ended.stderr.startswith("error: no.gz: No such file")
        assert ended.stderr.count("\n") == 1


def test_the_operators_command_passes_arguments_on_and_gives_the_exit_code_back(tmp_path: Path) -> None:
    command = [sys.executable, "cli.py", "backtest", "nowhere.events", "-o", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "nowhere.events" in ended.stderr
