"""What can be traded, as the venue defines it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, ROUND_UP, Decimal
from enum import IntEnum

from domain.errors import OffGridError
from domain.units import exact_steps


class InstrumentKind(IntEnum):
    PERPETUAL = 1
    FUTURE = 2
    OPTION = 3
    ROLL = 4
    SPOT = 5


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable instrument.

    Attributes:
        name: the venue's name, e.g. `BTC-PERPETUAL`.
        underlying: the venue's index name, e.g. `BTCUSD`.
        tick_size: price step in quote currency.
        lot_size: size step in base units.
        size_min: smallest order in base units.
        contract_multiplier: base units for one unit of size (1 on Thalex).
        expiry_ns: Unix nanoseconds; 0 for instruments that do not expire.
    """

    name: str
    kind: InstrumentKind
    underlying: str
    tick_size: Decimal
    lot_size: Decimal
    size_min: Decimal
    contract_multiplier: Decimal = Decimal(1)
    expiry_ns: int = 0

    def __post_init__(self) -> None:
        for what in ("tick_size", "lot_size", "size_min", "contract_multiplier"):
            if not getattr(self, what) > 0:
                raise ValueError(f"{self.name}: {what} must be positive, not {getattr(self, what)}")

    def price_ticks(self, price: Decimal) -> int:
        """Return `price` in ticks; OffGridError when it is off the grid."""
        return self._steps(price, self.tick_size, "price")

    def size_lots(self, size: Decimal) -> int:
        """Return `size` in lots; OffGridError when it is off the grid."""
        return self._steps(size, self.lot_size, "size")

    def nearest_price_ticks(self, price: Decimal) -> int:
        """Return `price` to the nearest tick, to tell it: trades that no order made (a settlement, a block trade)
        have prices off the grid."""
        return int((price / self.tick_size).to_integral_value(ROUND_HALF_EVEN))

    def covering_lots(self, size: Decimal) -> int:
        """Return a signed `size` in lots, a broken lot counted as a whole one: what is held is never told smaller."""
        return int((size / self.lot_size).to_integral_value(ROUND_UP))

    def price(self, ticks: int) -> Decimal:
        return ticks * self.tick_size

    def size(self, lots: int) -> Decimal:
        return lots * self.lot_size

    def _steps(self, value: Decimal, step: Decimal, what: str) -> int:
        try:
            return exact_steps(value, step)
        except ValueError as error:
            raise OffGridError(f"{self.name}: {what} {error}") from None

    @property
    def order_lots_min(self) -> int:
        """Smallest order in lots, rounded up to a whole lot."""
        return int((self.size_min / self.lot_size).to_integral_value(ROUND_CEILING))
