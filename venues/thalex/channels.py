"""The names of the public channels that a configuration asks for."""

from __future__ import annotations

from venues.config import VenueConfig

SYSTEM = "system"
INSTRUMENTS = "instruments"


def book(config: VenueConfig, instrument_name: str) -> str:
    depth = str(config.book_levels) if config.book_levels else "all"
    return f"book.{instrument_name}.none.{depth}.{config.book_delay}"


def ticker(config: VenueConfig, instrument_name: str) -> str:
    return f"ticker.{instrument_name}.{config.ticker_delay}"


def trades(instrument_name: str) -> str:
    return f"recent_trades.{instrument_name}.single"


def index(underlying: str) -> str:
    return f"price_index.{underlying}"
