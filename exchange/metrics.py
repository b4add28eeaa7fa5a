"""What the exchange counts, as one JSON object: for `admin/stats` and for a file that is replaced each second."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from exchange.core.book import Change
from exchange.core.events import Event
from exchange.core.instrument import Instrument

if TYPE_CHECKING:
    from exchange.gateways.thalex.session import Context

_encoder = msgspec.json.Encoder(decimal_format="number")


def collect(context: Context) -> dict[str, Any]:
    """Return counters since the start, and what is open now."""
    engine = context.engine
    accounts = engine.accounts.values()
    return {
        "time_ns": engine.scheduler.realtime_ns(),
        "sessions": len(context.sessions),
        "requests": context.requests_total,
        "errors": context.errors_by_code,
        "frames_sent": context.frames_sent_total,
        "open_orders": sum(len(account.open_orders) for account in accounts),
        "trades": sum(account.trades_total for account in accounts),
        "equity": {account.number: engine.equity(account) for account in accounts},
        "faults": context.faults.counters.done,
        "instruments": len(engine.markets),
    }


class MetricsFile:
    """A listener that writes the metrics each second, whole or not at all."""

    def __init__(self, path: Path, context: Context) -> None:
        self._path = path
        self._context = context
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}")

    def on_events(self, events: list[Event]) -> None:
        """Only counted."""

    def on_book(self, instrument: Instrument, changes: list[Change]) -> None:
        """Only counted."""

    def on_second(self) -> None:
        self.write()

    def write(self) -> None:
        """Replace the file.

        Raises:
            OSError: when it can't be written.
        """
        self._temporary.write_bytes(_encoder.encode(collect(self._context)) + b"\n")
        self._temporary.replace(self._path)
