"""Every statistic: its unit and its formula. docs/backtest.md and the report print this table."""

from __future__ import annotations

from typing import NamedTuple

from backtest.metrics.leg import MARKOUTS_S


class Definition(NamedTuple):
    """What a statistic is: its unit, how it is counted, and whose idea it is where it has an owner."""

    unit: str
    formula: str
    source: str = ""


DEFINITIONS: dict[str, Definition] = {
    "seconds": Definition("s", "from the first to the last row of the market"),
    "net_pnl": Definition("$", "cash + position · last mid − fees + funding; the five parts below add up to it"),
    "pnl_spread": Definition("$", "Σ s·l·(m − p) over fills: side s, size l, price p, mid m as it happened"),
    "pnl_adverse_selection": Definition(
        "$", "Σ s·l·(m₅ − m), m₅ the mid 5 s after the fill", "effective = realised spread + price impact: Huang and "
        "Stoll 1996"
    ),
    "pnl_inventory": Definition("$", "Σ s·l·(M − m₅), M the last mid; and the position at first · (M − first mid)"),
    "pnl_fees": Definition("$", "−Σ fees, as booked; rebates are gains; shown as fees paid, with the other sign"),
    "pnl_funding": Definition("$", "Σ funding, as booked"),
    "sharpe": Definition(
        "1/√year", "mean of ΔE / standard deviation of ΔE (n − 1) · √(365 d / interval); E = equity, interest 0",
        "Sharpe 1994, of differences, for there is no capital to divide by",
    ),
    "sortino": Definition(
        "1/√year", "mean of ΔE / √(mean of min(ΔE, 0)²) · √(365 d / interval)", "Sortino and Price 1994, target 0"
    ),
    "return_interval": Definition("s", "of ΔE: the longest of 1 d, 1 h, 1 min, 10 s, 1 s of which the run holds 30"),
    "max_drawdown": Definition("$", "largest fall of equity, seen once a second, below its highest so far"),
    "longest_below_peak": Definition("s", "longest time that equity stayed below its highest"),
    "round_trips": Definition("", "from flat to flat, finished ones"),
    "win_rate": Definition("", "round trips that made more than 0, fees included / round trips"),
    "fills": Definition("", "fills, partial ones each"),
    "maker_share": Definition("", "lots filled as maker / lots filled"),
    "volume": Definition("base", "Σ l"),
    "turnover": Definition("$", "Σ l·p"),
    "turnover_per_day": Definition("$/d", "turnover / seconds · 86,400"),
    "net_pnl_per_turnover": Definition("bps", "net_pnl / turnover · 10⁴"),
    "orders": Definition("", "orders that the exchange told of"),
    "fill_ratio": Definition("", "orders with a fill / orders"),
    "quoted_time_bid": Definition("", "time with a bid of ours open / time from the first wish to the stop"),
    "quoted_time_ask": Definition("", "time with an ask of ours open / time from the first wish to the stop"),
    "quoted_time_both": Definition("", "of the samples taken once a second in that time: those with both"),
    "quoted_spread": Definition("bps", "mean of (our best ask − our best bid) / mid · 10⁴ over seconds with both"),
    "position_end": Definition("base", "position at the end"),
    "position_mean": Definition("base", "mean position over seconds"),
    "position_mean_abs": Definition("base", "mean absolute position over seconds"),
    "position_max_abs": Definition("base", "largest absolute position"),
    **{
        f"markout_{after}s": Definition("bps", f"Σ s·l·(m − p) / Σ l·p · 10⁴, m the mid {after} s after each fill")
        for after in MARKOUTS_S
    },
}  # fmt: skip
