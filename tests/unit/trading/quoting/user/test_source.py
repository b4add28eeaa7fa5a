from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from domain.errors import ConfigError
from trading.quoting.config import QuotingConfig
from trading.quoting.user.source import STRATEGY_FUNCTIONS, Parameter, check_values, read_source, read_sources

WHOLE = """
from trading.quoting.standard import on_fill

parameters = {"half_spread_usd": 5, "shift": (0.2, 0.0, 1.0)}
state: dict[str, float] = {"ema": -1.5}


def on_book(q):
    pass


def on_trade(q, trade):
    pass


def quote(q):
    pass
"""

SHIFT = '"shift": (0.2, 0.0, 1.0)'
STATE = '{"ema": -1.5}'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my_strategy.py"
    path.write_text(text)
    return path


def test_a_file_gives_its_parameters_and_its_state(tmp_path: Path) -> None:
    source = read_source(written(tmp_path, WHOLE), STRATEGY_FUNCTIONS)
    assert source.parameters == {
        "half_spread_usd": Parameter(5.0, -math.inf, math.inf),
        "shift": Parameter(0.2, 0.0, 1.0),
    }
    assert source.state == {"ema": -1.5}
    assert check_values(source, "", "", {}) == {"half_spread_usd": 5.0, "shift": 0.2}
    assert check_values(source, "", "", {"shift": 1}) == {"half_spread_usd": 5.0, "shift": 1.0}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shift": 1.5}, "[strategy.user] shift = 1.5: PATH wants 0 to 1"),
        ({"width": 1.0}, "[strategy.user] width: PATH has no such parameter; it has: half_spread_usd, shift"),
    ],
)
def test_a_configured_value_that_the_file_does_not_want_is_refused(
    tmp_path: Path, given: dict[str, float], message: str
) -> None:
    path = written(tmp_path, WHOLE)
    with pytest.raises(ConfigError) as refused:
        read_sources(QuotingConfig(file=str(path), user=given))
    assert str(refused.value) == message.replace("PATH", str(path))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("def quote(q):", "def quote(q:", r":16: not valid Python: '\(' was never closed"),
        (
            "def quote(q):",
            "def quotes(q):",
            ": no function `quote`; expected on_book(q), on_trade(q, trade), on_fill(q, side, "
            "size_lots, time_ns), quote(q)",
        ),
        ("def on_trade(q, trade):", "def on_trade(q):", ":12: on_trade(q): expected on_trade(q, trade)"),
        ("def quote(q):", "def quote(q, *more):", ":16: quote(q, *more): expected quote(q)"),
        ("def quote(q):", "def quote(q=None):", ":16: quote(q=None): expected quote(q)"),
        ("def quote(q):", "async def quote(q):", ": no function `quote`"),
        (SHIFT, '"shift": (2.0, 0.0, 1.0)', ":4: parameters['shift']: the default 2 is out of its own bounds"),
        (SHIFT, '"shift": (2.0, 0.0)', ":4: parameters['shift']: expected a number or (default, least, largest)"),
        (SHIFT, '"shift": "wide"', ":4: parameters['shift']: expected a number, found 'wide'"),
        (SHIFT, '"shift": True', ":4: parameters['shift']: expected a number, found True"),
        (SHIFT, '"shift": 1e999', ":4: parameters['shift']: expected a number, found 1e309"),
        (SHIFT, '"shift": abs(-1)', ":4: parameters: expected a number written out, found abs(-1)"),
        (SHIFT, '"two words": 1.0', ":4: parameters: expected a name in quotes, found 'two words'"),
        (STATE, "dict(ema=1.0)", ":5: expected state = {'name': number, ...} written out"),
        (STATE, '{"shift": 1.0}', ": shift is both in `parameters` and in `state`: rename one"),
    ],
)
def test_a_fault_is_told_in_one_line_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in WHOLE
    path = written(tmp_path, WHOLE.replace(old, new))
    with pytest.raises(ConfigError) as refused:
        read_source(path, STRATEGY_FUNCTIONS)
    found = str(refused.value)
    expected = str(path) + message
    assert found.startswith(expected) or re.fullmatch(re.escape(str(path)) + message, found), found
    assert "\n" not in found


def test_a_missing_file_and_one_that_is_no_text_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"my_strategy\.py: no such file \(looked for from "):
        read_source(tmp_path / "my_strategy.py", STRATEGY_FUNCTIONS)
    with pytest.raises(ConfigError, match="expected a Python file, could not read it"):
        read_source(tmp_path, STRATEGY_FUNCTIONS)
    path = tmp_path / "binary.py"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="expected a Python file, could not read it"):
        read_source(path, STRATEGY_FUNCTIONS)
