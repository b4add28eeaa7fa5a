"""Combination orders: up to four options of one underlying, traded at once against the books of the legs.

A combination is an instrument made for the purpose. Its tick is that of its legs; one of its lots is the least
amount that is a whole number of lots on every leg. It has no book of its own: what can be traded is walked
together out of the legs' books, all legs in proportion or none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from exchange.core.instrument import Instrument, InstrumentType, Leg
from exchange.core.order_checks import check_amount, check_price, check_time_in_force
from exchange.core.orders import (
    OPPOSITE,
    SIGN,
    ChangeReason,
    Collar,
    DeleteReason,
    Fill,
    NewOrder,
    Order,
    OrderRejected,
    OrderType,
    OrderUpdate,
    Reject,
    Side,
    StpAction,
    StpLevel,
    TimeInForce,
    update_of,
)
from exchange.core.units import Grid

if TYPE_CHECKING:
    from exchange.core.engine import Engine
    from exchange.core.market import Market

LEGS_MIN = 2
LEGS_MAX = 4
TICKS_ANY = 10**15  # beyond any price: the combination's own limit has been checked
Chunk = tuple[int, int]  # price in ticks and lots of the combination that can be traded at it


class LegMarket(NamedTuple):
    """A leg, with its lots for one lot of the combination."""

    market: Market
    quantity: int
    lots: int

    @property
    def signed_lots(self) -> int:
        """Return what buying one lot of the combination adds to the position in this leg."""
        return self.lots if self.quantity > 0 else -self.lots

    def side(self, side: Side) -> Side:
        """Return the side that the leg trades on when the combination trades on `side`."""
        return side if self.quantity > 0 else OPPOSITE[side]


class Combination:
    """The legs' markets seen as one. `instrument.legs` are as the client gave them."""

    def __init__(self, instrument: Instrument, legs: tuple[LegMarket, ...]) -> None:
        self.instrument = instrument
        self.legs = legs

    def collar_ticks(self, side: Side) -> int:
        """Return the edge for an order of `side`: the legs' edges times their quantities."""
        total = 0
        for leg in self.legs:
            mark = leg.market.mark
            edge = mark.collar_high_ticks if leg.side(side) is Side.BUY else mark.collar_low_ticks
            total += leg.quantity * edge
        return total

    def chunks(self, side: Side) -> Iterator[Chunk]:
        """Yield what an order of `side` meets, best price first; the books must not change meanwhile."""
        walks = [leg.market.book.side(OPPOSITE[leg.side(side)]).walk() for leg in self.legs]
        heads = [next(walk, None) for walk in walks]
        while all(head is not None for head in heads):
            lots = min(head[1] // leg.lots for head, leg in zip(heads, self.legs, strict=True) if head)
            if lots:
                price = sum(leg.quantity * head[0] for head, leg in zip(heads, self.legs, strict=True) if head)
                yield price, lots
            for index, leg in enumerate(self.legs):
                head = heads[index]
                assert head is not None
                left = head[1] - lots * leg.lots
                # A rest too small for a lot of the combination is passed over here; a trade takes it, at its
                # better price.
                heads[index] = (head[0], left) if left >= leg.lots else next(walks[index], None)


def make_combination(engine: Engine, legs: list[Leg]) -> Combination:
    """Return the combination of these legs.

    Raises:
        OrderRejected: for too few or too many legs, one twice, one that is no option, or two underlyings.
    """
    if not LEGS_MIN <= len(legs) <= LEGS_MAX:
        raise _invalid(f"{len(legs)} legs, expected {LEGS_MIN} to {LEGS_MAX}")
    markets = [engine.market(leg.instrument_name) for leg in legs]
    instruments = [market.instrument for market in markets]
    if len({instrument.name for instrument in instruments}) < len(legs):
        raise _invalid("an instrument is in two legs")
    if any(leg.quantity == 0 for leg in legs):
        raise _invalid("the quantity of a leg is 0")
    if any(instrument.type is not InstrumentType.OPTION for instrument in instruments):
        raise _invalid("the legs of a combination order must be options")
    if len({instrument.underlying for instrument in instruments}) > 1:
        raise _invalid("the legs are of different underlyings")
    first, divisor = instruments[0], math.gcd(*(leg.quantity for leg in legs))
    instrument = Instrument(
        name="[" + ",".join(f"{leg.instrument_name}:{leg.quantity}" for leg in legs) + "]",
        underlying=first.underlying,
        type=InstrumentType.COMBINATION,
        grid=Grid(first.grid.tick_size, first.grid.lot_size / divisor),
        order_size_lots_min=1,
        create_time=first.create_time,
        legs=tuple(legs),
        leg_grid=first.grid,
    )
    parts = [LegMarket(m, leg.quantity, abs(leg.quantity) // divisor) for m, leg in zip(markets, legs, strict=True)]
    return Combination(instrument, tuple(parts))


class CombinationDesk:
    """Takes combination orders: immediate or cancel, limit or market."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def insert(self, new: NewOrder, legs: list[Leg]) -> OrderUpdate:
        """Trade what can be traded at once and cancel the rest.

        Raises:
            OrderRejected: when the order is refused whole.
        """
        combination = make_combination(self._engine, legs)
        order = self._admit(new, combination)
        self._match(order, combination)
        if order.is_open:
            reason = DeleteReason.IMMEDIATE_CANCEL if order.remaining_lots else DeleteReason.FILLED
            self._close(order, reason)
        update = update_of(order, ChangeReason.INSERT, tuple(order.fills))
        self._engine.note(update)
        new.account.note_closed(update)
        return update

    def _admit(self, new: NewOrder, combination: Combination) -> Order:
        if new.post_only or new.reject_post_only or new.reduce_only:
            raise _invalid("post_only and reduce_only are not for combination orders")
        instrument, is_market = combination.instrument, new.order_type is OrderType.MARKET
        price_ticks = 0 if is_market else check_price(instrument, new.price)
        amount_lots = check_amount(instrument, new.amount, minimum_lots=instrument.order_size_lots_min)
        if check_time_in_force(new) is not TimeInForce.IMMEDIATE_OR_CANCEL:
            raise OrderRejected(Reject.INVALID_TIME_IN_FORCE, "a combination order must be immediate_or_cancel")
        if (new.session_id, new.client_order_id) in new.account.by_client_order_id:
            raise OrderRejected(Reject.DUPLICATE_CLIENT_ORDER_ID, f"{new.client_order_id} is working")
        edge = combination.collar_ticks(new.side)
        price_ticks = _limit(new, instrument, price_ticks, edge)
        sign = SIGN[new.side]
        lots = {leg.market.instrument.name: sign * leg.signed_lots * amount_lots for leg in combination.legs}
        self._engine.margin.check_move(new.account, lots)
        return Order(
            order_id=self._engine.ids.order_id(),
            instrument=instrument,
            account=new.account,
            side=new.side,
            order_type=new.order_type,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            price_ticks=price_ticks,
            amount_lots=amount_lots,
            create_time_ns=self._engine.scheduler.realtime_ns(),
            session_id=new.session_id,
            client_order_id=new.client_order_id,
            label=new.label,
            persistent=new.persistent,
            stp_level=new.stp_level,
            stp_action=new.stp_action,
        )

    def _match(self, order: Order, combination: Combination) -> None:
        sign, chunks = SIGN[order.side], []
        left = order.remaining_lots
        for price_ticks, available in combination.chunks(order.side):
            if (order.price_ticks - price_ticks) * sign < 0 or not left:
                break
            lots = min(left, available)
            chunks.append((price_ticks, lots))
            left -= lots
        wanted = sum(lots for _, lots in chunks)
        allowed = min([wanted, *(_lots_before_own(order, leg, wanted) for leg in combination.legs)])
        if allowed < wanted and order.stp_action is StpAction.CANCEL_AGGRESSIVE_NO_FILL:
            allowed = 0
        for _, lots in chunks:
            taken = min(lots, allowed - order.filled_lots)
            if taken <= 0:
                break
            for index, leg in enumerate(combination.legs):
                order.fills += self._trade_leg(order, leg, index, taken)
            order.filled_lots += taken
        if allowed < wanted:
            self._close(order, DeleteReason.SELF_TRADE_PREVENTION)

    def _trade_leg(self, order: Order, leg: LegMarket, leg_index: int, lots: int) -> list[Fill]:
        """Trade one leg under the id of the whole order and return its fills."""
        part = Order(
            order_id=order.order_id,
            instrument=leg.market.instrument,
            account=order.account,
            side=leg.side(order.side),
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            price_ticks=SIGN[leg.side(order.side)] * TICKS_ANY,
            amount_lots=lots * leg.lots,
            create_time_ns=order.create_time_ns,
            session_id=order.session_id,
            client_order_id=order.client_order_id,
            label=order.label,
            persistent=order.persistent,
            stp_level=StpLevel.DISABLED,  # looked at for all legs before
            leg_index=leg_index,
        )
        leg.market.take(part)
        assert not part.remaining_lots, f"{part.remaining_lots} lots of leg {leg_index} were not there"
        return [fill._replace(leg_index=leg_index) for fill in part.fills]

    def _close(self, order: Order, reason: DeleteReason) -> None:
        order.delete_reason = reason
        order.close_time_ns = self._engine.scheduler.realtime_ns()


def _limit(new: NewOrder, instrument: Instrument, price_ticks: int, edge: int) -> int:
    if new.order_type is OrderType.MARKET:
        if new.collar is Collar.IGNORE:
            raise OrderRejected(Reject.UNBOUNDED_MARKET_ORDER, "a market order can't ignore the collar")
        return edge
    if new.collar is Collar.IGNORE or (price_ticks - edge) * SIGN[new.side] <= 0:
        return price_ticks
    if new.collar is Collar.CLAMP:
        return edge
    price = instrument.grid.price
    raise OrderRejected(Reject.COLLAR_BREACH, f"{new.side.value} at {price(price_ticks)}, collar at {price(edge)}")


def _lots_before_own(order: Order, leg: LegMarket, wanted: int) -> int:
    """Return how many lots of the combination can trade before an own order is met on this leg, at most `wanted`."""
    if order.stp_level is StpLevel.DISABLED:
        return wanted
    side, units = leg.market.book.side(OPPOSITE[leg.side(order.side)]), 0
    for price_ticks, total in side.walk():
        before = 0
        for resting in side.levels[price_ticks].orders.values():
            if resting.account is order.account:
                return min(wanted, units + before // leg.lots)
            before += resting.remaining_lots
        units += total // leg.lots
        if units >= wanted:
            break
    return wanted


def _invalid(detail: str) -> OrderRejected:
    return OrderRejected(Reject.INVALID_REQUEST, detail)
