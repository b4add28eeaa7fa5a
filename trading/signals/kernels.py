"""What the signals take in: every usable book and every public trade of the instrument."""

from __future__ import annotations

from domain.jit import Record, kernel


@kernel
def signals_on_book(signal_params: Record, signals: Record, time_ns: int, mid: float) -> None:
    """Take the mid ($), without our own orders, of a new usable book."""


@kernel
def signals_on_trade(
    signal_params: Record, signals: Record, time_ns: int, price: float, size: float, aggressor_side: int
) -> None:
    """Take a public trade; `size` as the venue shows it, `aggressor_side` +1 the buyer crossed, -1 the seller."""
