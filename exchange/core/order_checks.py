"""What a new order or an amend must satisfy before it may touch the book. Price is checked before amount."""

from __future__ import annotations

from decimal import Decimal

from exchange.core.instrument import Instrument
from exchange.core.marks import Mark
from exchange.core.orders import (
    SIGN,
    Collar,
    NewOrder,
    OrderRejected,
    OrderType,
    Reject,
    Side,
    TimeInForce,
)


def check_price(instrument: Instrument, price: Decimal | None) -> int:
    """Return the price in ticks.

    Raises:
        OrderRejected: when it is missing, not positive or between two ticks.
    """
    if price is None or (price <= 0 and not instrument.may_be_negative):
        raise OrderRejected(Reject.INVALID_PRICE, f"{price}, expected a number above 0")
    ticks = instrument.grid.ticks(price)
    if ticks is None:
        raise OrderRejected(Reject.PRICE_OFF_TICK, f"{price.normalize():f}, tick size {instrument.grid.tick_size}")
    return ticks


def check_amount(instrument: Instrument, amount: Decimal | None, *, minimum_lots: int) -> int:
    """Return the amount in lots.

    Raises:
        OrderRejected: when it is missing, negative, below `minimum_lots` or not a whole number of lots.
    """
    if amount is None or amount < 0:
        raise OrderRejected(Reject.INVALID_AMOUNT, f"{amount}, expected a number above 0")
    lots = instrument.grid.lots(amount)
    if lots is None or lots < minimum_lots:
        least = instrument.grid.amount(minimum_lots)
        step = instrument.grid.lot_size
        raise OrderRejected(
            Reject.INVALID_AMOUNT, f"{amount.normalize():f}, expected a multiple of {step}, at least {least}"
        )
    return lots


def check_time_in_force(new: NewOrder) -> TimeInForce:
    """Return the time in force with the default of the order type filled in.

    Raises:
        OrderRejected: for a market order that should rest, or a post-only order that should not.
    """
    immediate = TimeInForce.IMMEDIATE_OR_CANCEL
    if new.order_type is OrderType.MARKET:
        if new.time_in_force is TimeInForce.GOOD_TILL_CANCELLED:
            raise OrderRejected(Reject.INVALID_TIME_IN_FORCE, "a market order can't be good_till_cancelled")
        if new.post_only:
            raise OrderRejected(Reject.INVALID_TIME_IN_FORCE, "a market order can't be post_only")
        return immediate
    if new.time_in_force is immediate and new.post_only:
        raise OrderRejected(Reject.INVALID_TIME_IN_FORCE, "post_only can't be immediate_or_cancel")
    return new.time_in_force or TimeInForce.GOOD_TILL_CANCELLED


def limit_within_collar(mark: Mark, side: Side, price_ticks: int, collar: Collar | None) -> int:
    """Return the limit price to use: the one given, or the collar's edge when clamped.

    Raises:
        OrderRejected: when the price lies beyond the collar and `collar` says reject (the default).
    """
    if collar is Collar.IGNORE:
        return price_ticks
    edge = mark.collar_high_ticks if side is Side.BUY else mark.collar_low_ticks
    if (price_ticks - edge) * SIGN[side] <= 0:
        return price_ticks
    if collar is Collar.CLAMP:
        return edge
    grid = mark.instrument.grid
    raise OrderRejected(
        Reject.COLLAR_BREACH, f"{side.value} at {grid.price(price_ticks)}, collar at {grid.price(edge)}"
    )


def market_order_limit(mark: Mark, side: Side, collar: Collar | None) -> int:
    """Return how far a market order may walk: to the collar.

    Raises:
        OrderRejected: when the collar is to be ignored, for then nothing would bound it.
    """
    if collar is Collar.IGNORE:
        raise OrderRejected(Reject.UNBOUNDED_MARKET_ORDER, "a market order can't ignore the collar")
    return mark.collar_high_ticks if side is Side.BUY else mark.collar_low_ticks


def reducible_lots(side: Side, position_lots: int) -> int:
    """Return how many lots an order of this side can trade before it would increase the position."""
    return max(0, -SIGN[side] * position_lots)
