"""Conversions between the decimals of the wire and the integer ticks and lots of the book."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import lru_cache

WIRE_STEP = Decimal("0.00000001")  # the venue rounds every incoming number to 8 decimals first
PLAIN_KEPT_MAX = 4_096
WIRE_MAX = 10**13  # far above any price or amount; keeps quantize within 28 digits


def wire_decimal(value: int | float) -> Decimal | None:
    """Return `value` rounded to 8 decimals, or None when it is not finite or absurdly large."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if abs(value) > WIRE_MAX:
        return None
    return Decimal(repr(value)).quantize(WIRE_STEP)


@lru_cache(maxsize=PLAIN_KEPT_MAX)
def plain(value: Decimal) -> Decimal:
    """Return `value` without trailing zeros and without exponent, as it should stand on the wire.

    Kept, for the same marks and rates are told again and again; equal values have equal answers.
    """
    reduced = value.normalize()
    exponent = reduced.as_tuple().exponent
    assert isinstance(exponent, int), f"{value} is not a finite number"
    if exponent > 0:
        return reduced.quantize(Decimal(1))
    return reduced if reduced else Decimal(0)


class Grid:
    """The price step and the amount step of one instrument, and all conversions that need them."""

    __slots__ = ("_lot_ratio", "_tick_ratio", "lot_size", "tick_size")

    def __init__(self, tick_size: Decimal, lot_size: Decimal) -> None:
        if tick_size <= 0 or lot_size <= 0:
            raise ValueError(f"steps must be positive: tick_size={tick_size}, lot_size={lot_size}")
        self.tick_size = tick_size
        self.lot_size = lot_size
        self._tick_ratio = tick_size.as_integer_ratio()
        self._lot_ratio = lot_size.as_integer_ratio()

    def ticks(self, price: Decimal) -> int | None:
        """Return the price in ticks, or None when it lies between two ticks."""
        return _steps(price, self._tick_ratio)

    def lots(self, amount: Decimal) -> int | None:
        """Return the amount in lots, or None when it is not a whole number of lots."""
        return _steps(amount, self._lot_ratio)

    def price(self, ticks: int) -> Decimal:
        return ticks * self.tick_size

    def amount(self, lots: int) -> Decimal:
        return lots * self.lot_size

    def price_number(self, ticks: int) -> int | float:
        """Return the JSON number for a price: the shortest decimal that names this tick exactly."""
        return _number(ticks, self._tick_ratio)

    def amount_number(self, lots: int) -> int | float:
        return _number(lots, self._lot_ratio)

    def ticks_floor(self, price: Decimal) -> int:
        return math.floor(price / self.tick_size)

    def ticks_ceil(self, price: Decimal) -> int:
        return math.ceil(price / self.tick_size)


def _steps(value: Decimal, ratio: tuple[int, int]) -> int | None:
    numerator, denominator = value.as_integer_ratio()
    steps, rest = divmod(numerator * ratio[1], denominator * ratio[0])
    return None if rest else steps


def _number(steps: int, ratio: tuple[int, int]) -> int | float:
    numerator, denominator = ratio
    # int / int is rounded once, to the float nearest the decimal, whose repr is that decimal.
    return steps * numerator if denominator == 1 else steps * numerator / denominator
