"""Words for orders that venues, order manager, risk and records share."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

# Limits that risk has not written anew for so long let nothing pass: strategy, execution and the gate agree on it.
LIMITS_AGE_NS_MAX = 500_000_000

RequestKind = Literal["insert", "amend", "cancel"]  # of what is asked about one order


class Side(IntEnum):
    """Side of an order; the value is the sign of the position that it builds."""

    BUY = 1
    SELL = -1

    @property
    def opposite(self) -> Side:
        return Side(-self)


class LiquiditySide(IntEnum):
    """Who rested and who crossed."""

    MAKER = 1
    TAKER = 2


class TimeInForce(IntEnum):
    GOOD_TILL_CANCELLED = 1
    IMMEDIATE_OR_CANCEL = 2


class OrderType(IntEnum):
    LIMIT = 1
    MARKET = 2


class VenueOrderStatus(IntEnum):
    """What the venue says of an order."""

    OPEN = 1
    PARTIALLY_FILLED = 2
    CANCELLED = 3
    CANCELLED_PARTIALLY_FILLED = 4
    FILLED = 5

    @property
    def is_closed(self) -> bool:
        return self >= VenueOrderStatus.CANCELLED


class TradingState(IntEnum):
    """What risk allows now."""

    HALTED = 0  # also the meaning of a record that nobody has written yet: limits fail closed
    ACTIVE = 1
    REDUCING = 2  # one side, reduce-only
    RECOVERING = 3
