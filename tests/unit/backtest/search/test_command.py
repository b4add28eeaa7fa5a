"""What a search varies: the strategy that the configuration has for the recordings' instrument."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from backtest.command import _parser
from backtest.data.container import EventFile, EventWriter
from backtest.data.findings import DataError
from backtest.engine.arguments import Conditions, conditions_of
from backtest.search import command
from backtest.search.command import _varied
from backtest.search.windows import Window
from domain.errors import ExitCode
from tests.backtest_run import written

CONFIG = """
[instruments."BTC-PERPETUAL"]
[instruments."ETH-PERPETUAL".strategy]
levels = 4
[strategy]
preset = "conservative"
"""


@pytest.fixture
def conditions(tmp_path: Path) -> Conditions:
    (tmp_path / "preset.toml").write_text(CONFIG)
    return conditions_of(_parser().parse_args(["unread", "--config", str(tmp_path / "preset.toml")]))


@pytest.fixture
def market(tmp_path: Path) -> EventFile:
    return written(tmp_path, seconds=2.0)


def window_of(market: EventFile, number: int, name: str) -> Window:
    path = market.path.with_name(f"{name}.events")
    with EventWriter(path) as writer:
        writer.write(np.array(market.rows))
        writer.finish(msgspec.structs.replace(market.header, instrument=name))
    return Window(number, 0, str(path))


def test_the_strategy_of_the_instrument_is_varied_with_its_preset(conditions: Conditions, market: EventFile) -> None:
    base = _varied(conditions, [window_of(market, 0, "ETH-PERPETUAL")])
    assert (base.quoting.levels, base.quoting.level_spacing_ticks) == (4, 10)


def test_recordings_whose_instrument_is_not_configured_share_the_bare_strategy_and_say_so(
    conditions: Conditions, market: EventFile, capsys: pytest.CaptureFixture[str]
) -> None:
    base = _varied(conditions, [window_of(market, 0, "BTC-PERPETUAL"), window_of(market, 1, "BTCUSDT")])
    assert (base.quoting.levels, base.quoting.level_spacing_ticks) == (2, 10)
    assert capsys.readouterr().out.startswith("note: BTCUSDT: not in ")


def test_instruments_of_different_strategies_are_not_searched_at_once(
    conditions: Conditions, market: EventFile
) -> None:
    windows = [window_of(market, number, name) for number, name in enumerate(("BTC-PERPETUAL", "ETH-PERPETUAL"))]
    with pytest.raises(DataError, match="BTC-PERPETUAL and ETH-PERPETUAL have different strategies"):
        _varied(conditions, windows)


@pytest.mark.parametrize("config", [True, False])
def test_a_space_that_does_not_fit_is_refused_before_anything_is_copied(
    config: bool, conditions: Conditions, market: EventFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(command, "_cut", lambda *_: pytest.fail("the recording was copied"))
    (tmp_path / "space.toml").write_text("[strategy]\nnever_heard_of = { low = 1, high = 2 }\n")
    given = ["--config", str(tmp_path / "preset.toml")] if config else []
    assert command.main([str(market.path), "--space", str(tmp_path / "space.toml"), *given]) == ExitCode.USAGE
    assert "space.toml: strategy.never_heard_of = 1" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", [None, "kept"])
def test_a_search_that_is_refused_while_it_copies_leaves_no_folder_but_one_that_was_there(
    name: str | None, market: EventFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path / "home"))
    (tmp_path / "kept").mkdir()
    (tmp_path / "space.toml").write_text("[strategy]\nlevels = { low = 1, high = 2 }\n")
    written(tmp_path / "kept", seconds=0.1)  # too short to be cut into windows, found after the first is
    short = str(tmp_path / "kept" / "generated.events")
    given = ["-o", str(tmp_path / name)] if name else []
    assert command.main([str(market.path), short, "--space", str(tmp_path / "space.toml"), *given]) == ExitCode.USAGE
    assert not list((tmp_path / "home").glob("runs/*"))
    assert (tmp_path / "kept").is_dir()
