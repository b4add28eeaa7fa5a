"""docs/calibration.md is what its command prints, where the recordings are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.slow  # compiles the kernels of conversion and calibration where their sources are new
def test_the_calibration_page_is_up_to_date(recordings: Path) -> None:
    assert recordings.is_dir()
    command = [sys.executable, "-m", "scripts.calibration_page"]
    printed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    page = (REPOSITORY / "docs" / "calibration.md").read_text(encoding="utf-8")
    assert page == printed, "python -m scripts.calibration_page > docs/calibration.md"
