"""What a configuration cannot mean although each of its keys is right by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import ConfigError
from trading.quoting.user.source import read_sources

if TYPE_CHECKING:
    from runtime.config import Config

PINGS_TO_SILENCE = 1.5  # an answer may be late by half an interval


def check_config(path: Path, config: Config) -> None:
    """Check one section of a file against another, and the files of the user's own that it names.

    Raises:
        ConfigError: with one line: file, keys, values, what to do.
    """
    try:
        _check_strategies(config)
        _check_user_files(config)
        check_values(config)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def check_values(config: Config) -> None:
    """Check what may change while a session runs, too: values of one section against those of another.

    Raises:
        ConfigError: with one line: keys, values, what to do.
    """
    _check_sizes(config)
    _check_hedges(config)
    _check_silence(config)
    _check_waiting(config)


def _check_strategies(config: Config) -> None:
    """Refuse instruments that no strategy has, that two have, or that there are not."""
    owner: dict[str, str] = {}
    for name, process in config.strategies.items():
        for instrument in process.instruments:
            if instrument not in config.instruments:
                there_are = ", ".join(config.instruments)
                missing = f'no section [instruments."{instrument}"]'
                raise ConfigError(f"strategies.{name}.instruments: {missing}; there are: {there_are}")
            if instrument in owner:
                both = f"strategies.{owner[instrument]} and in strategies.{name}"
                raise ConfigError(f"{instrument} is in {both}: take it out of one")
            owner[instrument] = name
    for instrument, section in config.instruments.items():
        if config.strategies and section.quote and instrument not in owner:
            there_are = ", ".join(f"strategies.{name}" for name in config.strategies)
            raise ConfigError(f"no strategy quotes {instrument}: add it to one of {there_are}, or set quote = false")


def _check_hedges(config: Config) -> None:
    """Refuse hedges with what nobody has, or with sizes that the gate would deny every time."""
    hedged_by: dict[str, str] = {}
    for underlying, hedge in config.hedge.items():
        section = f"hedge.{underlying}"
        if hedge.instrument in hedged_by:
            raise ConfigError(
                f"{section}.instrument = {hedge.instrument!r} hedges {hedged_by[hedge.instrument]} already: each would "
                "undo what the other does; take another instrument"
            )
        hedged_by[hedge.instrument] = underlying
        if hedge.instrument not in config.instruments:
            there_are = ", ".join(config.instruments)
            raise ConfigError(
                f"{section}.instrument = {hedge.instrument!r}: no such section in [instruments]: {there_are}"
            )
        if config.topology.strategy_of(hedge.instrument) is None:
            there_are = ", ".join(f"strategies.{name}" for name in config.strategies)
            raise ConfigError(
                f"{section}: no strategy has {hedge.instrument}, so none would hedge with it: add it to one of "
                f"{there_are}; with quote = false it is not quoted"
            )
        if hedge.order_size_max_base > config.risk.order_size_max_base:
            raise ConfigError(
                f"{section}.order_size_max_base = {hedge.order_size_max_base:g}, but risk.order_size_max_base = "
                f"{config.risk.order_size_max_base:g} denies it: lower the one or raise the other"
            )


def _check_silence(config: Config) -> None:
    """Refuse to call silence what is the pause between two pings: a quiet account would be halted again and again."""
    silent_ms, ping_ms = config.risk.venue_silent_ms, config.venue.ping_interval_ms
    if silent_ms < PINGS_TO_SILENCE * ping_ms:
        raise ConfigError(
            f"risk.venue_silent_ms = {silent_ms} ms, but a connection without news is heard every "
            f"venue.ping_interval_ms = {ping_ms} ms: {PINGS_TO_SILENCE:g} times that at least, or ping more often"
        )


def _check_user_files(config: Config) -> None:
    """Refuse strategies and signals of the user's own that cannot be read, before anything is started."""
    for instrument in config.instruments.values():
        read_sources(instrument.strategy)


def _check_sizes(config: Config) -> None:
    """Refuse order sizes that the gate would deny every time."""
    size_max = config.risk.order_size_max_base
    for name, instrument in config.instruments.items():
        strategy = instrument.strategy
        largest = strategy.order_size_base * max(1.0, strategy.level_size_factor ** (strategy.levels - 1))
        if instrument.quote and largest > size_max:
            raise ConfigError(
                f"{name}: the largest level is {largest:g} (strategy.order_size_base and level_size_factor), "
                f"but risk.order_size_max_base = {size_max:g} denies it: lower the one or raise the other"
            )


def _check_waiting(config: Config) -> None:
    """Refuse real-time processes that never sleep: they would keep their cores from everything, the supervisor too."""
    runtime = config.runtime
    if runtime.realtime_priority and runtime.wait == "spin":
        raise ConfigError(
            f"runtime.realtime_priority = {runtime.realtime_priority} with runtime.wait = 'spin': nothing else "
            "would run on those cores; take wait = 'auto' or 'block', or realtime_priority = 0"
        )
