"""How near the venue's liquidation is.

With margin equity E behind a position of notional N, entered at P with leverage L = N/E, a maintenance margin of
`mmr` (a fraction of notional) is reached at P·(1 - 1/L + mmr) by a long and P·(1 + 1/L - mmr) by a short.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class AccountMargin(NamedTuple):
    """What the venue says of the account's margin, quote currency; NaN when it has not said it.

    Attributes:
        margin: equity that backs positions.
        required_margin: what positions and orders ask for before new risk is refused.
    """

    margin: float
    required_margin: float

    @property
    def use(self) -> float:
        """Required margin as a part of margin; NaN when unknown, infinite without margin."""
        if self.margin > 0.0:
            return self.required_margin / self.margin
        return math.nan if math.isnan(self.margin) else math.inf

    def room(self, use_max: float, rate: float) -> float:
        """Return the notional that may be added before `use_max` of the margin is required, at `rate` of notional.

        NaN when the margin is unknown, which lets nothing be added.
        """
        return (self.margin * use_max - self.required_margin) / rate

    def room_to_liquidation(
        self, gross_notional: float, move_min: float, maintenance_fraction: float, rate: float
    ) -> float:
        """Return the notional that may be added so that everything held may still move against us by `move_min`.

        With equity E, maintenance M = maintenance_fraction · required and gross notional G, an addition of a leaves
        (E - M - maintenance_fraction·rate·a) / (G + a) of a move. NaN when something is unknown.
        """
        spare = self.margin - maintenance_fraction * self.required_margin - move_min * gross_notional
        return spare / (move_min + maintenance_fraction * rate)


UNKNOWN_MARGIN = AccountMargin(math.nan, math.nan)


def liquidation_price(entry_price: float, is_long: bool, leverage: float, maintenance_rate: float) -> float:
    """Return the price at which the position falls under its maintenance margin; never below 0.

    Args:
        leverage: notional at entry ÷ margin equity behind it, above 0.
        maintenance_rate: maintenance margin ÷ notional.
    """
    width = 1.0 / leverage - maintenance_rate
    return max(entry_price * (1.0 - width if is_long else 1.0 + width), 0.0)


def distance_left(entry_price: float, mark_price: float, liquidation: float) -> float:
    """Return how much of the way from liquidation to entry is left: 1 at entry, 0 at liquidation, above 1 in profit.

    NaN when a price is unknown; 0 when the position was entered at or beyond its liquidation.
    """
    way = entry_price - liquidation
    if way == 0.0:
        return 0.0
    return (mark_price - liquidation) / way
