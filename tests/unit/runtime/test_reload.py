"""What an edited file changes in a running session, and what waits for the next start."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config import Config, load_config
from runtime.reload import ConfigChange, changes, hot_keys, taken_over
from trading.orders.config import ExecutionConfig
from trading.quoting.config import QuotingConfig
from trading.risk.config import RiskConfig
from trading.risk.limit_changes import LOOSER, looser_limits

BASE = """
[instruments."BTC-PERPETUAL"]
[instruments."ETH-PERPETUAL".strategy]
levels = 2
[strategy]
levels = 3
[venue]
kind = "local"
"""


def config(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "session.toml"
    path.write_text(text)
    return load_config(path)


def test_the_hot_keys_are_those_that_their_types_mark() -> None:
    strategy, execution = hot_keys(QuotingConfig), hot_keys(ExecutionConfig)
    assert {"levels", "shaping.displacement_guard", "signals.is_enabled", "user"} <= strategy
    assert {"file", "signals.user"}.isdisjoint(strategy)
    assert hot_keys(RiskConfig) == frozenset(LOOSER)
    assert "amend_threshold_ticks" in execution
    assert {"mode", "label", "mass_quotes.cooldown_ms", "protection.kind"}.isdisjoint(execution)


def test_a_key_of_strategy_shows_at_every_instrument_that_it_reaches(tmp_path: Path) -> None:
    old, new = config(tmp_path, BASE), config(tmp_path, BASE.replace("levels = 3", "levels = 4"))
    assert changes(old, new) == [ConfigChange("instruments.BTC-PERPETUAL.strategy.levels", 3, 4, True)]
    assert str(changes(old, new)[0]) == "instruments.BTC-PERPETUAL.strategy.levels: 3 → 4"
    running = taken_over(old, new)
    assert running.instruments["BTC-PERPETUAL"].strategy.levels == 4
    assert running.instruments["ETH-PERPETUAL"].strategy.levels == 2
    assert changes(running, new) == []


def test_what_waits_for_the_next_start_is_named_and_left(tmp_path: Path) -> None:
    old = config(tmp_path, BASE)
    text = BASE.replace('kind = "local"', 'kind = "local"\nping_interval_ms = 900')
    text += '[instruments."BTC-27NOV26"]\n[risk]\nposition_max_base = 0.2\ninterval_ms = 90\n'
    text += "[execution]\npost_only = false\n"
    new = config(tmp_path, text)
    found = {change.key: change.is_hot for change in changes(old, new)}
    assert found["venue.ping_interval_ms"] is False
    assert found["risk.interval_ms"] is False
    assert found["risk.position_max_base"] is True
    assert found["execution.post_only"] is True
    assert not any(is_hot for key, is_hot in found.items() if "BTC-27NOV26" in key)
    running = taken_over(old, new)
    assert set(running.instruments) == set(old.instruments)
    assert (running.venue, running.risk.interval_ms) == (old.venue, old.risk.interval_ms)
    assert (running.risk.position_max_base, running.execution.post_only) == (0.2, False)
    left = changes(running, new)
    assert left
    assert not any(change.is_hot for change in left)


def test_a_strategy_file_waits_and_the_rest_of_its_section_does_not(tmp_path: Path) -> None:
    own = Path(__file__).parents[3] / "docs" / "my_strategy.py"
    old = config(tmp_path, BASE)
    new = config(tmp_path, BASE.replace("levels = 3", f'levels = 4\nfile = "{own}"'))
    running = taken_over(old, new).instruments["BTC-PERPETUAL"].strategy
    assert (running.levels, running.file) == (4, "")


@pytest.mark.parametrize(
    ("key", "value", "is_looser"),
    [
        ("position_max_base", 0.2, True),
        ("position_max_base", 0.05, False),
        ("stop_loss_bps", 0.0, True),  # a rule that is off is the loosest
        ("cooldown_s", 10.0, True),
        ("cooldown_s", 1000.0, False),
    ],
)
def test_a_limit_says_when_it_is_looser(key: str, value: float, is_looser: bool) -> None:
    old = RiskConfig()
    lines = looser_limits(old, RiskConfig(**{key: value}))
    assert bool(lines) == is_looser
    if lines:
        assert lines == [f"risk.{key}: {getattr(old, key)} → {value}"]
