"""Parameters set while running, kept on disk so that a restart of strategy does not silently undo them.

They belong to the run: the next one starts from its configuration (docs/decisions/0004).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from domain.errors import ConfigError
from trading.quoting.config import QuotingConfig
from trading.quoting.dotted import tables, value_of
from trading.quoting.presets import PRESETS

_TABLES = tables(QuotingConfig)


class SetValue(msgspec.Struct, frozen=True):
    """One parameter set by an operator: its value, and what the configuration said at that time."""

    instrument: str
    name: str
    value: Any
    configured: Any


class Change(msgspec.Struct, frozen=True):
    """One parameter of one instrument, before and after."""

    instrument: str
    name: str
    old: Any
    new: Any


class Reconfigured(NamedTuple):
    """What another configuration makes of the parameters: configured, in force, and what stays set."""

    configured: dict[str, QuotingConfig]
    in_force: dict[str, QuotingConfig]
    kept: dict[tuple[str, str], SetValue]


def parse_value(text: str) -> Any:
    """Return a command's text as a value: JSON (`0.5`, `true`, `null`, `"mid"`), or else the bare text."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def split_name(name: str, instruments: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Return (instruments meant, parameter) of `levels`, `shaping.ladder`, `strategy.levels` or
    `BTC-PERPETUAL.shaping.ladder`.

    Raises:
        ConfigError: if the name begins with neither an instrument of this session nor a table of parameters.
    """
    for instrument in instruments:
        if name.startswith(f"{instrument}."):
            return (instrument,), name[len(instrument) + 1 :]
    parameter = name.removeprefix("strategy.")
    owner, dot, _ = parameter.partition(".")
    if dot and owner not in _TABLES:
        there_are = ", ".join((*instruments, *_TABLES, "strategy", "risk"))
        raise ConfigError(
            f"{name}: no instrument or table {parameter.rpartition('.')[0]} here; there are: {there_are}. "
            "Other keys are changed in the session's file, and taken over by `set --reload`"
        )
    return instruments, parameter


def _as_kept(value: Any) -> Any:
    """Return a value as it comes back from the file: there a tuple is a list."""
    return msgspec.json.decode(msgspec.json.encode(value))


class SetValues:
    """The parameters in force for each instrument: configured, with what was set at run time laid over them."""

    def __init__(
        self, path: Path, configured: dict[str, QuotingConfig], check: Callable[[str, QuotingConfig], None]
    ) -> None:
        """Take the file to keep values in, what is configured, and what refuses a configuration by a ConfigError."""
        self._path = path
        self._check = check
        self._configured = configured
        self._set: dict[tuple[str, str], SetValue] = {}
        self.in_force = dict(configured)

    def load(self) -> list[SetValue]:
        """Lay the kept values over the configured ones and return those that still hold.

        A value whose configured counterpart has changed since, or that no longer fits, is dropped.
        """
        for kept in self._read():
            configured = self._configured.get(kept.instrument)
            if configured is None:
                continue
            try:
                if _as_kept(value_of(configured, kept.name)) != kept.configured:
                    continue
                config = self.in_force[kept.instrument].with_values({kept.name: kept.value})
                self._check(kept.instrument, config)
            except (AttributeError, ConfigError):
                continue
            self.in_force[kept.instrument] = config
            self._set[kept.instrument, kept.name] = kept
        return list(self._set.values())

    def change(self, instruments: tuple[str, ...], name: str, value: Any) -> list[Change]:
        """Set a parameter for `instruments`, all or none, and keep it on disk.

        Raises:
            ConfigError: for an unknown name or a value out of range; nothing has changed then.
            OSError: the disk refuses to keep it; nothing has changed then either.
        """
        new = {instrument: self.in_force[instrument].with_values({name: value}) for instrument in instruments}
        for instrument, config in new.items():
            self._check(instrument, config)
        changes = [
            Change(instrument, name, value_of(self.in_force[instrument], name), value_of(config, name))
            for instrument, config in new.items()
        ]
        now_set = dict(self._set)
        ended = {name, *(PRESETS[value] if name == "preset" else ())}  # what is set later counts later after a restart
        for change in changes:
            for earlier in ended:
                now_set.pop((change.instrument, earlier), None)
            configured = value_of(self._configured[change.instrument], name)
            now_set[change.instrument, name] = SetValue(change.instrument, name, change.new, configured)
        self._write(now_set)  # first: who is told no must not find it in force with the next value
        self.in_force.update(new)
        self._set = now_set
        return changes

    def reconfigured(self, configured: dict[str, QuotingConfig]) -> Reconfigured:
        """Return what would be in force over another configuration; nothing changes.

        A value that was set stays, unless the configuration says something else on it now.

        Raises:
            ConfigError: the configuration does not fit the code, or what was set does not fit it.
        """
        in_force = dict(configured)
        kept: dict[tuple[str, str], SetValue] = {}
        for key, value in self._set.items():
            if _as_kept(value_of(configured[value.instrument], value.name)) == _as_kept(value.configured):
                in_force[value.instrument] = in_force[value.instrument].with_values({value.name: value.value})
                kept[key] = value
        for instrument, config in in_force.items():
            self._check(instrument, config)
        return Reconfigured(dict(configured), in_force, kept)

    def reconfigure(self, found: Reconfigured) -> list[str]:
        """Go by it from now on; return the instruments whose parameters are others now. `save` keeps it.

        What is on disk until then does no harm: a restart drops the values whose configured counterpart has changed.
        """
        changed = [name for name, config in found.in_force.items() if config != self.in_force[name]]
        self._configured, self.in_force, self._set = found.configured, found.in_force, found.kept
        return changed

    def save(self) -> None:
        """Keep on disk what is set now. OSError when the disk refuses."""
        self._write(self._set)

    def _read(self) -> list[SetValue]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[SetValue])
        except FileNotFoundError:
            return []
        except msgspec.DecodeError as error:
            raise ConfigError(f"{self._path}: unreadable ({error}): delete it to use the configured values") from error

    def _write(self, values: dict[tuple[str, str], SetValue]) -> None:
        """Replace the file in one step; no fsync on a work loop."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(list(values.values())))
        fresh.replace(self._path)
