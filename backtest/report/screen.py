"""A run as lines on a terminal."""

from __future__ import annotations

from backtest.metrics.facts import Facts
from backtest.metrics.statistics import Statistics
from backtest.report.conditions import conditions
from backtest.report.page import FEES, shown_value

_GROUPS = (
    ("profit", ("net_pnl", "pnl_spread", "pnl_adverse_selection", "pnl_inventory", "pnl_fees", "pnl_funding")),
    ("risk", ("sharpe", "sortino", "max_drawdown", "longest_below_peak", "win_rate", "round_trips")),
    ("trading", ("fills", "maker_share", "volume", "turnover", "turnover_per_day", "net_pnl_per_turnover")),
    ("orders", ("orders", "fill_ratio", "quoted_time_bid", "quoted_time_ask", "quoted_time_both", "quoted_spread")),
    ("inventory", ("position_end", "position_mean", "position_mean_abs", "position_max_abs")),
    ("markouts", ("markout_1s", "markout_5s", "markout_30s")),
)
_COLUMNS = 3


def statistics_lines(facts: Facts) -> list[str]:
    """Return the statistics of a run, three a line, under what they are about."""
    told = facts.statistics
    lines = [f"{', '.join(facts.data)}: {shown_value('seconds', told.values['seconds'])}"]
    if told_conditions := conditions(facts):
        lines.append(f"  {told_conditions}")
    for title, names in _GROUPS:
        cells = [_cell(told, title, name) for name in names]
        rows = ["".join(cells[first : first + _COLUMNS]).rstrip() for first in range(0, len(cells), _COLUMNS)]
        lines += [f"  {'' if row else title:<10}{text}" for row, text in enumerate(rows)]
    if facts.fills_hash:
        lines.append(f"  fills hash {facts.fills_hash}")
    return lines + [f"  note: {note}" for note in facts.notes]


def _cell(told: Statistics, title: str, name: str) -> str:
    short = "fees paid" if name == FEES else name.removeprefix("pnl_").replace("_", " ")
    if title == "inventory":
        short = short.removeprefix("position ")
    return f"{short:<22}{shown_value(name, told.values[name]):>16}   "
