"""A generated page that no longer fits the code is a page that lies."""

from __future__ import annotations

from pathlib import Path

from runtime.config import Config, load_config
from scripts.config_reference import reference
from scripts.layout_page import page
from shm.header import header

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_configuration_page_is_up_to_date() -> None:
    assert (DOCS / "configuration.md").read_text() == reference(), (
        "python -m scripts.config_reference > docs/configuration.md"
    )


def test_the_layout_page_is_up_to_date() -> None:
    remedy = "python -m scripts.layout_page > docs/shm-layout.md"
    assert (DOCS / "shm-layout.md").read_text() == page(), remedy


def test_the_c_header_is_up_to_date() -> None:
    remedy = "python -m shm.header > scripts/ringmaker.h"
    assert (DOCS.parent / "scripts" / "ringmaker.h").read_text() == header(), remedy


def test_every_key_of_the_configuration_is_explained() -> None:
    config = load_config(DOCS.parent / "configs" / "local.toml")
    assert isinstance(config, Config)
    unexplained = [line for line in reference().splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert unexplained == []
