"""A run in figures: money, fills, how the market moved after them."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np

from backtest.engine.result import RunResult
from domain.order import LiquiditySide

MARKOUTS_S = (1, 5, 30)
_FEE_UNIT = Decimal("1e-8")


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to. Money in $, sizes in base units, markouts in $ per base unit filled.

    Attributes:
        pnl: cash and position at the last mid, less fees.
        cash, fees: exact, as Decimal text.
        markouts: how far the mid moved in our favour from the fill's price, volume-weighted, by seconds after.
        fills_hash: of everything that the exchange told.
    """

    seconds: float
    fills: int
    maker_fills: int
    volume: float
    inserts: int
    amends: int
    cancels: int
    denied: int
    position: float
    position_max: float
    cash: str
    fees: str
    pnl: float
    drawdown: float
    markouts: dict[str, float]
    fills_hash: str

    def lines(self) -> list[str]:
        """Return the summary as lines of text."""
        markouts = ", ".join(f"{name} {value:+.4g}" for name, value in self.markouts.items()) or "none"
        return [
            f"{self.seconds:,.1f} s: {self.fills:,} fills ({self.maker_fills:,} as maker), volume {self.volume:,.6g}",
            f"  {self.inserts:,} inserts, {self.amends:,} amends, {self.cancels:,} cancels, {self.denied:,} denied",
            f"  position {self.position:+.6g} at the end, at most {self.position_max:.6g}",
            f"  P&L {self.pnl:+,.4f} $: cash {self.cash}, fees {self.fees}, largest drawdown {self.drawdown:,.4f}",
            f"  markouts, $ per unit: {markouts}",
            f"  fills hash {self.fills_hash}",
        ]


def summarise(result: RunResult) -> Summary:
    """Return the figures of a run."""
    fills = result.fills
    venue, run, samples = result.venue[0], result.run[0], result.series
    money = Decimal(repr(result.tick_size)) * Decimal(repr(result.lot_base))
    worth = result.equity()
    positions = np.abs(fills["position_lots"]) if len(fills) else np.zeros(1)
    return Summary(
        seconds=float(samples["time_ns"][-1] - samples["time_ns"][0]) / 1e9 if len(samples) else 0.0,
        fills=len(fills),
        maker_fills=int(np.count_nonzero(fills["liquidity_side"] == LiquiditySide.MAKER)),
        volume=float(fills["size_lots"].sum() * result.lot_base),
        inserts=int(run["inserts"]),
        amends=int(run["amends"]),
        cancels=int(run["cancels"]),
        denied=int(run["denied"]),
        position=float(venue["position_lots"] * result.lot_base),
        position_max=float(positions.max() * result.lot_base),
        cash=_plain(int(venue["cash"]) * money),
        fees=_plain(int(venue["fees"]) * money * _FEE_UNIT),
        pnl=float(worth[-1]) if len(worth) else 0.0,
        drawdown=float((np.maximum.accumulate(worth) - worth).max()) if len(worth) else 0.0,
        markouts=markouts(result, fills),
        fills_hash=result.fills_hash,
    )


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def markouts(result: RunResult, fills: np.ndarray) -> dict[str, float]:
    """Return the volume-weighted move of the mid in our favour, $ per unit, after each number of seconds.

    Fills so near to the end that no sample follows are left out; the mid is that of the first sample from then on.
    """
    found = {}
    prices = fills["price_ticks"] * result.tick_size
    for after_s in MARKOUTS_S:
        at = np.searchsorted(result.series["time_ns"], fills["time_ns"] + after_s * 10**9)
        known = at < len(result.series)
        if known.any():
            moves = fills["side"][known] * (result.series["mid"][at[known]] - prices[known])
            found[f"{after_s} s"] = float(np.average(moves, weights=fills["size_lots"][known]))
    return found
