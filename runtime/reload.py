"""What a configuration file that was edited changes in a running session, and what only the next start takes over.

Which keys are hot is said by the types themselves:

    [strategy]     every key but those that choose the code: Meta(extra={"reload": False})
    [risk]         the limits that can be set while running (trading/risk/limit_changes.py); looser only with force
    [execution]    the keys with Meta(extra={"reload": True})
    all others     none
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from runtime.config import Config
from trading.orders.config import ExecutionConfig
from trading.quoting.config import QuotingConfig
from trading.quoting.dotted import nested, overlaid, parameter_names, value_of
from trading.risk.config import RiskConfig
from trading.risk.limit_changes import LOOSER

_NOT_CHANGES = ("session", "path")
_FREE = ("user.", "signals.parameters.")  # tables of the user's own names


class ConfigChange(NamedTuple):
    """One key whose value in the file is another now. `is_hot` False = it waits for the next start."""

    key: str
    old: Any
    new: Any
    is_hot: bool

    def __str__(self) -> str:
        return f"{self.key}: {_shown(self.old)} → {_shown(self.new)}"


@cache
def hot_keys(kind: type[msgspec.Struct]) -> frozenset[str]:
    """Return the dotted names of a section's keys that a running session takes over."""
    if kind is RiskConfig:
        return frozenset(LOOSER)
    default = kind is QuotingConfig
    return frozenset(name for name in parameter_names(kind) if _marked(kind, name.split("."), default))


def changes(old: Config, new: Config) -> list[ConfigChange]:
    """Return what differs, key by key.

    [strategy] and [strategies.NAME.strategy] show where they end up: with the instruments.
    """
    before, after = (_effective(config) for config in (old, new))
    found = []
    for key in sorted({*before, *after}):
        one, other = before.get(key), after.get(key)
        if one != other:
            found.append(ConfigChange(key, one, other, _is_hot(key, old, new)))
    return found


def taken_over(old: Config, new: Config) -> Config:
    """Return `old` with the hot keys of `new`: what the running session and its restarts go by from now on.

    Raises:
        msgspec.ValidationError: hot keys of the one contradict keys of the other that wait for the next start.
    """
    instruments = {
        name: msgspec.structs.replace(section, strategy=_taken(section.strategy, new.instruments[name].strategy))
        if name in new.instruments
        else section
        for name, section in old.instruments.items()
    }
    strategies = {
        name: msgspec.structs.replace(section, strategy=_taken(section.strategy, new.strategies[name].strategy))
        if name in new.strategies
        else section
        for name, section in old.strategies.items()
    }
    return msgspec.structs.replace(
        old,
        instruments=instruments,
        strategies=strategies,
        strategy=_taken(old.strategy, new.strategy),
        risk=_taken(old.risk, new.risk),
        execution=_taken(old.execution, new.execution),
    )


def _taken(old: Any, new: Any) -> Any:
    """Return a section with the hot keys of `new`, checked like a file."""
    kind: type[msgspec.Struct] = type(old)
    cold = set(parameter_names(kind)) - hot_keys(kind)
    return msgspec.convert(overlaid(_builtins(new), nested({name: _plain(value_of(old, name)) for name in cold})), kind)


def _is_hot(key: str, old: Config, new: Config) -> bool:
    for name in old.instruments:
        prefix = f"instruments.{name}.strategy."
        if key.startswith(prefix):
            own = key[len(prefix) :]
            return name in new.instruments and (own.startswith(_FREE) or own in hot_keys(QuotingConfig))
    section, _, name = key.partition(".")
    if section == "risk":
        return name in hot_keys(RiskConfig)
    return section == "execution" and name in hot_keys(ExecutionConfig)


def _effective(config: Config) -> dict[str, Any]:
    """Return every value by its dotted key, without what has an effect only through the instruments."""
    tree = _builtins(config)
    del tree["strategy"]
    for section in tree["strategies"].values():
        del section["strategy"]
    return {key: value for key, value in _leaves(tree) if key not in _NOT_CHANGES}


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _marked(kind: Any, path: list[str], is_hot: bool) -> bool:
    """Return whether a key is hot: the innermost mark on the way to it counts."""
    hint = _hints(kind)[path[0]]
    if get_origin(hint) is Annotated:
        hint, *metas = get_args(hint)
        for meta in metas:
            is_hot = (getattr(meta, "extra", None) or {}).get("reload", is_hot)
    return _marked(hint, path[1:], is_hot) if len(path) > 1 else is_hot


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _builtins(config: msgspec.Struct) -> dict[str, Any]:
    tree: dict[str, Any] = msgspec.to_builtins(config)
    return tree


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _shown(value: Any) -> str:
    return "absent" if value is None else msgspec.json.encode(value).decode()
