"""Steps 1 to 8: from the state to the prices of the first levels before rounding.

Every step reads and writes `terms`, the explanation of the quote, so that what acted is what is explained. The order is
that of docs/models.md.
"""

from __future__ import annotations

from domain.jit import Record, kernel
from trading.quoting.fair_price import fair_price
from trading.quoting.market import used_arrivals, used_impact_per_fill, used_sigma
from trading.quoting.models.horizon import horizon_s
from trading.quoting.models.selection import model_quote
from trading.quoting.shaping.asymmetry import explain_asymmetry
from trading.quoting.shaping.displacement import displacement_factor
from trading.quoting.shaping.dynamic_gamma import used_gamma
from trading.quoting.shaping.fill_imbalance import explain_fill_imbalance
from trading.quoting.shaping.half_spread import floored_and_bounded, rate_under_impact
from trading.quoting.shaping.inventory_cost import inventory_cost
from trading.quoting.shaping.signal_use import explain_signals, flow_factor, signal_shift


@kernel
def explain_prices(
    params: Record, state: Record, signals: Record, table: Record, moment: Record, ticker: Record, terms: Record
) -> None:
    """Write every term of the quote for the inventory in `terms`, up to `bid_price` and `ask_price` ($)."""
    explain_signals(signals, terms)
    fair = fair_price(params, state, moment, ticker, terms)
    sigma = used_sigma(params, state, terms)
    half_spread = _model_half_spread(params, state, signals, table, moment, terms, sigma)
    half_spread *= flow_factor(params, signals, terms)
    shift = terms["skew"] + terms["drift_shift"] + signal_shift(signals, terms, half_spread)
    shift += inventory_cost(params, state, terms, moment["now_ns"], terms["inventory"], sigma, half_spread)
    half_spread = floored_and_bounded(params, state, terms, half_spread)
    half_spread *= displacement_factor(params, state, terms)
    explain_asymmetry(params, state, terms)
    explain_fill_imbalance(params, state, terms, moment["now_ns"])
    terms["fair_price"] = fair
    terms["reservation_price"] = fair + shift
    terms["half_spread"] = half_spread
    terms["bid_price"] = fair + shift - half_spread * (terms["bid_asymmetry_factor"] * terms["bid_fill_factor"])
    terms["ask_price"] = fair + shift + half_spread * (terms["ask_asymmetry_factor"] * terms["ask_fill_factor"])


@kernel
def _model_half_spread(
    params: Record, state: Record, signals: Record, table: Record, moment: Record, terms: Record, sigma: float
) -> float:
    """Return the model's half-spread with market impact, $."""
    rate, decay = used_arrivals(params, state, terms)
    terms["risk_aversion"] = used_gamma(params, state, terms, sigma)
    terms["horizon_s"] = horizon_s(params, moment["realtime_ns"])
    terms["drift"] = params["drift"] + params["drift_momentum"] * signals["momentum"]
    impact = used_impact_per_fill(params, state, terms)
    terms["market_impact"] = 0.5 * impact
    model_quote(params, table, terms, sigma, rate_under_impact(rate, decay, impact), decay)
    return float(terms["half_spread_model"] + terms["market_impact"])
