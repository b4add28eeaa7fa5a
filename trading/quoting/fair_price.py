"""The price that a model centres on.

    mid      (bid + ask) / 2                                    micro    best prices weighted by the opposite size
    mark     micro + mark_weight · (mark price − micro)         index    index price + basis
    vamp     the micro-price of several levels (vamp.py)

where the basis is an average of mid − index, so a leg with its own premium keeps it. Vamp, mark and index move the fair
price off the micro-price by `fair_offset_bps_max` at most; one that is missing or old leaves the micro-price.

Funding: a perpetual held until the interval ends pays rate · price · (time to go / 8 h), as the venue's rate is for
8 hours and accrues. A long pays when the rate is positive, so the fair price of the leg is lower by that.
"""

from __future__ import annotations

import math

from domain.clock import NS_PER_S
from domain.codes import ClampFlag
from domain.jit import Record, kernel
from trading.quoting.records import FAIR_INDEX, FAIR_MARK, FAIR_MID, FAIR_VAMP

RATE_PERIOD_NS = 8 * 3600 * NS_PER_S  # the venue's funding rate is for so long
_REFERENCE_UNKNOWN = int(ClampFlag.REFERENCE_UNKNOWN)
_FAIR_BOUNDED = int(ClampFlag.FAIR_BOUNDED)


@kernel
def is_price(value: float) -> bool:
    """Return whether `value` is a positive finite number (False for NaN)."""
    return 0.0 < value < math.inf


@kernel
def is_fresh(params: Record, ticker: Record, now_ns: int) -> bool:
    """Return whether the ticker is young enough to be used."""
    received_ns = ticker["receive_time_ns"]
    return bool(received_ns > 0 and now_ns - received_ns <= params["reference_age_ns_max"])


@kernel
def update_basis(params: Record, state: Record, ticker: Record, time_ns: int, elapsed_s: float) -> None:
    """Take mid − index into the average of the basis."""
    index = ticker["index_price"]
    if not (is_fresh(params, ticker, time_ns) and is_price(index)):
        return
    basis = state["mid"] - index
    if state["basis_is_known"] == 1:
        basis = state["basis"] + (basis - state["basis"]) * elapsed_s / (params["basis_average_s"] + elapsed_s)
    state["basis"] = basis
    state["basis_is_known"] = 1


@kernel
def fair_price(params: Record, state: Record, moment: Record, ticker: Record, terms: Record) -> float:
    """Return the fair price ($) and explain it."""
    kind = params["fair_kind"]
    now_ns = moment["now_ns"]
    known = is_fresh(params, ticker, now_ns)
    terms["mark_price"] = ticker["mark_price"] if known and is_price(ticker["mark_price"]) else math.nan
    terms["index_price"] = ticker["index_price"] if known and is_price(ticker["index_price"]) else math.nan
    terms["basis"] = state["basis"]
    fair = state["mid"] if kind == FAIR_MID else state["micro"]
    if kind == FAIR_MARK:
        fair = _bounded(params, state, terms, fair + params["mark_weight"] * (terms["mark_price"] - fair))
    elif kind == FAIR_INDEX:
        basis = state["basis"] if state["basis_is_known"] == 1 else math.nan
        fair = _bounded(params, state, terms, terms["index_price"] + basis)
    elif kind == FAIR_VAMP:
        fair = _bounded(params, state, terms, state["vamp"])
    terms["funding"] = 0.0
    if params["funding_in_fair_price"] == 1:
        fair -= _funding(params, state, moment, ticker, terms, known)
    return float(fair)


@kernel
def _bounded(params: Record, state: Record, terms: Record, wanted: float) -> float:
    """Return `wanted` within its distance of the micro-price; the micro-price when it is no number."""
    micro = state["micro"]
    if not is_price(wanted):
        terms["clamp_flags"] |= _REFERENCE_UNKNOWN
        return float(micro)
    offset_max = micro * params["fair_offset_max"]
    bounded = min(max(wanted, micro - offset_max), micro + offset_max)
    if bounded != wanted:
        terms["clamp_flags"] |= _FAIR_BOUNDED
    return float(bounded)


@kernel
def _funding(params: Record, state: Record, moment: Record, ticker: Record, terms: Record, known: bool) -> float:
    """Return what a long of one base unit will have paid when the interval ends, $."""
    rate = ticker["funding_rate"]
    if not (known and abs(rate) < 1.0):  # also refuses NaN
        terms["clamp_flags"] |= _REFERENCE_UNKNOWN
        return 0.0
    interval_ns = params["funding_interval_ns"]
    to_go_ns = interval_ns - moment["realtime_ns"] % interval_ns
    terms["funding"] = rate * state["mid"] * (to_go_ns / RATE_PERIOD_NS)
    return float(terms["funding"])
