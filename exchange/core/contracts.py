"""The venue's contract table: steps and least amounts of what is listed on each underlying."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from exchange.core.instrument import BTC_GRID, BTC_OPTION_GRID
from exchange.core.units import Grid


@dataclass(frozen=True, slots=True)
class ContractTable:
    """What all contracts on one base currency share.

    `mark_depth_amount` is the amount whose average price the mark looks for in the book. `price_ratio` and
    `volatility_ratio` place the simulated market against that of BTC.
    """

    base: str
    grid: Grid
    roll_lots_min: int
    option_grid: Grid
    mark_depth_amount: Decimal
    price_ratio: float = 1.0
    volatility_ratio: float = 1.0

    @property
    def underlying(self) -> str:
        return f"{self.base}USD"


CONTRACTS: dict[str, ContractTable] = {
    table.underlying: table
    for table in (
        ContractTable("BTC", BTC_GRID, 100, BTC_OPTION_GRID, Decimal(1)),
        ContractTable(
            "ETH",
            Grid(tick_size=Decimal("0.1"), lot_size=Decimal("0.01")),
            100,
            Grid(tick_size=Decimal(1), lot_size=Decimal("0.1")),
            Decimal(20),
            price_ratio=0.04,
            volatility_ratio=1.3,
        ),
    )
}
