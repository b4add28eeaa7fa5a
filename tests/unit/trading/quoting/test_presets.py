from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ConfigError
from runtime.config import load_config
from tests.quoting_case import quote
from trading.quoting.config import QuotingConfig
from trading.quoting.dotted import parameter_names, value_of
from trading.quoting.presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_known_parameters_to_values_within_their_ranges(name: str) -> None:
    config = QuotingConfig().with_values({"preset": name})
    for parameter, value in PRESETS[name].items():
        assert parameter in parameter_names(QuotingConfig)
        assert value_of(config, parameter) == value


def test_conservative_is_wider_than_the_defaults_and_aggressive_narrower() -> None:
    base = QuotingConfig(fee_maker_bps=0.1)
    conservative, plain, aggressive = (
        quote(base.with_values({"preset": name})) for name in ("conservative", "none", "aggressive")
    )
    assert conservative["half_spread"] > plain["half_spread"] > aggressive["half_spread"]
    assert conservative["skew_per_unit"] > plain["skew_per_unit"] > aggressive["skew_per_unit"]


def test_a_key_that_is_written_down_wins_over_the_preset(tmp_path: Path) -> None:
    path = tmp_path / "preset.toml"
    path.write_text(
        '[strategy]\npreset = "conservative"\nlevels = 7\n[strategy.shaping]\ndisplacement_guard = false\n'
        '[instruments."BTC-PERPETUAL"]\n[instruments."ETH-PERPETUAL".strategy]\npreset = "aggressive"\n'
    )
    config = load_config(path)
    btc, eth = (config.instruments[name].strategy for name in ("BTC-PERPETUAL", "ETH-PERPETUAL"))
    # Given for all: keys over the preset, and the rest of the preset as it is
    assert (btc.levels, btc.shaping.displacement_guard) == (7, False)
    assert (btc.risk_aversion_per_usd, btc.shaping.tick_filter) == (0.05, True)
    # and an instrument's own preset in the place of the common one, below the same keys
    assert (eth.levels, eth.shaping.displacement_guard) == (7, False)
    assert (eth.risk_aversion_per_usd, eth.shaping.market_stress) == (0.002, False)


def test_setting_a_preset_while_running_sets_its_values_but_those_named_beside_it() -> None:
    config = QuotingConfig(levels=7).with_values({"preset": "conservative", "inventory_weight": 2.0})
    assert (config.levels, config.inventory_weight, config.shaping.tick_filter) == (2, 2.0, True)


def test_an_unknown_preset_is_refused_with_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "preset.toml"
    path.write_text('[strategy]\npreset = "brave"\n[instruments."BTC-PERPETUAL"]\n')
    with pytest.raises(ConfigError, match="expected one of none, conservative, aggressive"):
        load_config(path)
