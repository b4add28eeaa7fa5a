"""The standard strategy: four functions of one QUOTER record `q`, and what follows the close of a candle.

A user's file replaces them, or wraps them (docs/extending.md). What stands in `q` is in trading/quoting/records.py.
"""

from __future__ import annotations

from domain.codes import OffReason
from domain.jit import Record, kernel
from trading.quoting import kernels
from trading.quoting.ladder import clear
from trading.quoting.models.selection import solve_if_moved

_QUOTED = int(OffReason.QUOTED)


@kernel
def on_book(q: Record) -> None:
    """Take the new book in `q["book"]` into state and signals."""
    kernels.on_book(q["params"], q["state"], q["signal_params"], q["signals"], q["book"], q["ticker"], q["account"])


@kernel
def on_trade(q: Record, trade: Record) -> None:
    """Take a public trade, a TRADE record of this instrument, into state and signals."""
    kernels.on_trade(q["params"], q["state"], q["signal_params"], q["signals"], trade)


@kernel
def on_fill(q: Record, side: int, size_lots: int, time_ns: int) -> None:
    """Take one of our own fills into the state; `side` +1 buy, -1 sell."""
    kernels.on_fill(q["params"], q["state"], side, size_lots, time_ns)


@kernel
def quote(q: Record) -> None:
    """Write the quotes wanted now into `q["ladder"]`, and every term of them into `q["explanation"]`."""
    kernels.quote(
        q["params"], q["state"], q["signals"], q["table"], q["moment"], q["book"], q["ticker"], q["account"],
        q["limits"], q["ladder"], q["explanation"],
    )  # fmt: skip


@kernel
def prices(q: Record) -> None:
    """Work out σ, A, κ, impact, fair and reservation price, half-spread, first prices ($) into `q["explanation"]`."""
    kernels.explain(
        q["params"], q["state"], q["signals"], q["table"], q["moment"], q["ticker"], q["account"], q["explanation"]
    )


@kernel
def place(q: Record, bid: float, ask: float) -> None:
    """Fill `q["ladder"]` from two first prices ($): rounded, kept off the book, sized and limited as ever.

    NaN takes both sides away.
    """
    terms = q["explanation"]
    terms["bid_price"] = bid
    terms["ask_price"] = ask
    terms["reservation_price"] = 0.5 * (bid + ask)
    terms["half_spread"] = 0.5 * (ask - bid)
    clear(q["ladder"], _QUOTED)
    kernels.build(q["params"], q["state"], q["limits"], q["ladder"], terms, q["moment"]["now_ns"])


@kernel
def solve(q: Record) -> bool:
    """After a quote is out: solve the grid of a model that has one, if its inputs moved; True = quote again."""
    return bool(solve_if_moved(q["params"], q["table"]))


@kernel
def on_candle(q: Record) -> None:
    """A candle has closed; a signal of the user's own is worked out here."""
