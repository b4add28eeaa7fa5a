"""A bench that quotes with mass quotes, and what was sent so."""

from __future__ import annotations

from domain.order import Side
from tests.execution_rig import Bench
from tests.model_venue import INSTRUMENT
from trading.orders.config import ExecutionConfig, MassQuoteConfig
from venues.quoting import MassQuote

CONFIG = ExecutionConfig(mode="mass_quotes", mass_quotes=MassQuoteConfig(cooldown_ms=300))
PRODUCT = "FBTCUSD"


def quotes_sent(bench: Bench) -> list[dict[Side, list[tuple[int, int]]]]:
    """Return each mass quote as its sides in ticks and lots."""
    messages: list[MassQuote] = [entry[1] for entry in bench.gateway.sent if entry[0] == "mass_quote"]
    return [
        {s.side: [(INSTRUMENT.price_ticks(p), INSTRUMENT.size_lots(a)) for p, a in s.levels] for s in message.sides}
        for message in messages
    ]


def numbers(bench: Bench) -> dict[tuple[Side, int], str]:
    """Return the venue's number of each order that rests."""
    return {(order.side, order.price_ticks): order.venue_order_id for order in bench.venue.open}
