"""Where the profit came from: parts that add up to the whole, to the last digit.

Of a fill of `l` lots on side s (+1 bought) at price p, with the mid m when it happened, the mid m' five seconds later
(the last mid, where the run ends sooner) and the last mid M::

    spread             s·l·(m − p)      what the price was better than the mid
    adverse selection  s·l·(m' − m)     where the market went right afterwards
    inventory          s·l·(M − m')     what the position did from then on; and what we held before the run did

    spread + adverse selection + inventory = cash + position · M        whatever m and m' are

and fees and funding as they were booked. Counted in half ticks times lots, whole numbers; money only at the end.
A fill without a known mid is taken at its own price: its spread is nothing.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backtest.metrics.leg import UNKNOWN_MID, Leg

ADVERSE_AFTER_S = 5
_DIGITS = 60


class Split(NamedTuple):
    """The parts of the profit, quote currency. `fees` is what they did to it: paid ones are negative."""

    spread: Decimal
    adverse_selection: Decimal
    inventory: Decimal
    fees: Decimal
    funding: Decimal

    @property
    def net(self) -> Decimal:
        """Their sum."""
        with localcontext() as context:
            context.prec = _DIGITS
            return sum(self, Decimal(0))

    def __add__(self, other: object) -> Split:
        """Return the split of two instruments together."""
        assert isinstance(other, Split)
        with localcontext() as context:
            context.prec = _DIGITS
            return Split(*(a + b for a, b in zip(self, other, strict=True)))


NOTHING = Split(*(Decimal(0),) * 5)


def split_of(leg: Leg) -> Split:
    """Return the split of an instrument's profit."""
    fills = leg.fills
    end = last_mid2(leg)
    mid = np.where(fills["mid2_ticks"] == UNKNOWN_MID, 2 * fills["price_ticks"], fills["mid2_ticks"])
    after = fills[f"mid2_ticks_{ADVERSE_AFTER_S}s"]
    after = np.where(after == UNKNOWN_MID, end, after)
    lots = fills["side"] * fills["size_lots"]
    begun = leg.begin_mid2_ticks if leg.begin_mid2_ticks is not None else end
    with localcontext() as context:
        context.prec = _DIGITS
        half = leg.grid.money / 2
        return Split(
            spread=_sum(lots, mid - 2 * fills["price_ticks"]) * half,
            adverse_selection=_sum(lots, after - mid) * half,
            inventory=(_sum(lots, end - after) + leg.begin_position_lots * (end - begun)) * half,
            fees=-leg.fees,
            funding=leg.funding,
        )


def net_of(leg: Leg) -> Decimal:
    """Return the profit counted without a split: cash and position at the last mid, less fees, with funding."""
    fills = leg.fills
    lots = fills["side"] * fills["size_lots"]
    end = last_mid2(leg)
    begun = leg.begin_mid2_ticks if leg.begin_mid2_ticks is not None else end
    position = leg.begin_position_lots + int(lots.sum())
    with localcontext() as context:
        context.prec = _DIGITS
        worth = position * end - leg.begin_position_lots * begun - 2 * _sum(lots, fills["price_ticks"])
        return worth * leg.grid.money / 2 - leg.fees + leg.funding


def last_mid2(leg: Leg) -> int:
    """Return twice the last mid, ticks; of a run without a market, twice the last fill's price."""
    if leg.end_mid2_ticks is not None:
        return leg.end_mid2_ticks
    return 2 * int(leg.fills["price_ticks"][-1]) if len(leg.fills) else 0


def _sum(lots: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64]) -> int:
    """Return Σ lots · ticks exactly, whatever its size."""
    if float(np.abs(lots).astype(np.float64) @ np.abs(ticks).astype(np.float64)) < 2.0**62:
        return int(lots @ ticks)
    return sum(int(a) * int(b) for a, b in zip(lots, ticks, strict=True))
