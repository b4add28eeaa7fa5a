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
from backtest.search.command import _varied
from backtest.search.windows import Window
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
