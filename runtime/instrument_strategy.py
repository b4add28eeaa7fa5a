"""The strategy that a configuration has for an instrument: what a session quotes it with, and a backtest plays.

A session has asked the venue what its roles are (roles.py). A recording has nobody to ask: its dated futures of one
underlying, by expiry, are the configuration's roles of that underlying, by rank.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from runtime.config import Config
from runtime.roles import ROLE, roles_in
from trading.quoting.config import QuotingConfig

_DATED = (
    (re.compile(r"([A-Z0-9]+)-(\d{1,2}[A-Z]{3}\d{2})"), "%d%b%y"),  # BTC-27NOV26
    (re.compile(r"([A-Z0-9]+?)USDT?_(\d{6})"), "%y%m%d"),  # BTCUSDT_261127
)


class InstrumentStrategy(NamedTuple):
    """What an instrument is played with.

    Attributes:
        quoting: its strategy, preset and overrides in it.
        note: where that is from, one line, where the configuration does not name the instrument; else empty.
    """

    quoting: QuotingConfig
    note: str = ""


class _Future(NamedTuple):
    underlying: str
    expiry: datetime
    name: str


def strategy_for(config: Config, instrument: str, beside: Sequence[str] = ()) -> InstrumentStrategy:
    """Return the strategy of an instrument: that of its name, else of the role that it has, else bare [strategy].

    Args:
        beside: instruments that are played together with it: which future expires first is seen among them all.
    """
    named = {name.upper(): section.strategy for name, section in config.instruments.items()}
    if instrument.upper() in named:
        return InstrumentStrategy(named[instrument.upper()])
    if role := _role_of(config, instrument, beside):
        note = f'{instrument}: played with the strategy of [instruments."{role}"]'
        return InstrumentStrategy(config.instruments[role].strategy, note)
    note = (
        f"{instrument}: not in {config.path}, which has {', '.join(config.instruments)}: played with [strategy] alone; "
        f'a section [instruments."{instrument}"] gives it its own'
    )
    return InstrumentStrategy(config.strategy, note)


def _role_of(config: Config, instrument: str, beside: Sequence[str]) -> str:
    """Return the role that a dated future has among those that are played; empty = none."""
    future = _future(instrument)
    if future is None:
        return ""
    named = {name.upper() for name in config.instruments}
    futures = {_future(name) for name in (instrument, *beside) if name.upper() not in named}
    rivals = sorted(one for one in futures if one and one.underlying == future.underlying)
    roles = sorted(role for role in roles_in(config) if _underlying(role) == future.underlying)
    return dict(zip(rivals, roles, strict=False)).get(future, "")


def _underlying(role: str) -> str:
    match = ROLE.fullmatch(role)
    assert match is not None, f"{role} is no role"
    return match[1]


def _future(name: str) -> _Future | None:
    for pattern, date in _DATED:
        if match := pattern.fullmatch(name.upper()):
            try:
                return _Future(match[1], datetime.strptime(match[2], date).replace(tzinfo=UTC), name.upper())
            except ValueError:  # no date after all
                return None
    return None
