"""Prints the table of statistics that stands in docs/backtest.md: python -m scripts.statistics_table"""

from __future__ import annotations

import sys

from backtest.metrics.definitions import DEFINITIONS


def lines() -> list[str]:
    """Return the table in Markdown."""
    rows = [f"| `{name}` | {told.unit} | {told.formula} | {told.source} |" for name, told in DEFINITIONS.items()]
    return ["| statistic | unit | how it is counted | source |", "|---|---|---|---|", *rows]


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
