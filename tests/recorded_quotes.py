"""Quotes along what tests/recorded_market.py kept: `python -m tests.recorded_quotes MARKET OUT`.

With everything on, through all models; compiled or interpreted, by RINGMAKER_JIT.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.quoting_case import BARE, Case
from trading.quoting.params import Units

PRICES = ("bid_price", "ask_price")
LADDER = ("bid_off_reason", "ask_off_reason", "clamp_flags")
EVERYTHING = BARE.with_values(
    {
        "fit_arrivals": True, "fit_intervals_min": 20.0, "sigma_samples_min": 20, "sigma_estimator": "two_scale",
        "order_size_base": 1.0, "signals.is_enabled": True, "signals.candle_volume_base": 5.0, "levels": 3,
        "fee_maker_bps": 0.1, "fee_floor": True, "shaping.flow_widening_max": 0.3, "drift_momentum_usd_per_s": 0.1,
        "level_spacing_ticks": 10, "shaping.dynamic_gamma": True, "shaping.market_stress": True,
        "shaping.market_impact": True, "shaping.measure_impact": True, "shaping.inventory_cost": True,
        "shaping.displacement_guard": True,
        "shaping.displacement_move_bps_min": 1.0, "shaping.asymmetric_widening": True,
        "shaping.asymmetry_move_bps_min": 1.0, "shaping.fill_imbalance": True, "shaping.post_fill_pause": True,
        "shaping.tick_filter": True, "shaping.ladder_spacing": "fibonacci",
    }
)  # fmt: skip
MODELS = ("glft", "avellaneda_stoikov", "avellaneda_stoikov_exact", "cartea_jaimungal")


def quotes_along(market: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return (ladders, prices before rounding) for every book of a market; the position wanders with the quotes."""
    with np.load(market) as kept:
        books, trades, (tick_size, lot_size) = kept["books"], kept["trades"], kept["steps"]
    case = Case(EVERYTHING, Units(float(tick_size), float(lot_size)))
    ladders = np.zeros((len(books), 15), np.int64)
    prices = np.zeros((len(books), len(PRICES)))
    next_trade = 0
    for i in range(len(books)):
        if i % 100 == 0:
            model = MODELS[i // 100 % len(MODELS)]
            case.quoter.configure(EVERYTHING.with_values({"model": model}), case.units)
        book = books[i : i + 1]
        now_ns = int(book["receive_time_ns"][0])
        end = int(np.searchsorted(trades["receive_time_ns"], now_ns))
        case.quoter.take_trades(trades[next_trade:end], end)
        next_trade = end
        if i % 40 == 0:
            case.hold(round(2000 * np.sin(i / 50)))
            case.quoter.take_fill(1 if i % 120 else -1, 1, now_ns)
        case.now_ns = now_ns
        case.book = book
        view = case.quote()
        row = [*view["bids"], *[0] * (3 - len(view["bids"])), *view["asks"], *[0] * (3 - len(view["asks"]))]
        row += [*view["bid_lots"], *[0] * (3 - len(view["bid_lots"]))]
        row += [*view["ask_lots"], *[0] * (3 - len(view["ask_lots"]))]
        ladders[i] = row + [view[name] for name in LADDER]
        prices[i] = [view[name] for name in PRICES]
    return ladders, prices


if __name__ == "__main__":
    found_ladders, found_prices = quotes_along(Path(sys.argv[1]))
    np.savez(sys.argv[2], ladders=found_ladders, prices=found_prices)
