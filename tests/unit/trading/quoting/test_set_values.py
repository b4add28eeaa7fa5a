from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ConfigError
from trading.quoting.config import QuotingConfig
from trading.quoting.set_values import SetValues, parse_value, split_name

NAMES = ("BTC-PERPETUAL", "ETH-PERPETUAL")


def values(path: Path, levels: int = 3) -> SetValues:
    return SetValues(path, dict.fromkeys(NAMES, QuotingConfig(levels=levels)), lambda name, config: None)


def test_a_value_set_at_run_time_is_in_force_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "parameters.json"
    (change,) = values(path).change(("BTC-PERPETUAL",), "levels", 5)
    assert (change.old, change.new) == (3, 5)
    again = values(path)
    assert [(kept.instrument, kept.name, kept.value) for kept in again.load()] == [("BTC-PERPETUAL", "levels", 5)]
    assert [again.in_force[name].levels for name in NAMES] == [5, 3]


def test_a_parameter_inside_a_table_is_set_and_kept_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "parameters.json"
    (change,) = values(path).change(("BTC-PERPETUAL",), "signals.is_enabled", True)
    assert (change.old, change.new) == (False, True)
    again = values(path)
    assert [kept.name for kept in again.load()] == ["signals.is_enabled"]
    assert [again.in_force[name].signals.is_enabled for name in NAMES] == [True, False]
    with pytest.raises(ConfigError, match=r"unknown key `is_enable` in \[signals\]; did you mean `is_enabled`"):
        again.change(NAMES, "signals.is_enable", True)
    with pytest.raises(ConfigError, match=r"signals\.is_enabled = 3: expected bool"):
        again.change(NAMES, "signals.is_enabled", 3)
    with pytest.raises(ConfigError, match="levels"):
        again.change(NAMES, "levels.deep", 3)


def test_who_edits_the_configuration_means_it(tmp_path: Path) -> None:
    path = tmp_path / "parameters.json"
    values(path).change(NAMES, "levels", 5)
    again = values(path, levels=2)
    assert again.load() == []
    assert again.in_force["BTC-PERPETUAL"].levels == 2


def test_a_refused_value_changes_nothing(tmp_path: Path) -> None:
    kept = values(tmp_path / "parameters.json")
    with pytest.raises(ConfigError):
        kept.change(NAMES, "levels", 99)
    assert kept.in_force["BTC-PERPETUAL"].levels == 3
    assert not (tmp_path / "parameters.json").exists()


def test_an_unreadable_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "parameters.json").write_text("{")
    with pytest.raises(ConfigError, match="delete it to use the configured values"):
        values(tmp_path / "parameters.json").load()


def test_names_mean_one_instrument_or_all() -> None:
    assert split_name("levels", NAMES) == (NAMES, "levels")
    assert split_name("strategy.levels", NAMES) == (NAMES, "levels")
    assert split_name("ETH-PERPETUAL.levels", NAMES) == (("ETH-PERPETUAL",), "levels")
    assert split_name("signals.is_enabled", NAMES) == (NAMES, "signals.is_enabled")
    assert split_name("strategy.signals.is_enabled", NAMES) == (NAMES, "signals.is_enabled")
    assert split_name("ETH-PERPETUAL.signals.is_enabled", NAMES) == (("ETH-PERPETUAL",), "signals.is_enabled")
    with pytest.raises(ConfigError, match="no instrument or table DOGE here; there are: BTC-PERPETUAL, ETH-PERPETUAL"):
        split_name("DOGE.levels", NAMES)


def test_values_come_as_json_or_bare_text() -> None:
    assert [parse_value(text) for text in ("0.5", "3", "true", "null", "mid", '"mid"')] == [
        0.5, 3, True, None, "mid", "mid",
    ]  # fmt: skip


def test_a_list_set_at_run_time_is_in_force_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "parameters.json"
    values(path).change(NAMES, "shaping.ladder_size_multipliers", [1.0, 2.0])
    again = values(path)
    assert len(again.load()) == len(NAMES)
    assert again.in_force["BTC-PERPETUAL"].shaping.ladder_size_multipliers == (1.0, 2.0)


def test_a_preset_set_at_run_time_ends_what_was_set_before_it_and_not_what_comes_after(tmp_path: Path) -> None:
    path = tmp_path / "parameters.json"
    running = values(path)
    running.change(NAMES, "preset", "aggressive")
    running.change(NAMES, "levels", 6)
    running.change(NAMES, "inventory_weight", 2.0)
    running.change(NAMES, "order_size_base", 0.02)
    running.change(NAMES, "preset", "conservative")
    running.change(NAMES, "level_spacing_ticks", 7)
    # If strategy restarts, I expect what was in force
    again = values(path)
    again.load()
    assert again.in_force == running.in_force
    btc = again.in_force["BTC-PERPETUAL"]
    assert (btc.levels, btc.inventory_weight, btc.level_spacing_ticks, btc.order_size_base) == (2, 1.5, 7, 0.02)


def test_a_value_that_the_disk_refuses_is_not_in_force_with_the_next_one_either(tmp_path: Path) -> None:
    # given parameters in a folder that cannot be written
    (tmp_path / "state").touch()
    running = values(tmp_path / "state" / "parameters.json")
    with pytest.raises(OSError, match="state"):
        running.change(NAMES, "levels", 5)
    assert running.in_force["BTC-PERPETUAL"].levels == 3
    # If the disk takes the next one, I expect that one alone, over a restart too
    (tmp_path / "state").unlink()
    (change,) = running.change(("BTC-PERPETUAL",), "inventory_weight", 2.0)
    assert change.name == "inventory_weight"
    again = values(tmp_path / "state" / "parameters.json")
    assert [kept.name for kept in again.load()] == ["inventory_weight"]
    assert running.in_force == again.in_force
    assert running.in_force["BTC-PERPETUAL"].levels == 3
