"""Identifiers of the venue: opaque strings that grow."""

from __future__ import annotations

import itertools

ORDER_ID_BASE = 0x001BF14D00000000
TRADE_ID_BASE = 0x0080000000000000169F22D000000000


class Ids:
    def __init__(self) -> None:
        self._orders = itertools.count(ORDER_ID_BASE + 1)
        self._trades = itertools.count(TRADE_ID_BASE + 1)

    def order_id(self) -> str:
        return f"{next(self._orders):016X}"

    def trade_id(self) -> str:
        return f"{next(self._trades):032X}"
