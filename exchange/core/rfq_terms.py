"""What a request for quote comes down to: whole quantities, an amount of them, and the step of that amount."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.orders import OrderRejected, Reject


class RfqLeg(NamedTuple):
    """One leg of a unit; a negative quantity is sold by who buys the unit."""

    instrument: Instrument
    quantity: int


class Terms(NamedTuple):
    """`amount` units of the legs make up the request; quotes may be for any multiple of `step`."""

    legs: tuple[RfqLeg, ...]
    amount: Decimal
    step: Decimal

    def leg_lots(self, amount: Decimal) -> dict[str, int]:
        """Return the signed lots of each leg that buying so many units adds."""
        lots = {}
        for leg in self.legs:
            steps = leg.instrument.grid.lots(abs(leg.quantity) * amount)
            assert steps is not None, f"{amount} units of {leg.instrument.name}: no whole number of lots"
            lots[leg.instrument.name] = steps if leg.quantity > 0 else -steps
        return lots


def minimal_terms(requested: list[tuple[Instrument, Decimal | None]]) -> Terms:
    """Return the same request with the least whole quantities.

    10, -10 and -3.6 contracts become 0.4 units of 25, -25 and -9.

    Raises:
        OrderRejected: for no leg, a leg twice, none that is bought, a roll, or an amount that can't be traded.
    """
    if not requested:
        raise _invalid("there are no legs")
    names = [instrument.name for instrument, _ in requested]
    if len(set(names)) < len(names):
        raise _invalid("an instrument is in two legs")
    amounts = [_checked(instrument, amount) for instrument, amount in requested]
    if not any(amount > 0 for amount in amounts):
        raise _invalid("at least one leg must be bought")
    unit = _common_divisor([abs(amount) for amount in amounts])
    legs = tuple(
        RfqLeg(instrument, int(amount / unit)) for (instrument, _), amount in zip(requested, amounts, strict=True)
    )
    steps = [Fraction(leg.instrument.grid.lot_size) / abs(leg.quantity) for leg in legs]
    return Terms(legs, _decimal(unit), _decimal(_common_multiple(steps)))


def _checked(instrument: Instrument, amount: Decimal | None) -> Fraction:
    if instrument.type is InstrumentType.COMBINATION:
        raise _invalid(f"{instrument.name} is a combination itself")
    lots = instrument.grid.lots(abs(amount)) if amount is not None else None
    if amount is None or lots is None or lots < instrument.order_size_lots_min:
        least = instrument.grid.amount(instrument.order_size_lots_min)
        detail = f"{amount} of {instrument.name}, expected a multiple of {instrument.grid.lot_size}, at least {least}"
        raise OrderRejected(Reject.INVALID_AMOUNT, detail)
    return Fraction(amount)


def _common_divisor(values: list[Fraction]) -> Fraction:
    return Fraction(math.gcd(*(v.numerator for v in values)), math.lcm(*(v.denominator for v in values)))


def _common_multiple(values: list[Fraction]) -> Fraction:
    return Fraction(math.lcm(*(v.numerator for v in values)), math.gcd(*(v.denominator for v in values)))


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def _invalid(detail: str) -> OrderRejected:
    return OrderRejected(Reject.INVALID_REQUEST, detail)
