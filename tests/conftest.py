"""What all tests share: private segment names, run roots and homes, and the recordings where they are."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from shm.segment import list_segments, unlink_segment

REPOSITORY = Path(__file__).resolve().parent.parent
RECORDINGS = REPOSITORY.parent / "shared" / "data" / "binance"
_numbers = itertools.count(1)


@pytest.fixture
def segment_name() -> Iterator[Callable[[], str]]:
    """Give names of segments that are unlinked after the test."""
    prefix = f"ringmaker.test.{os.getpid()}."
    yield lambda: f"{prefix}{next(_numbers)}"
    for name in list_segments(prefix):
        unlink_segment(name)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Give a folder for sockets, whose paths have 107 bytes at most: pytest's own are long, and longer every day."""
    with tempfile.TemporaryDirectory(prefix="rm") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Let no test write to the log that another has opened: a process has one."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def recordings() -> Path:
    """The folder of real recorded market data; the test is skipped where it is absent."""
    if not RECORDINGS.is_dir():
        pytest.skip("../shared/data/binance is absent: no recordings")
    return RECORDINGS
