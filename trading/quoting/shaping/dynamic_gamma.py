"""γ as used, from the configured γ0 each time, so that nothing compounds::

γ = γ0 · clip(σ/σ_base, lo, hi) · market_stress · (1 + what the signals add)
"""

from __future__ import annotations

from domain.codes import ClampFlag
from domain.jit import Record, kernel
from trading.quoting.shaping.market_stress import market_stress

_GAMMA_BOUNDED = int(ClampFlag.GAMMA_BOUNDED)
_STRESSED = int(ClampFlag.STRESSED)


@kernel
def used_gamma(params: Record, state: Record, terms: Record, sigma: float) -> float:
    """Return γ in 1/$ for σ in $/√s, and explain each factor; `gamma_signal_factor` is set already."""
    factor = 1.0
    if params["dynamic_gamma"] == 1:
        base = params["gamma_sigma_base"]
        if base == 0.0:
            base = state["sigma_slow"]
        if base > 0.0 and sigma > 0.0:
            wanted = sigma / base
            factor = min(max(wanted, params["gamma_factor_min"]), params["gamma_factor_max"])
            if factor != wanted:
                terms["clamp_flags"] |= _GAMMA_BOUNDED
    stress = 1.0
    if params["market_stress"] == 1:
        stress = market_stress(params, state, sigma)
        if stress > 1.0:
            terms["clamp_flags"] |= _STRESSED
    terms["gamma_factor"] = factor
    terms["market_stress"] = stress
    return float(params["risk_aversion"] * factor * stress * terms["gamma_signal_factor"])
