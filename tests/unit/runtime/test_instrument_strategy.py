"""A recording of an instrument is played with what a session would quote it with."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config import Config, load_config
from runtime.instrument_strategy import strategy_for

FUTURES = """
[instruments."BTC-PERPETUAL"]
[instruments."BTC-FUTURE-1".strategy]
levels = 4
[instruments."BTC-FUTURE-2".strategy]
levels = 5
[instruments."ETH-25DEC26".strategy]
levels = 6
[strategy]
preset = "conservative"
[strategies.near]
instruments = ["BTC-PERPETUAL", "BTC-FUTURE-1"]
[strategies.near.strategy]
order_size_base = 0.02
[strategies.far]
instruments = ["BTC-FUTURE-2", "ETH-25DEC26"]
"""
NEXT, LATER, LATEST = "BTC-27NOV26", "BTC-25DEC26", "BTC-26MAR27"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "mine.toml"
    path.write_text(FUTURES)
    return load_config(path)


def test_preset_and_overrides_hold_for_an_instrument_by_its_name_in_any_case(config: Config) -> None:
    found = strategy_for(config, "btc-perpetual")
    assert (found.quoting, found.note) == (config.instruments["BTC-PERPETUAL"].strategy, "")
    assert (found.quoting.levels, found.quoting.level_spacing_ticks, found.quoting.order_size_base) == (2, 10, 0.02)


def test_an_instrument_that_is_not_there_has_the_bare_strategy_with_its_preset_and_that_is_said(config: Config) -> None:
    found = strategy_for(config, "BTCUSDT")
    assert (found.quoting.levels, found.quoting.level_spacing_ticks, found.quoting.order_size_base) == (2, 10, 0.01)
    assert found.note.startswith(f"BTCUSDT: not in {config.path}, which has BTC-PERPETUAL, BTC-FUTURE-1")
    assert "played with [strategy] alone" in found.note
    assert "\n" not in found.note


@pytest.mark.parametrize(
    ("instrument", "beside", "levels"),
    [
        (NEXT, [], 4),  # the only one is the one that expires next
        (LATER, [NEXT, LATER, "BTC-PERPETUAL"], 5),
        (NEXT, [LATER, NEXT], 4),
        (LATEST, [LATER, NEXT], 2),  # the third of two roles
        ("BTCUSDT_261127", [], 4),
        ("ETH-25DEC26", [NEXT], 6),  # by its name
        ("ETH-27NOV26", [], 2),  # no role of ETH
        ("BTC-99NOV26", [], 2),  # no date
    ],
)
def test_a_dated_future_has_the_strategy_of_its_role(
    config: Config, instrument: str, beside: list[str], levels: int
) -> None:
    found = strategy_for(config, instrument, beside)
    assert found.quoting.levels == levels
    assert ('[instruments."BTC-FUTURE-' in found.note) == (levels in (4, 5))
