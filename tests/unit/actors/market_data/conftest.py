"""Segments of a session that nobody else has, and the rig on them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from runtime.session import SessionSegments
from tests.market_rig import NAMES, Market


@pytest.fixture
def segments() -> Iterator[SessionSegments]:
    owner = SessionSegments(f"test-md-{os.getpid()}", NAMES)
    owner.create()
    yield owner
    owner.unlink()


@pytest.fixture
def market(segments: SessionSegments) -> Market:
    made = Market(segments)
    made.attach()
    made.connect()
    made.books.read()
    made.wakes = 0
    return made
