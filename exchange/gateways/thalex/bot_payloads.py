"""Bots as the protocol's objects."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

from exchange.core.bots.bot import Bot
from exchange.core.units import plain
from exchange.gateways.thalex.payloads import seconds

TOLD_APART = frozenset({"instrument_name", "label", "end_time"})


def bot_object(bot: Bot) -> dict[str, Any]:
    """Return a Bot: its state, what it was told, and what it has brought."""
    terms = bot.terms
    found: dict[str, Any] = {"strategy": terms.strategy, "status": "active" if bot.is_active else "stopped"}
    if bot.stop_reason is not None:
        found["stop_reason"] = bot.stop_reason.value
    found["bot_id"] = bot.bot_id
    found["instrument_name"] = terms.instrument_name
    for each in fields(terms):
        value = getattr(terms, each.name)
        if each.name not in TOLD_APART and value is not None:
            found[each.name] = _shown(value)
    found["start_time"] = seconds(bot.start_time_ns)
    if terms.end_time is not None:
        found["end_time"] = plain(terms.end_time)
    found["realized_pnl"] = plain(bot.realised_pnl)
    found["fee"] = plain(bot.fee)
    if terms.label is not None:
        found["label"] = terms.label
    return found


def _shown(value: Any) -> Any:
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return plain(value) if isinstance(value, Decimal) else value
