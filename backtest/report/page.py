"""The page: what stands in a run folder, as one HTML file."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

import msgspec

from backtest.data.findings import DataError
from backtest.metrics.definitions import DEFINITIONS
from backtest.metrics.facts import Facts, read_facts
from backtest.metrics.statistics import Statistics
from backtest.report import figures
from backtest.report.conditions import conditions
from backtest.report.figures import Figure
from backtest.report.tables import FILLS_MAX, read_shown
from runtime.paths import write_atomically

PAGE_FILE = "report.html"
FEES = "pnl_fees"  # what fees did to the profit, as it is kept
_HERE = Path(__file__).parent
_HEADLINES = (
    "net_pnl", "sharpe", "max_drawdown", "fills", "turnover", "markout_5s", "quoted_time_bid", "quoted_time_ask",
)  # fmt: skip
_SHARES = ("maker_share", "win_rate", "fill_ratio", "quoted_time_bid", "quoted_time_ask", "quoted_time_both")


def write_report(folder: Path) -> Path:
    """Write the report of a run folder into it; returns its path.

    Raises:
        DataError: when the folder does not hold a run's tables and facts.
    """
    facts = read_facts(folder)
    if facts is None:
        raise DataError(f"{folder}: no summary.json or statistics.json of a run that can be shown")
    shown, equity = read_shown(folder)
    plots: dict[str, Figure] = {"equity": figures.equity_and_inventory(equity, shown)}
    parts = [_head(folder, facts), _plot("equity", "Equity and inventory", size="tall")]
    for number, one in enumerate(shown):
        label = f" of {one.instrument}" if len(shown) > 1 else ""
        plots[f"quotes{number}"] = figures.quotes_over_book(one)
        plots[f"spread{number}"] = figures.spread_and_skew(one)
        left_out = one.fills_left_out
        note = f"{left_out:,} of {FILLS_MAX + left_out:,} fills are not drawn" if left_out else ""
        parts.append(_plot(f"quotes{number}", f"Quotes{label} over the book", note, size="tall"))
        parts.append(_plot(f"spread{number}", f"Spread and skew{label}", size="tall"))
    plots["markouts"] = figures.markout_curve(shown)
    plots["split"] = figures.profit_split(facts.statistics)
    parts += [_plot("markouts", "Markout curve"), _plot("split", "Where the profit came from", size="low")]
    if any(found.n for found in facts.latency_us.values()):
        plots["latency"] = figures.latency_bars(facts.latency_us)
        parts.append(_plot("latency", "Latency", size="low"))
    parts.append(_table("Statistics", facts.statistics))
    parts += [_table(f"Statistics of {name}", told) for name, told in facts.by_instrument.items()]
    parts.append(_counts(facts))
    return _written(folder / PAGE_FILE, f"{folder.resolve().name} · {facts.kind}", parts, plots)


def page(title: str, parts: Sequence[str], plots: Mapping[str, Figure]) -> str:
    """Return an HTML file that needs nothing else, with its plots drawn by the library inside it."""
    library = (_HERE / "plotly-basic.min.js").read_text(encoding="utf-8")
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        body="\n".join(parts),
        library=library.replace("</script", "<\\/script"),
        figures=msgspec.json.encode(plots).decode().replace("</", "<\\/"),
    )


def _written(path: Path, title: str, parts: Sequence[str], plots: Mapping[str, Figure]) -> Path:
    try:
        write_atomically(path, page(title, parts, plots).encode())
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def _head(folder: Path, facts: Facts) -> str:
    cards = "".join(_card(name, facts.statistics) for name in _HEADLINES)
    sources = ", ".join(html.escape(name) for name in facts.data)
    run_with = conditions(facts)
    below = f'<p class="dim">{html.escape(run_with)}</p>' if run_with else ""
    notes = "".join(f"<p><b>{html.escape(note)}</b></p>" for note in facts.notes)
    return (
        f"<h1>{html.escape(folder.resolve().name)}</h1>"
        f'<p class="dim">{html.escape(facts.kind)} · {sources} · {html.escape(facts.config or "default configuration")}'
        f"</p>{below}{notes}<div class=cards>{cards}</div>"
    )


def _card(name: str, told: Statistics) -> str:
    value = told.values[name]
    mood = ""
    if name in ("net_pnl", "markout_5s") and value:
        mood = " gain" if value > 0 else " loss"
    return f'<div class="card{mood}"><span class=dim>{_words(name)}</span><b>{shown_value(name, value)}</b></div>'


def _plot(name: str, title: str, note: str = "", *, size: str = "") -> str:
    below = f"<p class=dim>{html.escape(note)}</p>" if note else ""
    return f'<h2>{html.escape(title)}</h2>{below}<div class="plot {size}" id="{name}"></div>'


def _table(title: str, told: Statistics) -> str:
    rows = []
    for name, value in told.values.items():
        defined = DEFINITIONS[name]
        how = html.escape(told.why_null[name] if value is None else defined.formula)
        rows.append(f"<tr><td>{_words(name)}<td class=number>{shown_value(name, value)}<td class=dim>{how}</tr>")
    head = "<tr><th>statistic<th><th>how it is counted, or why it is not known</tr>"
    return f"<h2>{html.escape(title)}</h2><table>{head}{''.join(rows)}</table>"


def _counts(facts: Facts) -> str:
    parts = []
    for title, counted in (("Messages", facts.counts), ("What filled", facts.fill_rules)):
        if counted:
            rows = "".join(f"<tr><td>{_words(name)}<td class=number>{n:,}</tr>" for name, n in counted.items())
            parts.append(f"<h2>{title}</h2><table>{rows}</table>")
    if facts.parameters:
        text = html.escape(msgspec.json.format(msgspec.json.encode(facts.parameters), indent=2).decode())
        parts.append(f"<details><summary>Parameters</summary><pre>{text}</pre></details>")
    if facts.fills_hash:
        parts.append(f"<p class=dim>fills hash <code>{facts.fills_hash}</code></p>")
    return "".join(parts)


def _words(name: str) -> str:
    return html.escape("fees paid" if name == FEES else name.replace("_", " "))


def shown_value(name: str, value: float | int | None) -> str:
    """Return a statistic as text, with its unit; fees as wherever they are shown: what was paid is positive."""
    if value is None:
        return "–"
    if name == FEES:
        value = 0 - value
    if name in _SHARES:
        return f"{value:.1%}"
    return f"{_digits(value)} {DEFINITIONS[name].unit}".strip()


def _digits(value: float | int) -> str:
    if isinstance(value, int) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:,.4g}"
