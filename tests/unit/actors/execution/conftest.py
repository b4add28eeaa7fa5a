"""Where the tests of this folder keep a journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.paths import JOURNAL_FILE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / JOURNAL_FILE
