"""What may be searched: a TOML file with the keys of a configuration and a range in the place of the value.

    [strategy]
    risk_aversion_per_usd = { low = 0.001, high = 0.1, log = true }
    levels = { low = 1, high = 5 }
    model = { choices = ["glft", "avellaneda_stoikov"] }

    [execution]
    amend_threshold_ticks = { low = 1, high = 4 }

Both ends of a range, and every choice, must be values that the configuration itself takes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from backtest.engine.run import Settings
from domain.errors import ConfigError
from domain.validation import explain
from trading.orders.config import ExecutionConfig
from trading.quoting.dotted import nested, overlaid

SECTIONS = ("strategy", "execution")
_RANGE_KEYS = {"low", "high", "log", "step"}
Space = dict[str, BaseDistribution]  # by `strategy.KEY` or `execution.KEY`


def draw(space: Space, trial: Trial) -> dict[str, Any]:
    """Have a trial draw a value for each parameter; returns them by name."""
    values: dict[str, Any] = {}
    for name, drawn in space.items():
        if isinstance(drawn, CategoricalDistribution):
            values[name] = trial.suggest_categorical(name, drawn.choices)
        elif isinstance(drawn, IntDistribution):
            values[name] = trial.suggest_int(name, drawn.low, drawn.high, step=drawn.step, log=drawn.log)
        else:
            assert isinstance(drawn, FloatDistribution)
            values[name] = trial.suggest_float(name, drawn.low, drawn.high, step=drawn.step, log=drawn.log)
    return values


def read_space(path: Path) -> Space:
    """Return what is searched, as the file has it.

    Raises:
        ConfigError: with one line: file, key, value, what was expected.
    """
    tree = _read(path)
    ranges = {name: given for section in tree for name, given in _ranges(tree[section], section).items()}
    if not ranges:
        raise ConfigError(f"{path}: nothing to search: give a key of [strategy] a range {{ low = …, high = … }}")
    return {name: _distribution(f"{path}: {name}", given) for name, given in ranges.items()}


def check_space(path: Path, space: Space, base: Settings) -> None:
    """Refuse a space whose ranges do not fit the configuration that is varied.

    Args:
        path: its file.

    Raises:
        ConfigError: with one line: file, key, value, what was expected.
    """
    for name, drawn in space.items():
        for value in _ends(drawn):
            try:
                with_values(base, {name: value})
            except ConfigError as error:
                raise ConfigError(f"{path}: {name} = {value!r}: {error}") from None


def with_values(base: Settings, values: Mapping[str, Any]) -> Settings:
    """Return the settings with some values of `strategy.…` and `execution.…` changed, checked like a configuration.

    Raises:
        ConfigError: for an unknown name, a value out of range, or one that contradicts another.
    """
    strategy, execution = (_of_section(values, section) for section in SECTIONS)
    tree = overlaid(msgspec.to_builtins(base.execution), nested(execution))
    try:
        changed = msgspec.convert(tree, ExecutionConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"[execution] {explain(str(error), tree, ExecutionConfig)}") from None
    return replace(base, quoting=base.quoting.with_values(strategy), execution=changed)


def _of_section(values: Mapping[str, Any], section: str) -> dict[str, object]:
    begin = f"{section}."
    return {name.removeprefix(begin): value for name, value in values.items() if name.startswith(begin)}


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; docs/backtest.md shows a search space") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    unknown = sorted(set(tree) - set(SECTIONS))
    if unknown:
        raise ConfigError(f"{path}: unknown section or key `{unknown[0]}`; expected [strategy], [execution]")
    return tree


def _ranges(tree: Any, name: str) -> dict[str, dict[str, Any]]:
    """Return the ranges below a section by dotted name; a table that is neither range nor choice is a section."""
    found: dict[str, dict[str, Any]] = {}
    for key, given in tree.items() if isinstance(tree, dict) else ():
        dotted = f"{name}.{key}"
        if isinstance(given, dict) and not ({"low", "high", "choices"} & set(given)):
            found.update(_ranges(given, dotted))
        else:
            found[dotted] = given if isinstance(given, dict) else {"choices": [given]}
    return found


def _distribution(where: str, given: dict[str, Any]) -> BaseDistribution:
    if "choices" in given:
        if set(given) != {"choices"} or not isinstance(given["choices"], list) or not given["choices"]:
            raise ConfigError(f"{where}: expected choices = [value, …] and nothing else")
        return CategoricalDistribution(given["choices"])
    if set(given) - _RANGE_KEYS or not {"low", "high"} <= set(given):
        raise ConfigError(f"{where}: expected low and high, with log = true or step if wanted, got {sorted(given)}")
    is_whole = isinstance(given["low"], int) and isinstance(given["high"], int)
    try:
        return IntDistribution(**given) if is_whole else FloatDistribution(**given)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from None


def _ends(drawn: BaseDistribution) -> list[Any]:
    if isinstance(drawn, CategoricalDistribution):
        return list(drawn.choices)
    assert isinstance(drawn, IntDistribution | FloatDistribution)
    return [drawn.low, drawn.high]
