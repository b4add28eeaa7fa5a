"""A user's files as a configuration names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ConfigError, ExitCode
from runtime.config import Config, load_config
from trading.quoting.config import QuotingConfig
from trading.quoting.set_values import SetValues, split_name
from trading.quoting.user.code import load_code

FILE = """
from trading.quoting.standard import on_book, on_fill, on_trade, quote

parameters = {"lean": (1.0, 0.0, 2.0)}
"""


@pytest.fixture
def strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGMAKER_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "my_strategy.py"
    path.write_text(FILE)
    return path


def loaded(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return load_config(path)


@pytest.mark.parametrize(
    "text",
    [
        'strategy = "my_strategy.py"\n[instruments."BTC-PERPETUAL"]\n',
        '[strategy]\nfile = "my_strategy.py"\n[instruments."BTC-PERPETUAL"]\n',
        '[instruments."BTC-PERPETUAL"]\nstrategy = "my_strategy.py"\n',
        '[instruments."BTC-PERPETUAL".strategy]\nfile = "my_strategy.py"\n',
    ],
)
def test_a_strategy_file_is_named_for_all_or_for_one_instrument(tmp_path: Path, strategy: Path, text: str) -> None:
    config = loaded(tmp_path, text)
    assert config.instruments["BTC-PERPETUAL"].strategy.file == "my_strategy.py"


def test_parameters_of_one_s_own_are_merged_like_all_others(tmp_path: Path, strategy: Path) -> None:
    config = loaded(
        tmp_path,
        '[strategy]\nfile = "my_strategy.py"\n[strategy.user]\nlean = 0.5\n'
        '[instruments."BTC-PERPETUAL"]\n[instruments."ETH-PERPETUAL".strategy.user]\nlean = 1.5\n',
    )
    assert [config.instruments[name].strategy.user for name in config.instruments] == [{"lean": 0.5}, {"lean": 1.5}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('strategy = "nowhere.py"\n', "mine.toml: nowhere.py: no such file (looked for from "),
        ('strategy = "broken.py"\n', "mine.toml: broken.py:1: not valid Python: "),
        ('strategy = "empty.py"\n', "mine.toml: empty.py: no function `on_book`; expected on_book(q), "),
        ('[strategy]\nfile = "my_strategy.py"\nuser.learn = 1.0\n', "has no such parameter; it has: lean"),
        ('[strategy]\nfile = "my_strategy.py"\nuser.lean = 3.0\n', "lean = 3: my_strategy.py wants 0 to 2"),
        ('[strategy]\nfile = "my_strategy.py"\nuser.lean = "a"\n', "strategy.user.lean = 'a': expected a number, "),
        ("[strategy.user]\nlean = 1.0\n", "[strategy.user] has lean, but [strategy] file names no file to take them"),
        ('[strategy.signals]\nuser = "empty.py"\n', "empty.py: no function `signal`; expected signal(q)"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_told_before_anything_starts(
    tmp_path: Path, strategy: Path, text: str, message: str
) -> None:
    (tmp_path / "broken.py").write_text("def quote(:\n")
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, f'{text}[instruments."BTC-PERPETUAL"]\n')
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == ExitCode.USAGE


def test_a_parameter_of_one_s_own_is_set_while_running(tmp_path: Path, strategy: Path) -> None:
    # Given a session that runs a user's strategy
    config = QuotingConfig(file="my_strategy.py", user={"lean": 0.5})
    code = load_code(config)
    values = SetValues(tmp_path / "set.json", {"BTC": config}, lambda _, new: code.check(new))
    assert (
        split_name("BTC.user.lean", ("BTC",)) == split_name("strategy.user.lean", ("BTC",)) == (("BTC",), "user.lean")
    )
    # If a parameter is set, I expect it in force, and again after a restart
    (change,) = values.change(("BTC",), "user.lean", 1.5)
    assert (change.old, change.new) == (0.5, 1.5)
    assert values.in_force["BTC"].user == {"lean": 1.5}
    again = SetValues(tmp_path / "set.json", {"BTC": config}, lambda _, new: code.check(new))
    again.load()
    assert again.in_force["BTC"].user == {"lean": 1.5}
    # If it is out of its bounds, unknown, or the file itself, I expect a refusal
    for name, value, message in (
        ("user.lean", 2.5, "lean = 2.5: my_strategy.py wants 0 to 2"),
        ("user.learn", 1.0, "no such parameter"),
        ("file", "", "next start"),
        ("signals.user", "my_signal.py", "next start"),
    ):
        with pytest.raises(ConfigError, match=message):
            values.change(("BTC",), name, value)
    assert values.in_force["BTC"].user == {"lean": 1.5}
