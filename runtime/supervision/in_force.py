"""The configuration as it holds now: the file's, with what operators set since laid over it.

An actor checks by itself what it is told to set; only here one section is checked against another, as at a start.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from domain.errors import ConfigError, UserError
from messages.commands import SetParameter
from runtime.config import Config
from runtime.config_checks import check_values
from runtime.supervision.relay import Leg, legs_of
from runtime.topology import Topology
from trading.quoting.set_values import parse_value, split_name
from trading.risk.limit_changes import changed_limits

RISK = "risk"


class SetKey(NamedTuple):
    """A value that was set: of which instrument, or `risk`, and its name there."""

    owner: str
    name: str

    @property
    def in_file(self) -> str:
        """The key that a configuration has for it."""
        return f"{RISK}.{self.name}" if self.owner == RISK else f"instruments.{self.owner}.strategy.{self.name}"


class InForce:
    """What holds now. The actors have the last word: `note` is called once they have taken a value."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._set: dict[SetKey, str] = {}  # in the order in which they were set

    def check(self, command: SetParameter) -> None:
        """Refuse a value that no configuration could have beside all that holds now; a limit may be forced.

        A name that nobody knows, or a value out of its range, passes: the actor says what there is.

        Raises:
            ConfigError: with the line that a start prints.
        """
        try:
            meant = _meant(command, self._config)
            changed = _laid_over(self._config, {**self._set, **meant})
        except UserError:
            return
        fault = self._new_fault(changed)
        is_limit = any(key.owner == RISK for key in meant)
        if fault and not (is_limit and command.force):
            raise ConfigError(f"{fault}, or set the limit with --force" if is_limit else fault)

    def note(self, command: SetParameter, owners: Collection[str]) -> None:
        """Keep what was set for `owners`: instruments, or `risk`; nothing of a command that all have refused.

        A name may be known to some of those that were asked, and to others not.
        """
        topology = self._config.topology
        for leg in legs_of(command, topology, self._config.execution) if owners else ():
            with contextlib.suppress(UserError):
                for key, value in _meant_by(leg, topology).items():
                    if key.owner in owners:
                        self._set.pop(key, None)  # what is set later counts later
                        self._set[key] = value

    def check_reload(self, config: Config, changed: Iterable[str]) -> None:
        """Refuse another configuration that contradicts itself, or what was set and stays.

        Args:
            changed: keys of which the file says something new: what was set there ends.

        Raises:
            ConfigError: with the line that a start prints.
        """
        kept = self._kept(changed)
        try:
            fault = self._new_fault(_laid_over(config, kept))
        except ConfigError as error:  # within one section
            fault = str(error)
        if fault:
            meanwhile = ", ".join(f"{key.in_file} = {value}" for key, value in kept.items())
            raise ConfigError(f"{fault}; set meanwhile: {meanwhile}" if kept else fault)

    def reload(self, config: Config, changed: Iterable[str]) -> None:
        """Go by another configuration from now on."""
        self._config, self._set = config, self._kept(changed)

    def _new_fault(self, changed: Config) -> str:
        """Return what is wrong with it; empty for what an operator has forced before."""
        fault = _fault_of(changed)
        return "" if fault == _fault_of(_laid_over(self._config, self._set)) else fault

    def _kept(self, changed: Iterable[str]) -> dict[SetKey, str]:
        ended = set(changed)
        return {key: value for key, value in self._set.items() if key.in_file not in ended}


def _meant(command: SetParameter, config: Config) -> dict[SetKey, str]:
    """Return what a command sets; UserError when it names nobody."""
    topology = config.topology
    found: dict[SetKey, str] = {}
    for leg in legs_of(command, topology, config.execution):
        found |= _meant_by(leg, topology)
    return found


def _meant_by(leg: Leg, topology: Topology) -> dict[SetKey, str]:
    """Return what one actor is to set; UserError when it has nothing of that name."""
    command = leg.command
    assert isinstance(command, SetParameter)
    if leg.actor == RISK:
        return {SetKey(RISK, command.name): command.value}
    instruments, name = split_name(command.name, tuple(topology.strategies[leg.actor]))
    return {SetKey(instrument, name): command.value for instrument in instruments}


def _fault_of(config: Config) -> str:
    try:
        check_values(config)
    except ConfigError as error:
        return str(error)
    return ""


def _laid_over(config: Config, values: Mapping[SetKey, str]) -> Config:
    """Return the configuration with all values in it at once: one by one they may contradict what is still to come.

    Raises:
        ConfigError: values of one section contradict each other, or there is no such name.
    """
    sections: dict[str, dict[str, str]] = {}
    for (owner, name), text in values.items():
        sections.setdefault(owner, {})[name] = text
    try:
        limits = sections.pop(RISK, {})
        risk = changed_limits(config.risk, limits) if limits else config.risk
        instruments = dict(config.instruments)
        for owner, told in sections.items():
            strategy = instruments[owner].strategy.with_values({name: parse_value(text) for name, text in told.items()})
            instruments[owner] = msgspec.structs.replace(instruments[owner], strategy=strategy)
    except (ValueError, AttributeError) as error:
        raise ConfigError(str(error)) from None
    return msgspec.structs.replace(config, risk=risk, instruments=instruments)
