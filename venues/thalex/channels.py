"""The names of the public channels that a configuration asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from domain.clock import NS_PER_S
from domain.instrument import Instrument
from domain.units import decimal_number
from venues.config import VenueConfig

SYSTEM = "system"
INSTRUMENTS = "instruments"
PRICE_INDEX = "price_index."  # the rest names the index
BASE_PRICE = "base_price."  # the rest names the forward


def book(config: VenueConfig, instrument_name: str) -> str:
    grouping = decimal_number(Decimal(repr(config.book_grouping))) if config.book_grouping else "none"
    depth = str(config.book_levels) if config.book_levels else "all"
    return f"book.{instrument_name}.{grouping}.{depth}.{config.book_delay}"


def ticker(config: VenueConfig, instrument_name: str) -> str:
    return f"{config.ticker_channel}.{instrument_name}.{config.ticker_delay}"


def trades(instrument_name: str) -> str:
    return f"recent_trades.{instrument_name}.single"


def index(underlying: str) -> str:
    return f"{PRICE_INDEX}{underlying}"


def base_price(instrument: Instrument) -> str:
    """Return the channel with the forward price of the instrument's expiry."""
    assert instrument.expiry_ns, f"{instrument.name} does not expire"
    return f"{BASE_PRICE}{forward_name(instrument)}"


def forward_name(instrument: Instrument) -> str:
    """Return our name of that forward price, e.g. BTCUSD.2026-12-25."""
    expiry = datetime.fromtimestamp(instrument.expiry_ns // NS_PER_S, UTC)
    return f"{instrument.underlying}.{expiry:%Y-%m-%d}"
