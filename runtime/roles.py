"""Instruments by role: `BTC-FUTURE-1` is the dated future of BTC that expires next, `BTC-FUTURE-2` the one after it.

Dated names change with every expiry, and a configuration should not. A role is replaced once, before anything else
of a session begins, by what the venue lists then; the session keeps that instrument to its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from domain.clock import NS_PER_S
from domain.errors import ConfigError
from domain.instrument import Instrument, InstrumentKind
from messages.commands import AnyCommand, Flatten, SetParameter
from runtime.config import Config

ROLE = re.compile(r"([A-Z0-9]+)-FUTURE-([1-9])")
EXPIRY_NS_MIN = 3600 * NS_PER_S  # a future that expires sooner is not worth a session


def roles_in(config: Config) -> list[str]:
    """Return the names in [instruments] that are roles."""
    return [name for name in config.instruments if ROLE.fullmatch(name)]


def resolve(roles: Iterable[str], listed: Mapping[str, Instrument], now_realtime_ns: int) -> dict[str, str]:
    """Return the instrument that each role is now.

    Raises:
        ConfigError: when the venue lists fewer futures than that.
    """
    found = {}
    for role in roles:
        match = ROLE.fullmatch(role)
        assert match is not None, f"{role} is no role"
        base, rank = match[1], int(match[2])
        futures = sorted(
            (instrument.expiry_ns, name)
            for name, instrument in listed.items()
            if instrument.kind is InstrumentKind.FUTURE
            and instrument.underlying == f"{base}USD"
            and instrument.expiry_ns >= now_realtime_ns + EXPIRY_NS_MIN
        )
        if len(futures) < rank:
            there_are = ", ".join(name for _, name in futures) or "none"
            raise ConfigError(f'instruments."{role}": futures of {base} with an hour or more to go: {there_are}')
        found[role] = futures[rank - 1][1]
    return found


def with_names(config: Config, names: Mapping[str, str]) -> Config:
    """Return the configuration with every role replaced.

    Raises:
        ConfigError: when a role is an instrument that stands in the configuration by its name, too.
    """
    if not names:
        return config
    for role, name in names.items():
        if name in config.instruments:
            raise ConfigError(
                f'{config.path}: instruments."{role}" is {name}, which has a section of its own: remove one of the two'
            )
    return msgspec.structs.replace(
        config,
        instruments={names.get(name, name): section for name, section in config.instruments.items()},
        strategies={
            name: msgspec.structs.replace(process, instruments=[names.get(one, one) for one in process.instruments])
            for name, process in config.strategies.items()
        },
        hedge={
            underlying: msgspec.structs.replace(hedge, instrument=names.get(hedge.instrument, hedge.instrument))
            for underlying, hedge in config.hedge.items()
        },
    )


def with_instrument(command: AnyCommand, names: Mapping[str, str]) -> AnyCommand:
    """Return a command with the role that it names replaced: `BTC-FUTURE-1.levels` means the instrument's."""
    for role, name in names.items():
        if isinstance(command, SetParameter) and command.name.startswith(f"{role}."):
            return msgspec.structs.replace(command, name=name + command.name.removeprefix(role))
        if isinstance(command, Flatten) and command.instrument == role:
            return msgspec.structs.replace(command, instrument=name)
    return command
