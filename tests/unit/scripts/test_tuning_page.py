"""docs/tuning.md: every parameter of the strategy is there, and its figures are those of the models."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from scripts.tuning_plot import HORIZON_S, horizon_table, quotes, table
from tests.conftest import REPOSITORY
from trading.quoting.config import QuotingConfig

PAGE = (REPOSITORY / "docs" / "tuning.md").read_text(encoding="utf-8")


def keys(kind: type[msgspec.Struct], prefix: str = "") -> list[str]:
    """Return the dotted names of all parameters, those of nested tables too."""
    found = []
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found += keys(field.type, f"{prefix}{field.name}.")
        else:
            found.append(prefix + field.name)
    return found


def named() -> list[str]:
    """Return the keys in the first cells of the page's tables."""
    first_cells = (line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    return [name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_parameter_stands_in_the_page_once_and_no_other() -> None:
    assert sorted(named()) == sorted(keys(QuotingConfig))


def test_the_tables_are_those_of_the_models() -> None:
    for line in (*table(), *horizon_table()):
        assert line in PAGE, "python -m scripts.tuning_plot prints the tables"


def test_what_the_page_says_of_gamma_holds() -> None:
    calm, eager = quotes(gamma=0.001), quotes(gamma=10.0)
    assert eager[0] / calm[0] == pytest.approx(1.5, abs=0.02)
    assert (calm[0] / calm[1]) / (eager[0] / eager[1]) == pytest.approx(75, abs=10)
    assert QuotingConfig().horizon_s == HORIZON_S


def test_the_plot_is_made_by_its_command(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from scripts.tuning_plot import draw

    draw(tmp_path / "tuning.png")
    assert (tmp_path / "tuning.png").read_bytes().startswith(b"\x89PNG")
    assert (REPOSITORY / "docs" / "tuning.png").exists()
