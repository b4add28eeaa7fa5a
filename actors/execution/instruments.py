"""Which of the venue's instruments execution works with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from domain.errors import ConfigError
from domain.instrument import Instrument, InstrumentKind
from runtime.config import InstrumentConfig


def chosen_instruments(
    configured: Mapping[str, InstrumentConfig],
    listed: Mapping[str, Instrument],
    known: Mapping[str, Instrument] = MappingProxyType({}),
) -> dict[str, Instrument]:
    """Return the configured instruments as the venue lists them.

    Args:
        known: as the session began with them: one that is no longer listed has expired, and is no mistake.

    Raises:
        ConfigError: for one that the venue does not trade, or that we cannot quote.
    """
    chosen = {}
    for name, config in configured.items():
        instrument = listed.get(name) or known.get(name)
        if instrument is None:
            examples = ", ".join(sorted(listed)[:10])
            raise ConfigError(f'instruments."{name}": the venue does not trade it; it trades e.g. {examples}')
        if config.quote and instrument.kind is InstrumentKind.ROLL:
            raise ConfigError(
                f'instruments."{name}": a roll cannot be quoted: its fills are trades in two other instruments, which '
                "the ledger does not take apart, and its prices may be negative; set quote = false"
            )
        chosen[name] = instrument
    return chosen
