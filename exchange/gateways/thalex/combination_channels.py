"""`ticker`, `lwt` and `book` of `[NAME:quantity,...]`: what the legs' books together would give at once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from exchange.core.combinations import Chunk, Combination, make_combination
from exchange.core.engine import Engine
from exchange.core.instrument import Leg
from exchange.core.orders import OPPOSITE, SIGN, OrderRejected, Side
from exchange.core.scheduler import Scheduler
from exchange.core.units import plain
from exchange.gateways.thalex import wire
from exchange.gateways.thalex.channel import PacedChannel
from exchange.gateways.thalex.payloads import Number, seconds

Build = Callable[[Combination], dict[str, Any]]
Levels = dict[int, int]  # price in ticks -> lots


def parse_combination(engine: Engine, name: str) -> Combination | None:
    """Return what `[NAME:quantity,NAME:quantity]` means, or None when it is not a combination that can be traded."""
    if not (name.startswith("[") and name.endswith("]")):
        return None
    legs = []
    for part in name[1:-1].split(","):
        instrument_name, _, quantity = part.rpartition(":")
        if not quantity.removeprefix("-").isdecimal() or len(quantity) > 9:
            return None
        legs.append(Leg(instrument_name, int(quantity)))
    try:
        return make_combination(engine, legs)
    except OrderRejected:
        return None


def ticker(combination: Combination) -> dict[str, Any]:
    """Return a Ticker without what combinations don't have: last price, delta, volumes, open interest."""
    grid, marks = combination.instrument.grid, [leg.market.mark for leg in combination.legs]
    fields: dict[str, Any] = {
        "mark_price": plain(mark_price(combination)),
        "mark_timestamp": seconds(max(mark.mark_time_ns for mark in marks)),
    }
    for name, side in (("bid", Side.SELL), ("ask", Side.BUY)):
        best = next(combination.chunks(side), None)
        fields[f"best_{name}_price"] = grid.price_number(best[0]) if best else None
        fields[f"best_{name}_amount"] = grid.amount_number(best[1]) if best else None
    fields["index"] = plain(marks[0].index_price)
    fields["collar_low"] = grid.price_number(combination.collar_ticks(Side.SELL))
    fields["collar_high"] = grid.price_number(combination.collar_ticks(Side.BUY))
    return fields


def light_ticker(combination: Combination) -> dict[str, Any]:
    grid, fields = combination.instrument.grid, {}
    for name, side in (("b", Side.SELL), ("a", Side.BUY)):
        best = next(combination.chunks(side), None)
        if best:
            amount = grid.amount_number(best[1])
            fields[name] = [grid.price_number(best[0]), amount, amount]
    return {**fields, "m": plain(mark_price(combination))}


def mark_price(combination: Combination) -> Decimal:
    return sum((leg.quantity * leg.market.mark.mark_price for leg in combination.legs), Decimal(0))


class CombinationChannel(PacedChannel):
    """What all three have in common: it is refreshed when the book of a leg changes, and each second."""

    def __init__(self, name: str, scheduler: Scheduler, delay_ns: int, combination: Combination) -> None:
        super().__init__(name, scheduler, delay_ns)
        self.combination = combination
        self.instrument_names = tuple(leg.market.instrument.name for leg in combination.legs)

    def refresh(self) -> None:
        self.changed()


class CombinationTickerChannel(CombinationChannel):
    """`ticker` or `lwt`, sent when anything in it has changed."""

    def __init__(
        self, name: str, scheduler: Scheduler, delay_ns: int, combination: Combination, describe: Build
    ) -> None:
        super().__init__(name, scheduler, delay_ns, combination)
        self._describe = describe
        self._shown: dict[str, Any] = {}

    def first_message(self) -> bytes:
        self._shown = self._describe(self.combination)
        return wire.notification(self.name, wire.encode(self._shown))

    def build(self) -> bytes | None:
        now = self._describe(self.combination)
        if now == self._shown:
            return None
        self._shown = now
        return wire.encode(now)


class CombinationBookChannel(CombinationChannel):
    """`book`: a snapshot, then the levels that are no longer what they were. There are no trades of combinations."""

    def __init__(
        self,
        name: str,
        scheduler: Scheduler,
        delay_ns: int,
        combination: Combination,
        *,
        group_ticks: int,
        levels_max: int | None,
    ) -> None:
        super().__init__(name, scheduler, delay_ns, combination)
        self._group_ticks = group_ticks
        self._levels_max = levels_max
        self._told: dict[Side, Levels] = {side: self._window(side) for side in Side}

    def first_message(self) -> bytes:
        changes = {side: list(self._told[side].items()) for side in Side}
        return wire.notification(self.name, self._payload(changes), snapshot=True)

    def build(self) -> bytes | None:
        changes = {}
        for side in Side:
            told, now = self._told[side], self._window(side)
            changed = [
                (ticks, lots) for ticks, lots in (dict.fromkeys(told, 0) | now).items() if told.get(ticks) != lots
            ]
            changes[side] = sorted(changed, key=lambda change: -SIGN[side] * change[0])
            self._told[side] = now
        return self._payload(changes) if changes[Side.BUY] or changes[Side.SELL] else None

    def _window(self, side: Side) -> Levels:
        """Return the levels of one side of the virtual book, best first."""
        levels: Levels = {}
        step = self._group_ticks
        for price_ticks, lots in self.combination.chunks(OPPOSITE[side]):
            group = price_ticks // step * step if side is Side.BUY else -(-price_ticks // step) * step
            if group not in levels and len(levels) == self._levels_max:
                break
            levels[group] = levels.get(group, 0) + lots
        return levels

    def _payload(self, changes: dict[Side, list[Chunk]]) -> bytes:
        grid = self.combination.instrument.grid

        def rows(side: Side) -> list[list[Number]]:
            return [[grid.price_number(t), grid.amount_number(n), grid.amount_number(n)] for t, n in changes[side]]

        def total(side: Side) -> Number:
            return grid.amount_number(sum(lots for _, lots in self.combination.chunks(OPPOSITE[side])))

        return wire.encode(
            {
                "trades": [],
                "bid_changes": rows(Side.BUY),
                "ask_changes": rows(Side.SELL),
                "total_bid_amount": total(Side.BUY),
                "total_ask_amount": total(Side.SELL),
                "time": seconds(self._scheduler.realtime_ns()),
            }
        )
