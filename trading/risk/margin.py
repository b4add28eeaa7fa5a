"""How near the venue's liquidation is.

All positions share one margin. With equity E (gains and losses so far in it) and maintenance margin M, a position x
brings the account under maintenance, the other marks staying where they are, at

    long: mark - (E - M) / |x|        short: mark + (E - M) / (|x|·(1 + m))

The maintenance margin of a short grows with its price, at a rate m of notional; that of a long falls, which is not
counted: early rather than late.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class AccountMargin(NamedTuple):
    """What the venue says of the account's margin, quote currency; NaN when it has not said it.

    The venue counts working orders with the positions. Our own are ours to cancel, and the gate counts them itself:
    what it lets pass is judged by what the rest needs, or they would be counted twice, and the limit would take them
    away and give them back for as long as they alone use it up. Orders of others nobody else counts: they stay in.

    Attributes:
        margin: equity that backs positions.
        required_margin: what positions and orders ask for before new risk is refused.
        held_notional: sum of |position| × mark at that moment; NaN when part of it was unknown.
        ordered_notional: what the orders working then could add to it, one side of each instrument filled; NaN when
            they were not known.
        foreign_notional: what the orders of others among them could add alone.
    """

    margin: float
    required_margin: float
    held_notional: float = 0.0
    ordered_notional: float = 0.0
    foreign_notional: float = 0.0

    @property
    def shown_rate(self) -> float:
        """Required margin as a part of all that it was required for; NaN when that was nothing, or is not known."""
        exposed = self.held_notional + self.ordered_notional
        return self.required_margin / exposed if exposed > 0.0 else math.nan

    def required_beside_ours(self, rate: float) -> float:
        """Return the part of the required margin that positions and orders of others ask for: their share of the
        exposure, and not less than `rate` of them. All of it where the exposure is not known, or no order worked."""
        rest = self.held_notional + self.foreign_notional
        if not (self.ordered_notional > 0.0 and rest >= 0.0):
            return self.required_margin
        return max(self.shown_rate * rest, min(self.required_margin, rate * rest))

    def use(self, rate: float) -> float:
        """Return what all but our orders asks for as a part of margin; NaN when unknown, infinite without margin."""
        if self.margin > 0.0:
            return self.required_beside_ours(rate) / self.margin
        return math.nan if math.isnan(self.margin) else math.inf

    def room(self, use_max: float, rate: float) -> float:
        """Return the notional that our orders may add before `use_max` of the margin is required, at `rate`.

        NaN when the margin is unknown, which lets nothing be added.
        """
        return (self.margin * use_max - self.required_beside_ours(rate)) / rate

    def room_to_liquidation(
        self, gross_notional: float, move_min: float, maintenance_fraction: float, rate: float, grown: float = 0.0
    ) -> float:
        """Return the notional that may be added so that everything held may still move against us by `move_min`.

        With equity E, maintenance M = maintenance_fraction · (required + rate·grown) and gross notional G, an addition
        of a leaves (E - M - maintenance_fraction·rate·a) / (G + a) of a move. NaN when something is unknown.

        Args:
            grown: the part of `gross_notional` that was added since the venue told what is required.
        """
        maintenance = maintenance_fraction * (self.required_beside_ours(rate) + rate * grown)
        return (self.margin - maintenance - move_min * gross_notional) / (move_min + maintenance_fraction * rate)


UNKNOWN_MARGIN = AccountMargin(math.nan, math.nan)


def liquidation_price(mark_price: float, position: float, spare: float, maintenance_rate: float) -> float:
    """Return the mark at which the account falls under its maintenance margin by this position alone; never below 0.

    Args:
        mark_price: quote currency, of the moment that `spare` is of.
        position: base units, signed, not 0.
        spare: equity less maintenance margin of the whole account, quote currency; below zero it is late already.
        maintenance_rate: maintenance margin of more notional, as a part of it.
    """
    if position > 0:
        return max(mark_price - spare / position, 0.0)
    return mark_price + spare / (-position * (1.0 + maintenance_rate))


def distance_left(entry_price: float, mark_price: float, liquidation: float, is_long: bool) -> float:
    """Return how much of the way from liquidation to entry is left: 1 at entry, 0 at liquidation, above 1 in profit.

    NaN when a price is unknown; 0 or less when the position was entered beyond its liquidation, or is beyond it.
    """
    sign = 1.0 if is_long else -1.0
    way, left = sign * (entry_price - liquidation), sign * (mark_price - liquidation)
    if way <= 0.0:
        return min(left, 0.0)
    return left / way
