"""The worked example of docs/models.md: the page shows what the command prints, and the quoter does what both say."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from domain.clock import NS_PER_S
from scripts import worked_example as example
from tests.quoting_case import UNITS, Case
from trading.quoting.config import QuotingConfig

PAGE = Path(__file__).resolve().parents[3] / "docs" / "models.md"
CONFIG = QuotingConfig().with_values(
    {
        "fee_maker_bps": example.FEE_BPS,
        "fee_margin_bps": example.MARGIN_BPS,
        "shaping.inventory_cost": True,
        "shaping.displacement_guard": True,
        "shaping.fill_imbalance": True,
    }
)


def test_the_page_shows_what_the_command_prints() -> None:
    assert textwrap.indent(example.text(), "    ") in PAGE.read_text()


def test_the_quoter_quotes_the_worked_example() -> None:
    # Given the situation of the page
    case = Case(CONFIG, UNITS._replace(tick_size=example.TICK_SIZE))
    case.hold(20)
    case.set_book(example.MID_BEFORE - 0.5, example.MID_BEFORE + 0.5)
    case.quote()
    for _ in range(30):
        case.tick(NS_PER_S)
    for _ in range(5):
        case.fill(1)
    for _ in range(29):
        case.tick(NS_PER_S)
    case.set_book(example.BID, example.ASK, example.BID_SIZE, example.ASK_SIZE)
    # I expect each of its numbers
    view = case.quote(NS_PER_S)
    for name, (_, value) in example.steps().items():
        if name not in ("x", "c1", "c2"):
            assert view[name] == pytest.approx(value, rel=1e-9), name
