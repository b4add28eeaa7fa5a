"""How much time a model with a finite horizon has to go."""

from __future__ import annotations

from domain.clock import NS_PER_S
from domain.jit import Record, kernel

NS_PER_DAY = 86_400 * NS_PER_S
HORIZON_S_MIN = 1.0  # at the session's end itself no model has a spread for the position left


@kernel
def horizon_s(params: Record, realtime_ns: int) -> float:
    """Return τ in s: constant where the horizon rolls; else up to the session's end, at most the configured one.

    The session ends every day at the same time of day (UTC); after it the next one begins. `realtime_ns` is Unix
    time.
    """
    longest_s = params["horizon_s"]
    if params["has_session_end"] != 1:
        return float(longest_s)
    to_go_ns = (params["session_end_ns"] - realtime_ns) % NS_PER_DAY
    return float(max(min(to_go_ns / NS_PER_S, longest_s), HORIZON_S_MIN))
