"""The worked example of docs/models.md, step by step: `.venv/bin/python -m scripts.worked_example`.

Plain arithmetic from the formulas; a test holds the quoter to the same numbers, and the page to this text.
"""

from __future__ import annotations

import math
import sys

# The market: mids of thirty seconds ago and now, the touch, and what is known of volatility and arrivals.
BID, BID_SIZE, ASK, ASK_SIZE = 100_000.0, 3.0, 100_001.0, 1.0
MID_BEFORE = 99_880.5
TICK_SIZE = 0.5
SIGMA, RATE, DECAY = 5.0, 1.0, 0.5
# Ours: parameters by their names in the configuration, and the position.
GAMMA, ORDER_SIZE = 0.01, 0.01
COST_PER_BASE_SQRT_S = 0.01
FEE_BPS, MARGIN_BPS = 0.1, 0.5
MOVE_BPS_MIN, WIDENING_PER_BPS, FILL_FACTOR = 10.0, 0.2, 1.3
POSITION, HELD_S = 0.02, 60.0


def steps() -> dict[str, tuple[str, float]]:
    """Return each number of the example, by its name in the explanation, with how it comes about."""
    mid = (BID + ASK) / 2
    micro = (BID * ASK_SIZE + ASK * BID_SIZE) / (BID_SIZE + ASK_SIZE)
    x = GAMMA * ORDER_SIZE / DECAY
    c1 = math.log(1 + x) / (GAMMA * ORDER_SIZE)
    c2 = math.sqrt(GAMMA / (2 * RATE * ORDER_SIZE * DECAY) * (1 + x) ** (1 + 1 / x))
    model = c1 + ORDER_SIZE / 2 * SIGMA * c2
    skew_per_unit = SIGMA * c2
    skew = -skew_per_unit * POSITION
    cost = -COST_PER_BASE_SQRT_S * POSITION * HELD_S * SIGMA
    reservation = micro + skew + cost
    floor = mid * (FEE_BPS + MARGIN_BPS / 2) / 10_000
    excess_bps = (mid / MID_BEFORE - 1) * 10_000 - MOVE_BPS_MIN
    displacement = 1 + WIDENING_PER_BPS * excess_bps
    half = max(model, floor) * displacement
    bid, ask = reservation - half * FILL_FACTOR, reservation + half
    return {
        "mid_price": (f"({BID:.0f} + {ASK:.0f}) / 2", mid),
        "micro_price": (f"({BID:.0f}·{ASK_SIZE:g} + {ASK:.0f}·{BID_SIZE:g}) / {BID_SIZE + ASK_SIZE:g}", micro),
        "x": (f"ξΔ/κ = {GAMMA}·{ORDER_SIZE}/{DECAY}", x),
        "c1": (f"ln(1 + {x:g}) / ({GAMMA}·{ORDER_SIZE})", c1),
        "c2": (f"√( {GAMMA}/(2·{RATE:g}·{ORDER_SIZE}·{DECAY}) · (1 + {x:g})^{1 + 1 / x:.0f} )", c2),
        "half_spread_model": (f"{c1:.4f} + {ORDER_SIZE / 2:g}·{SIGMA:g}·{c2:.4f}", model),
        "skew_per_unit": (f"{SIGMA:g}·{c2:.4f}", skew_per_unit),
        "skew": (f"-{skew_per_unit:.4f}·{POSITION}", skew),
        "inventory_cost": (f"-{COST_PER_BASE_SQRT_S}·{POSITION}·{HELD_S:g}·{SIGMA:g}", cost),
        "reservation_price": (f"{micro} - {-skew:.4f} - {-cost:.4f}", reservation),
        "half_spread_fee_floor": (f"{mid}·({FEE_BPS} + {MARGIN_BPS}/2)/10000, above the model's", floor),
        "displacement_factor": (
            f"1 + {WIDENING_PER_BPS}·(({mid}/{MID_BEFORE} - 1)·10000 - {MOVE_BPS_MIN:g})",
            displacement,
        ),
        "half_spread": (f"{max(model, floor):.4f}·{displacement:.4f}", half),
        "bid_price": (f"{reservation:.4f} - {half:.4f}·{FILL_FACTOR}, for five bids were filled and no ask", bid),
        "ask_price": (f"{reservation:.4f} + {half:.4f}", ask),
        "quote_bid_ticks": (f"{bid:.4f}/{TICK_SIZE}, down", math.floor(bid / TICK_SIZE)),
        "quote_ask_ticks": (f"{ask:.4f}/{TICK_SIZE}, up", math.ceil(ask / TICK_SIZE)),
    }


def text() -> str:
    """Return the example as the page shows it."""
    lines = [f"{name:22s} {_number(value):>12s}   {how}" for name, (how, value) in steps().items()]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:d}" if isinstance(value, int) else f"{value:.4f}"


if __name__ == "__main__":
    sys.stdout.write(text())
