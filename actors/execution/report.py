"""The report of a session: what was sent, filled, paid and earned, in exact decimals as text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from actors.execution.desk import Desk
from domain.reports import PositionReport
from domain.units import decimal_number
from trading.ledger import Ledger
from trading.ledger_line import LedgerLine, Pnl

_ORDER_COUNTS = ("inserted", "amended", "cancelled", "rejected", "denied")
_NO_PNL = Pnl(*(Decimal(0),) * 5)


def build_report(
    ledger: Ledger,
    desks: Mapping[str, Desk],
    venue_positions: Mapping[str, PositionReport],
    marks: Mapping[str, Decimal],
    counts: Mapping[str, int],
    open_orders: int | None,
    is_consistent: bool,
) -> dict[str, Any]:
    """Return the report.

    Args:
        venue_positions: as the venue told them last, with the unrealised funding that counts.
        marks: mark price of each instrument, quote currency.
        counts: the actor's counters; they outlive its restarts, as the ledger does.
        open_orders: ours, as the venue shows them; None when it could not be asked.
        is_consistent: fills add up to the venue's position and every fee is booked, none given up.
    """
    lines = ledger.lines
    pnls = {
        name: line.pnl(marks.get(name, Decimal(0)), _funding(venue_positions, name, line))
        for name, line in lines.items()
    }
    return {
        "orders": {name: counts.get(name, 0) for name in _ORDER_COUNTS},
        "fills": sum(line.fill_count for line in lines.values()),
        "fills_by_side": {
            "buy": sum(line.buy_count for line in lines.values()),
            "sell": sum(line.fill_count - line.buy_count for line in lines.values()),
        },
        "volume": _text(sum((line.volume_base for line in lines.values()), Decimal(0))),
        "volume_by_instrument": {name: _text(line.volume_base) for name, line in lines.items()},
        "volume_usd": _text(sum((line.volume_notional for line in lines.values()), Decimal(0))),
        "fees": _text(sum((line.fees for line in lines.values()), Decimal(0))),
        "position": {name: decimal_number(line.position) for name, line in lines.items()},
        "venue_position": {name: decimal_number(_position(venue_positions, name)) for name in lines},
        "average_entry": {name: _text(line.average_entry) for name, line in lines.items()},
        "mark_price": {name: _text(mark) for name, mark in marks.items()},
        "pnl": _pnl_texts(_summed(pnls.values())),
        "pnl_by_instrument": {name: _pnl_texts(pnl) for name, pnl in pnls.items()},
        "quoted_ns": {
            name: {
                "bid": desk.quoted_time.quoted_ns[0],
                "ask": desk.quoted_time.quoted_ns[1],
                "bid_allowed": desk.quoted_time.allowed_ns[0],
                "ask_allowed": desk.quoted_time.allowed_ns[1],
            }
            for name, desk in desks.items()
        },
        "unbooked_fees": ledger.uncharged,
        "is_consistent": is_consistent,
        "open_orders_at_exit": open_orders,
    }


def _position(positions: Mapping[str, PositionReport], name: str) -> Decimal:
    report = positions.get(name)
    return report.position if report is not None else Decimal(0)


def _funding(positions: Mapping[str, PositionReport], name: str, line: LedgerLine) -> Decimal:
    report = positions.get(name)
    return report.unrealised_funding if report is not None else line.daily.seen


def _summed(pnls: Any) -> Pnl:
    total = _NO_PNL
    for pnl in pnls:
        total = Pnl(*(a + b for a, b in zip(total, pnl, strict=True)))
    return total


def _pnl_texts(pnl: Pnl) -> dict[str, str]:
    return {name: _text(value) for name, value in pnl._asdict().items()}


def _text(value: Decimal) -> str:
    return decimal_number(value) if value else "0"
