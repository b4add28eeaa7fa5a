"""Round trips: from flat to flat. What each of them made."""

from __future__ import annotations

from backtest.metrics.leg import FEE_UNIT, Leg


def round_trips_usd(leg: Leg) -> list[float]:
    """Return what every finished round trip made, fees included, quote currency.

    A fill that turns the position round ends one trip and begins the next; its fee is shared by size. The first trip
    of a run that began with a position counts from the first mid; one that is open at the end is not counted.
    """
    trips: list[float] = []
    position = leg.begin_position_lots
    cash_ticks = -position * (leg.begin_mid2_ticks or 0) / 2
    fees = 0.0
    money = float(leg.grid.money)
    fee_money = money * float(FEE_UNIT)
    names = ("side", "size_lots", "price_ticks", "fee")
    for side, lots, ticks, fee in zip(*(leg.fills[name].tolist() for name in names), strict=True):
        signed = side * lots
        closing = 0
        if position * signed < 0:
            closing = signed if lots <= abs(position) else -position
        opening = signed - closing
        cash_ticks -= closing * ticks
        fees += fee * closing / signed
        position += closing
        if closing and position == 0:
            trips.append(cash_ticks * money - fees * fee_money)
            cash_ticks = fees = 0.0
        cash_ticks -= opening * ticks
        fees += fee * opening / signed
        position += opening
    return trips
