"""The one place that converts between venue decimals, ticks and lots.

Orders are decided in integer ticks (price steps) and lots (size steps); money is Decimal. Bids round down
and asks round up, so that rounding never makes a quote more aggressive than was decided.
"""

from __future__ import annotations

import math
from decimal import Decimal

# Models hand over floats such as 100.00000000000001; what is nearer to a tick than this part of one is that tick.
TICK_TOLERANCE = 1e-7


def _finite(price: float, what: str) -> float:
    if not math.isfinite(price):
        raise ValueError(f"{what} must be a finite number, not {price}")
    return price


def bid_ticks(price: float, tick_size: float) -> int:
    """Return `price` ($) as ticks, rounded down, as a bid must be."""
    return math.floor(_finite(price, "a bid price") / tick_size + TICK_TOLERANCE)


def ask_ticks(price: float, tick_size: float) -> int:
    """Return `price` ($) as ticks, rounded up, as an ask must be."""
    return math.ceil(_finite(price, "an ask price") / tick_size - TICK_TOLERANCE)


def nearest_ticks(price: float, tick_size: float) -> int:
    """Return `price` ($), already on the grid but for float noise, as ticks."""
    return round(_finite(price, "a price") / tick_size)


def lots_down(size: float, lot_size: float) -> int:
    """Return an unsigned or signed `size` (base units) as lots, rounded towards zero."""
    lots = _finite(size, "a size") / lot_size
    return math.floor(lots + TICK_TOLERANCE) if lots >= 0 else -math.floor(-lots + TICK_TOLERANCE)


def exact_steps(value: Decimal, step: Decimal) -> int:
    """Return `value` as a whole number of steps.

    Raises:
        ValueError: if `value` is not a multiple of `step`; nothing is rounded where money is counted.
    """
    steps = value / step
    whole = int(steps)
    if steps != whole:
        raise ValueError(f"{value} is not a multiple of {step}")
    return whole


def decimal_number(value: Decimal) -> str:
    """Return `value` as plain digits without trailing zeros, as a JSON number is written."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
