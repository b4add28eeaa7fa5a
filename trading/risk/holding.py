"""What risk knows of one instrument when it writes its limits."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import NamedTuple

from domain.instrument import Instrument
from trading.risk.config import RiskConfig

_BPS = 1e-4


class Holding(NamedTuple):
    """What risk knows of one instrument when it writes its limits.

    Attributes:
        row: row of the instruments table.
        instrument: None until the venue has told of it; then the limits are all zero.
        position: base units, signed; None when unknown.
        mark_price: quote currency; NaN when unknown.
        last_price: of the last public trade, quote currency; NaN when unknown.
    """

    row: int
    instrument: Instrument | None
    position: Decimal | None
    mark_price: float
    last_price: float = math.nan

    def collar(self, config: RiskConfig) -> tuple[float, float]:
        """Return the lowest and highest price of any order: near the mark, and near the last trade once there is one.

        NaN while the mark is unknown, and low above high when mark and last are far apart: then no order passes.
        """
        width, last_width = config.price_collar_bps * _BPS, config.last_collar_bps * _BPS
        low, high = self.mark_price * (1.0 - width), self.mark_price * (1.0 + width)
        if not math.isfinite(self.last_price) or not math.isfinite(low):
            return low, high
        return max(low, self.last_price * (1.0 - last_width)), min(high, self.last_price * (1.0 + last_width))

    @property
    def notional(self) -> float:
        """|position| × mark in quote currency; NaN when one of them is unknown."""
        if self.position is None or self.instrument is None:
            return math.nan
        # A flat instrument adds nothing, whether its mark is known or not.
        size = abs(float(self.position * self.instrument.contract_multiplier))
        return size * self.mark_price if size else 0.0


def position_lots(holding: Holding) -> int:
    """Return the position in whole lots, a broken lot counted as a whole one; 0 when unknown."""
    if holding.position is None or holding.instrument is None:
        return 0
    return holding.instrument.covering_lots(holding.position)
