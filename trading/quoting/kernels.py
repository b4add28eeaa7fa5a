"""The four functions of a strategy: `on_book`, `on_trade`, `on_fill` and `quote`.

Live, paper and backtest run these same kernels on the records of trading/quoting/records.py. They hold no clock,
configuration, log or I/O: the same records give the same quotes.
"""

from __future__ import annotations

import math

from domain.codes import OffReason
from domain.jit import Record, kernel
from domain.order import TradingState
from trading.quoting.averages import elapsed_since_book
from trading.quoting.depth_proxy import update_depth_proxy
from trading.quoting.estimators import forget_times, note_trade, roll_intervals, sigma_used, update_sigma
from trading.quoting.fair_price import update_basis
from trading.quoting.impact import impact_on_book, impact_on_trade
from trading.quoting.ladder import best_ticks, clear, fill_side, hold
from trading.quoting.prices import explain_prices
from trading.quoting.records import FAIR_INDEX, FAIR_VAMP
from trading.quoting.shaping.asymmetry import note_move
from trading.quoting.shaping.displacement import note_path
from trading.quoting.shaping.fill_imbalance import note_fill, rests_after_fill
from trading.quoting.shaping.inventory_cost import note_position
from trading.quoting.shaping.market_stress import update_usual_market
from trading.quoting.shaping.regime import is_trending
from trading.quoting.shaping.tick_filter import ANCHORED_ANEW, REFUSED, filter_tick
from trading.quoting.touch import update_touch
from trading.quoting.vamp import update_vamp
from trading.signals.kernels import signals_on_book, signals_on_trade

_QUOTED = int(OffReason.QUOTED)
_NO_BOOK = int(OffReason.NO_BOOK)
_BOOK_STALE = int(OffReason.BOOK_STALE)
_POSITION_UNKNOWN = int(OffReason.POSITION_UNKNOWN)
_RISK = int(OffReason.RISK)
_PAUSED = int(OffReason.PAUSED)
_NOT_FINITE = int(OffReason.NOT_FINITE)
_NOT_WARM = int(OffReason.NOT_WARM)
_STOPPING = int(OffReason.STOPPING)
_TICK_REFUSED = int(OffReason.TICK_REFUSED)
_POST_FILL = int(OffReason.POST_FILL)
_REGIME = int(OffReason.REGIME)
_HALTED = int(TradingState.HALTED)


@kernel
def on_book(
    params: Record, state: Record, signal_params: Record, signals: Record, book: Record, ticker: Record, account: Record
) -> None:
    """Take a new book into the state: touch without our own size, σ, hypothetical quotes, averages, signals."""
    time_ns = book["receive_time_ns"]
    if time_ns - state["book_time_ns"] > params["sigma_gap_ns_max"]:
        forget_times(state)
    update_touch(params, state, book, account, time_ns)
    state["book_time_ns"] = time_ns
    if state["is_book_usable"] != 1:
        forget_times(state)
        return
    elapsed_s = elapsed_since_book(state, time_ns)
    if params["tick_filter"] == 1:
        verdict = filter_tick(params, state, elapsed_s)
        if verdict == REFUSED:
            return
        if verdict == ANCHORED_ANEW:
            forget_times(state)
    _update_estimates(params, state, time_ns)
    _update_averages(params, state, book, ticker, account, time_ns, elapsed_s)
    signals_on_book(signal_params, signals, time_ns, state["mid"])


@kernel
def _update_estimates(params: Record, state: Record, time_ns: int) -> None:
    """Take the mid into σ, and into A, κ and impact where they are measured; elsewhere no interval stays open."""
    update_sigma(params, state, time_ns)
    if params["fit_arrivals"] == 1:
        roll_intervals(params, state, time_ns)
    else:
        state["fit_start_time_ns"] = 0
    if params["measure_impact"] == 1:
        impact_on_book(params, state, time_ns)
    else:
        state["impact_start_time_ns"] = 0


@kernel
def _update_averages(
    params: Record, state: Record, book: Record, ticker: Record, account: Record, time_ns: int, elapsed_s: float
) -> None:
    """Take the book into what the steps in use look at, each only where it is in use."""
    if params["depth_proxy"] == 1:
        update_depth_proxy(params, state, book, account, elapsed_s)
    if params["fair_kind"] == FAIR_INDEX:
        update_basis(params, state, ticker, time_ns, elapsed_s)
    if params["fair_kind"] == FAIR_VAMP:
        update_vamp(params, state, book, account, time_ns)
    if params["dynamic_gamma"] == 1 or params["market_stress"] == 1:
        sigma, _ = sigma_used(params, state)
        update_usual_market(params, state, book, account, sigma, elapsed_s)
    if params["displacement_guard"] == 1:
        note_path(params, state, time_ns)
    if params["asymmetric_widening"] == 1:
        note_move(state)


@kernel
def on_trade(params: Record, state: Record, signal_params: Record, signals: Record, trade: Record) -> None:
    """Take a public trade into state and signals."""
    state["trades"] += 1
    signals_on_trade(
        signal_params, signals, trade["receive_time_ns"], trade["price"], trade["size"], trade["aggressor_side"]
    )
    if state["is_book_usable"] != 1:
        return
    if params["fit_arrivals"] == 1:
        roll_intervals(params, state, trade["receive_time_ns"])
        note_trade(state, trade["price"], trade["aggressor_side"])
    if params["measure_impact"] == 1:
        impact_on_trade(params, state, trade["receive_time_ns"], trade["size"], trade["aggressor_side"])


@kernel
def on_fill(params: Record, state: Record, side: int, size_lots: int, time_ns: int) -> None:
    """Take one of our own fills into the state; the position itself comes with the account record."""
    state["fills"] += 1
    state["fill_time_ns"] = time_ns
    state["fill_side"] = side
    note_fill(state, side, time_ns)
    if side > 0:
        state["bought"] += size_lots * params["lot_base"]
    else:
        state["sold"] += size_lots * params["lot_base"]


@kernel
def quote(
    params: Record,
    state: Record,
    signals: Record,
    table: Record,
    moment: Record,
    book: Record,
    ticker: Record,
    account: Record,
    limits: Record,
    ladder: Record,
    explanation: Record,
) -> None:
    """Write the quotes wanted now into `ladder`, and every term of them into `explanation`."""
    if moment["is_touch_known"] != 1:
        update_touch(params, state, book, account, moment["now_ns"])
    ladder["clamp_flags"] = 0
    explain(params, state, signals, table, moment, ticker, account, explanation)
    reason = both_sides_off(params, state, moment, account, limits, explanation["half_spread"])
    if reason == _QUOTED and is_trending(params, signals):
        reason = _REGIME
    clear(ladder, reason)
    if reason == _QUOTED:
        build(params, state, limits, ladder, explanation, moment["now_ns"])
    state["quote_bid_ticks"] = ladder["bid_price_ticks"][0]
    state["quote_ask_ticks"] = ladder["ask_price_ticks"][0]
    explain_ladder(state, ladder, explanation)


@kernel
def explain(
    params: Record,
    state: Record,
    signals: Record,
    table: Record,
    moment: Record,
    ticker: Record,
    account: Record,
    explanation: Record,
) -> None:
    """Write every term of the quote up to the first prices before rounding."""
    position_lots = int(account["position_lots"])
    note_position(state, position_lots, moment["now_ns"])
    explanation["position_lots"] = position_lots
    explanation["position"] = position_lots * params["lot_base"]
    _explain_inventory(params, moment, explanation)
    explanation["clamp_flags"] = 0
    explain_prices(params, state, signals, table, moment, ticker, explanation)


@kernel
def _explain_inventory(params: Record, moment: Record, explanation: Record) -> None:
    """Write what the skew looks at, base units: our position, the net delta of the underlying, or a mix."""
    weight = params["underlying_inventory_weight"]
    position = explanation["position"]
    net_delta = moment["net_delta"] if moment["is_net_delta_known"] == 1 else math.nan
    explanation["net_delta"] = net_delta
    explanation["inventory"] = position + weight * (net_delta - position) if weight > 0.0 else position


@kernel
def both_sides_off(
    params: Record, state: Record, moment: Record, account: Record, limits: Record, half_spread: float
) -> int:
    """Return the OffReason that takes both sides away, or QUOTED."""
    now_ns = moment["now_ns"]
    if moment["is_stopping"] == 1:
        return _STOPPING
    if moment["instrument_off"] != _QUOTED:
        return int(moment["instrument_off"])
    if moment["is_paused"] == 1:
        return _PAUSED
    if state["is_book_usable"] != 1:
        return _NO_BOOK
    if moment["is_connected"] != 1 or now_ns - moment["alive_time_ns"] > params["book_age_ns_max"]:
        return _BOOK_STALE
    if params["tick_filter"] == 1 and state["tick_refused"] > 0:
        return _TICK_REFUSED
    if account["is_known"] != 1:
        return _POSITION_UNKNOWN
    if params["underlying_inventory_weight"] > 0.0 and moment["is_net_delta_known"] != 1:
        return _POSITION_UNKNOWN
    if limits["state"] == _HALTED or now_ns - limits["written_time_ns"] > params["limits_age_ns_max"]:
        return _RISK
    if limits["is_position_known"] != 1:
        return _POSITION_UNKNOWN
    if params["sigma_prior"] == 0.0 and state["sigma_samples"] < params["sigma_samples_min"]:
        return _NOT_WARM
    if not (0.0 < half_spread < math.inf):
        return _NOT_FINITE
    return _QUOTED


@kernel
def build(params: Record, state: Record, limits: Record, ladder: Record, terms: Record, now_ns: int) -> None:
    """Fill the ladder around the first prices in `terms`."""
    position_lots = int(terms["position_lots"])
    bid_ticks, ask_ticks = best_ticks(state, ladder, params["tick_size"], terms["bid_price"], terms["ask_price"])
    if ask_ticks == 0:
        clear(ladder, _NOT_FINITE)
        return
    bid_ticks, ask_ticks = hold(params, state, bid_ticks, ask_ticks)
    if rests_after_fill(params, state["bid_fill_time_ns"], now_ns):
        ladder["bid_off_reason"] = _POST_FILL
    else:
        ladder["bid_count"], ladder["bid_off_reason"] = fill_side(
            params, limits, ladder, ladder["bid_price_ticks"], ladder["bid_size_lots"],
            position_lots, bid_ticks, -1, terms["bid_size_factor"],
        )  # fmt: skip
    if rests_after_fill(params, state["ask_fill_time_ns"], now_ns):
        ladder["ask_off_reason"] = _POST_FILL
    else:
        ladder["ask_count"], ladder["ask_off_reason"] = fill_side(
            params, limits, ladder, ladder["ask_price_ticks"], ladder["ask_size_lots"],
            -position_lots, ask_ticks, 1, terms["ask_size_factor"],
        )  # fmt: skip


@kernel
def explain_ladder(state: Record, ladder: Record, explanation: Record) -> None:
    explanation["clamp_flags"] |= ladder["clamp_flags"]
    explanation["bid_off_reason"] = ladder["bid_off_reason"]
    explanation["ask_off_reason"] = ladder["ask_off_reason"]
    explanation["best_bid_ticks"] = state["best_bid_ticks"]
    explanation["best_ask_ticks"] = state["best_ask_ticks"]
    explanation["mid_price"] = state["mid"]
    explanation["micro_price"] = state["micro"]
    explanation["quote_bid_ticks"] = ladder["bid_price_ticks"][0]
    explanation["quote_ask_ticks"] = ladder["ask_price_ticks"][0]
