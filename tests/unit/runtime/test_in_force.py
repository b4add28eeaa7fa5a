"""What is set while a session runs is held to what its configuration file is held to."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ConfigError
from messages.commands import SetParameter
from runtime.config import Config, load_config
from runtime.supervision.in_force import InForce

TWO = """
[instruments."BTC-PERPETUAL"]
[instruments."ETH-PERPETUAL".strategy]
order_size_base = 0.02
[strategy]
order_size_base = 0.01
levels = 1
[risk]
order_size_max_base = 0.05
position_max_base = 10.0
"""


def configured(tmp_path: Path, text: str = TWO) -> Config:
    path = tmp_path / "session.toml"
    path.write_text(text)
    return load_config(path)


@pytest.mark.parametrize("name", ["strategy.order_size_base", "order_size_base", "BTC-PERPETUAL.order_size_base"])
def test_a_size_that_the_gate_would_always_deny_is_refused_with_the_line_of_a_start(tmp_path: Path, name: str) -> None:
    in_force = InForce(configured(tmp_path))
    with pytest.raises(ConfigError) as refused:
        in_force.check(SetParameter(name, "5"))
    with pytest.raises(ConfigError) as at_start:
        configured(tmp_path, TWO.replace("order_size_base = 0.01", "order_size_base = 5"))
    assert str(at_start.value) == f"{tmp_path / 'session.toml'}: {refused.value}"


def test_what_was_set_before_counts(tmp_path: Path) -> None:
    in_force = InForce(configured(tmp_path))
    raised = SetParameter("risk.order_size_max_base", "6", force=True)
    in_force.check(raised)
    in_force.note(raised, ["risk"])
    in_force.check(SetParameter("strategy.order_size_base", "5"))  # room for it since
    for name, value in (("order_size_base", "1"), ("level_size_factor", "2")):
        in_force.note(SetParameter(f"BTC-PERPETUAL.{name}", value), ["BTC-PERPETUAL"])
    with pytest.raises(ConfigError, match="the largest level is 8 "):
        in_force.check(SetParameter("BTC-PERPETUAL.levels", "4"))
    in_force.check(SetParameter("ETH-PERPETUAL.levels", "4"))


def test_what_an_actor_refused_does_not_count(tmp_path: Path) -> None:
    in_force = InForce(configured(tmp_path))
    in_force.note(SetParameter("risk.order_size_max_base", "6"), [])
    with pytest.raises(ConfigError, match=r"risk\.order_size_max_base = 0\.05 denies it"):
        in_force.check(SetParameter("strategy.order_size_base", "5"))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("order_size_max_base", "0.005", r"the largest level is 0\.01 .*, or set the limit with --force"),
        ("venue_silent_ms", "500", r"venue_silent_ms = 500 ms, but a connection without news"),
    ],
)
def test_a_limit_that_contradicts_the_rest_is_refused_unless_forced(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    in_force = InForce(configured(tmp_path))
    with pytest.raises(ConfigError, match=words):
        in_force.check(SetParameter(f"risk.{name}", value))
    forced = SetParameter(f"risk.{name}", value, force=True)
    in_force.check(forced)
    in_force.note(forced, ["risk"])
    in_force.check(SetParameter("BTC-PERPETUAL.level_spacing_ticks", "7"))  # nothing to do with it
    if name == "order_size_max_base":
        with pytest.raises(ConfigError, match=r"the largest level is 0\.04"):
            in_force.check(SetParameter("BTC-PERPETUAL.order_size_base", "0.04"))


@pytest.mark.parametrize(
    ("name", "value"), [("strategy.no_such", "1"), ("risk.no_such", "1"), ("strategy.levels", "x")]
)
def test_what_an_actor_refuses_by_itself_is_left_to_it(tmp_path: Path, name: str, value: str) -> None:
    InForce(configured(tmp_path)).check(SetParameter(name, value))


@pytest.mark.parametrize("name", ["execution.order_rate_max_per_s", "BTC-FUTURE-1.levels", "shapng.ladder"])
def test_a_name_that_nobody_knows_is_left_to_the_actor_and_not_kept(tmp_path: Path, name: str) -> None:
    in_force = InForce(configured(tmp_path))
    in_force.check(SetParameter(name, "2"))
    in_force.note(SetParameter(name, "2"), {})  # what the actor has answered: done for nobody
    in_force.note(SetParameter(name, "2"), ["BTC-PERPETUAL"])  # of two strategies one may know it
    in_force.check(SetParameter("strategy.levels", "2"))


def test_a_reload_is_held_to_what_was_set_and_stays(tmp_path: Path) -> None:
    in_force = InForce(configured(tmp_path))
    in_force.note(SetParameter("BTC-PERPETUAL.order_size_base", "0.04"), ["BTC-PERPETUAL"])
    edited = configured(tmp_path, TWO.replace("order_size_max_base = 0.05", "order_size_max_base = 0.03"))
    words = (
        r"the largest level is 0\.04 .*; set meanwhile: instruments\.BTC-PERPETUAL\.strategy\.order_size_base = 0\.04"
    )
    with pytest.raises(ConfigError, match=words):
        in_force.check_reload(edited, ["risk.order_size_max_base"])
    both = ["risk.order_size_max_base", "instruments.BTC-PERPETUAL.strategy.order_size_base"]
    in_force.check_reload(edited, both)  # the file says something new about it: what was set ends
    in_force.reload(edited, both)
    with pytest.raises(ConfigError, match=r"risk\.order_size_max_base = 0\.03 denies it"):
        in_force.check(SetParameter("BTC-PERPETUAL.order_size_base", "0.04"))


def test_limits_that_were_tightened_one_after_the_other_hold_together_whatever_the_file_says(tmp_path: Path) -> None:
    # Given limits that were tightened in steps, each sound beside the others; the first alone contradicts the file
    config = configured(tmp_path, TWO.replace("position_max_base = 10.0", "position_max_base = 0.1"))
    in_force = InForce(config)
    for name, value in (
        ("order_size_max_base", "0.03"),
        ("position_max_base", "0.04"),
        ("order_size_max_base", "0.02"),
    ):
        command = SetParameter(f"risk.{name}", value)
        in_force.check(command)
        in_force.note(command, ["risk"])
    # If the unchanged file is reloaded, or more is set, I expect nothing to be wrong, and checks to go on
    in_force.check_reload(config, [])
    in_force.check(SetParameter("risk.position_max_base", "0.06", force=True))
    with pytest.raises(ConfigError, match=r"risk\.order_size_max_base = 0\.02 denies it"):
        in_force.check(SetParameter("strategy.order_size_base", "0.03"))


def test_a_file_whose_limit_contradicts_one_that_was_set_changes_nothing(tmp_path: Path) -> None:
    in_force = InForce(configured(tmp_path))
    in_force.note(SetParameter("risk.order_size_max_base", "0.08", force=True), ["risk"])
    edited = configured(tmp_path, TWO.replace("position_max_base = 10.0", "position_max_base = 0.06"))
    with pytest.raises(ConfigError, match=r"set meanwhile: risk\.order_size_max_base = 0\.08"):
        in_force.check_reload(edited, ["risk.position_max_base"])
