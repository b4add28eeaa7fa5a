from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ConfigError
from runtime.config import load_config
from trading.quoting.config import QuotingConfig


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"position_soft_base": 1.0}, "position_soft_base = 1.0 must not be above position_hard_base = 0.05"),
        ({"half_spread_min_usd": 600.0}, "half_spread_min_usd = 600.0 must not be above half_spread_max_usd = 500.0"),
        ({"sigma_min_usd_per_sqrt_s": 300.0}, "must not be above sigma_max_usd_per_sqrt_s"),
        ({"sigma_gap_ms_max": 100}, "sigma_gap_ms_max = 100 must not be below sigma_grid_ms = 250"),
        ({"levels": 11}, "levels = 11: expected int <= 10"),
        (
            {"shaping.impact_usd_per_base_min": 2000.0},
            "impact_usd_per_base_min = 2000.0 must not be above impact_usd_per_base_max = 1000.0",
        ),
        ({"risk_aversion_per_usd": 0.0}, "risk_aversion_per_usd = 0.0: expected float > 0"),
        ({"risk_aversion_per_usd": float("nan")}, "risk_aversion_per_usd = nan"),
        ({"levles": 2}, "unknown key `levles`; did you mean `levels`?"),
        ({"model": "magic"}, "model = 'magic'"),
    ],
)
def test_a_value_out_of_range_or_against_another_is_refused(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        QuotingConfig().with_values(changes)
    assert expected in str(caught.value)


def test_values_that_fit_together_may_change_together() -> None:
    config = QuotingConfig().with_values({"position_soft_base": 1.0, "position_hard_base": 2, "xi_per_usd": None})
    assert (config.position_soft_base, config.position_hard_base, config.xi_per_usd) == (1.0, 2.0, None)


def test_an_instrument_overrides_single_keys_of_a_table(tmp_path: Path) -> None:
    # Given two keys in a table for all, and one of them again for one instrument
    path = tmp_path / "tables.toml"
    path.write_text(
        "[strategy]\nlevels = 2\n[strategy.signals]\nis_enabled = true\n"
        '[instruments."BTC-PERPETUAL"]\n[instruments."ETH-PERPETUAL".strategy]\nsignals = { is_enabled = false }\n'
    )
    config = load_config(path)
    # I expect the rest of the table to stay as it is for all
    btc, eth = (config.instruments[name].strategy for name in ("BTC-PERPETUAL", "ETH-PERPETUAL"))
    assert (btc.levels, btc.signals.is_enabled) == (2, True)
    assert (eth.levels, eth.signals.is_enabled) == (2, False)


def test_a_fault_inside_a_table_is_named_with_its_table(tmp_path: Path) -> None:
    path = tmp_path / "tables.toml"
    path.write_text('[instruments."BTC-PERPETUAL"]\n[strategy.signals]\nis_enabeld = true\n')
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == (f"{path}: unknown key `is_enabeld` in [strategy.signals]; did you mean `is_enabled`?")
