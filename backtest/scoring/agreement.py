"""How well simulated fills agree with what happened, order by order."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.metrics.leg import UNKNOWN_MID

MARKOUT_AFTER_S = (1, 5)
BPS = 1e4


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Simulated fills against live ones. What a session cannot tell is None.

    Attributes:
        live_fills, simulated_fills: how many.
        live_volume, simulated_volume: base units.
        volume_ratio: simulated / live volume.
        agreement: Σ min(l, s) / Σ max(l, s) over orders, l and s the lots of an order filled live and simulated:
            1 = the same orders to the same extent, 0 = not one in common.
        found: Σ min(l, s) / Σ l: part of the live volume that was simulated too.
        right: Σ min(l, s) / Σ s: part of the simulated volume that happened.
        delay_ms: median of how much later an order's first fill came simulated than live; orders with both.
        markout_difference_bps: simulated less live markout after 1 and 5 s, volume-weighted; above 0 the simulation
            flatters.
    """

    live_fills: int
    simulated_fills: int
    live_volume: float
    simulated_volume: float
    volume_ratio: float | None
    agreement: float | None
    found: float | None
    right: float | None
    delay_ms: float | None
    markout_difference_bps: dict[str, float | None]


def agreement_of(live: npt.NDArray[np.void], simulated: npt.NDArray[np.void], lot_base: float) -> Agreement:
    """Compare fills, FILL_LINE rows; those of orders that we did not know (id 0) count in volume alone."""
    lots, other = _lots_by_order(live), _lots_by_order(simulated)
    orders = set(lots) | set(other)
    common = sum(min(lots.get(order, 0), other.get(order, 0)) for order in orders)
    either = sum(max(lots.get(order, 0), other.get(order, 0)) for order in orders)
    volumes = [float(fills["size_lots"].sum()) * lot_base for fills in (live, simulated)]
    return Agreement(
        live_fills=len(live),
        simulated_fills=len(simulated),
        live_volume=volumes[0],
        simulated_volume=volumes[1],
        volume_ratio=_ratio(volumes[1], volumes[0]),
        agreement=_ratio(common, either),
        found=_ratio(common, sum(lots.values())),
        right=_ratio(common, sum(other.values())),
        delay_ms=_delay_ms(live, simulated),
        markout_difference_bps={
            f"{after}s": _difference(_markout_bps(simulated, after), _markout_bps(live, after))
            for after in MARKOUT_AFTER_S
        },
    )


def _lots_by_order(fills: npt.NDArray[np.void]) -> dict[int, int]:
    lots: dict[int, int] = {}
    for order, size in zip(fills["order_id"].tolist(), fills["size_lots"].tolist(), strict=True):
        if order:
            lots[order] = lots.get(order, 0) + size
    return lots


def _delay_ms(live: npt.NDArray[np.void], simulated: npt.NDArray[np.void]) -> float | None:
    first, other = (
        {int(fill["order_id"]): int(fill["time_ns"]) for fill in fills[::-1]} for fills in (live, simulated)
    )
    delays = [other[order] - first[order] for order in first.keys() & other.keys()]
    return float(np.median(delays)) / 1e6 if delays else None


def _first_ns(fills: npt.NDArray[np.void]) -> dict[int, int]:
    """Return the time of each order's first fill."""
    return {int(fill["order_id"]): int(fill["time_ns"]) for fill in fills[::-1]}


def _markout_bps(fills: npt.NDArray[np.void], after_s: int) -> float | None:
    known = fills[fills[f"mid2_ticks_{after_s}s"] != UNKNOWN_MID]
    moved = known["side"] * known["size_lots"] * (0.5 * known[f"mid2_ticks_{after_s}s"] - known["price_ticks"])
    return _ratio(float(moved.sum()) * BPS, float((known["size_lots"] * known["price_ticks"]).sum()))


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
