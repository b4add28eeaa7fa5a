"""Which price a bot looks at."""

from __future__ import annotations

from decimal import Decimal

from exchange.core.market import Market


def signal_price(market: Market, signal: str) -> Decimal | None:
    """Return the index, the mark or the last traded price; None when nothing has traded yet."""
    if signal == "index":
        return market.mark.index_price
    if signal == "mark":
        return market.mark.mark_price
    last_ticks = market.statistics.last_ticks
    return None if last_ticks is None else market.instrument.grid.price(last_ticks)
