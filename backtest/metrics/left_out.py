"""What the figures of a run say nothing of: fills after which the market was not recorded long enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backtest.metrics.leg import MARKOUTS_S, UNKNOWN_MID, Leg
from backtest.metrics.split import ADVERSE_AFTER_S


def left_out_notes(legs: Sequence[Leg]) -> list[str]:
    """Return a sentence each on the fills that markouts leave out, and that the split counts otherwise."""
    fills = f"{sum(len(leg.fills) for leg in legs):,} fills"
    missing = {after: _unknown(legs, f"mid2_ticks_{after}s") for after in {*MARKOUTS_S, ADVERSE_AFTER_S}}
    notes, how = [], []
    if any(missing[after] for after in MARKOUTS_S):
        counts = ", ".join(f"{missing[after]:,} in that after {after} s" for after in MARKOUTS_S)
        notes.append(f"of {fills} markouts leave out those with no mid recorded so much later: {counts}")
    if late := missing[ADVERSE_AFTER_S]:
        how.append(f"of {late:,} with no mid {ADVERSE_AFTER_S} s later, adverse selection is counted up to the end")
    if own := _unknown(legs, "mid2_ticks"):
        how.append(f"{own:,} with no mid at their own moment have no spread")
    if how:
        notes.append(f"of {fills} the split leaves out none: {'; '.join(how)}")
    return notes


def _unknown(legs: Sequence[Leg], column: str) -> int:
    return sum(int(np.count_nonzero(leg.fills[column] == UNKNOWN_MID)) for leg in legs)
