"""Reads a user's file without running it: is it Python, has it the functions, what are its parameters?

    parameters = {"half_spread_usd": 5.0, "shift": (0.2, 0.0, 1.0)}   # name: default, or (default, least, largest)
    state = {"ema": 0.0}                                              # what it remembers, and where that begins

Every fault is one line: file and line, what was found, what was expected. The supervisor runs this before anything
starts, so it imports neither numba nor the file.
"""

from __future__ import annotations

import ast
import hashlib
import keyword
import math
from pathlib import Path
from typing import NamedTuple

from domain.errors import ConfigError
from trading.quoting.config import QuotingConfig

FIELDS_MAX = 64

STRATEGY_FUNCTIONS: dict[str, tuple[str, ...]] = {
    "on_book": ("q",),
    "on_trade": ("q", "trade"),
    "on_fill": ("q", "side", "size_lots", "time_ns"),
    "quote": ("q",),
}
SIGNAL_FUNCTIONS: dict[str, tuple[str, ...]] = {"signal": ("q",)}


class Parameter(NamedTuple):
    """A number that the configuration may change, within its bounds."""

    default: float
    least: float = -math.inf
    largest: float = math.inf


class UserSource(NamedTuple):
    """A file that has passed the check.

    Attributes:
        parameters, state: by name, in the file's order.
        digest: of the text.
    """

    path: Path
    text: str
    parameters: dict[str, Parameter]
    state: dict[str, float]
    digest: str


def read_sources(config: QuotingConfig) -> tuple[UserSource | None, UserSource | None]:
    """Return the files of strategy and signal that a configuration names, checked with the values it gives them.

    Raises:
        ConfigError: in one line: where, what, what was expected.
    """
    strategy = read_source(Path(config.file), STRATEGY_FUNCTIONS) if config.file else None
    signal = read_source(Path(config.signals.user), SIGNAL_FUNCTIONS) if config.signals.user else None
    check_values(strategy, "[strategy.user]", "[strategy] file", config.user)
    check_values(signal, "[strategy.signals.parameters]", "[strategy.signals] user", config.signals.parameters)
    return strategy, signal


def check_values(source: UserSource | None, table: str, key: str, given: dict[str, float]) -> dict[str, float]:
    """Return every parameter's value: as given, else its default.

    Raises:
        ConfigError: for a name that the file does not have, a value out of its bounds, or values without a file.
    """
    if source is None:
        if given:
            raise ConfigError(f"{table} has {', '.join(given)}, but {key} names no file to take them")
        return {}
    for name, value in given.items():
        parameter = source.parameters.get(name)
        if parameter is None:
            known = ", ".join(source.parameters) or "none"
            raise ConfigError(f"{table} {name}: {source.path} has no such parameter; it has: {known}")
        if not parameter.least <= value <= parameter.largest:
            raise ConfigError(
                f"{table} {name} = {value:g}: {source.path} wants {parameter.least:g} to {parameter.largest:g}"
            )
    return {name: float(given.get(name, parameter.default)) for name, parameter in source.parameters.items()}


def read_source(path: Path, functions: dict[str, tuple[str, ...]]) -> UserSource:
    """Return the checked file.

    Args:
        functions: what it must define: name → arguments.

    Raises:
        ConfigError: in one line: where, what, what was expected.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file (looked for from {Path.cwd()}); see docs/extending.md") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a Python file, could not read it: {error}") from None
    try:
        tree = ast.parse(text, str(path))
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{path}:{getattr(error, 'lineno', None) or 1}: not valid Python: {_reason(error)}") from None
    _check_functions(path, tree, functions)
    parameters = {
        name: _parameter(path, node, name, value) for name, (node, value) in _table(path, tree, "parameters").items()
    }
    state = {
        name: _number(path, node, f"state[{name!r}]", value)
        for name, (node, value) in _table(path, tree, "state").items()
    }
    doubled = parameters.keys() & state.keys()
    if doubled:
        raise ConfigError(f"{path}: {', '.join(sorted(doubled))} is both in `parameters` and in `state`: rename one")
    if len(parameters) + len(state) > FIELDS_MAX:
        raise ConfigError(f"{path}: {len(parameters) + len(state)} parameters and states, at most {FIELDS_MAX}")
    return UserSource(path, text, parameters, state, hashlib.sha256(text.encode()).hexdigest())


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


def _check_functions(path: Path, tree: ast.Module, functions: dict[str, tuple[str, ...]]) -> None:
    wanted = ", ".join(f"{name}({', '.join(arguments)})" for name, arguments in functions.items())
    found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    imported = {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    for name, arguments in functions.items():
        if name in imported:
            continue  # taken over from elsewhere, such as the standard strategy's
        node = found.get(name)
        if node is None:
            raise ConfigError(f"{path}: no function `{name}`; expected {wanted}")
        given = node.args
        names = [argument.arg for argument in (*given.posonlyargs, *given.args)]
        if len(names) != len(arguments) or given.vararg or given.kwarg or given.kwonlyargs or given.defaults:
            raise ConfigError(
                f"{path}:{node.lineno}: {name}({ast.unparse(given)}): expected {name}({', '.join(arguments)})"
            )


def _table(path: Path, tree: ast.Module, name: str) -> dict[str, tuple[ast.expr, object]]:
    """Return the literal table that is assigned to `name`: key → (where it stands, value)."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if not any(isinstance(target, ast.Name) and target.id == name for target in targets):
            continue
        if not isinstance(node.value, ast.Dict):
            raise ConfigError(f"{path}:{node.lineno}: expected {name} = {{'name': number, ...}} written out")
        items = zip(node.value.keys, node.value.values, strict=True)
        return {_name(path, key, name): (item, _literal(path, item, name)) for key, item in items}
    return {}


def _literal(path: Path, node: ast.expr, table: str) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ConfigError(
            f"{path}:{node.lineno}: {table}: expected a number written out, found {ast.unparse(node)}"
        ) from None


def _name(path: Path, node: ast.expr | None, table: str) -> str:
    value = node.value if isinstance(node, ast.Constant) else None
    if not (isinstance(value, str) and value.isidentifier() and not keyword.iskeyword(value)):
        where = f"{path}:{node.lineno}" if node is not None else f"{path}"
        raise ConfigError(f"{where}: {table}: expected a name in quotes, found {ast.unparse(node) if node else '**'}")
    return value


def _parameter(path: Path, node: ast.expr, name: str, value: object) -> Parameter:
    what = f"parameters[{name!r}]"
    if not isinstance(value, tuple):
        return Parameter(_number(path, node, what, value))
    if len(value) != 3:
        raise ConfigError(f"{path}:{node.lineno}: {what}: expected a number or (default, least, largest)")
    parameter = Parameter(*(_number(path, node, what, part) for part in value))
    if not parameter.least <= parameter.default <= parameter.largest:
        raise ConfigError(f"{path}:{node.lineno}: {what}: the default {parameter.default:g} is out of its own bounds")
    return parameter


def _number(path: Path, node: ast.expr, what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError(f"{path}:{node.lineno}: {what}: expected a number, found {ast.unparse(node)}")
    return float(value)
