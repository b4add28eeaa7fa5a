"""A journal of execution, the entries that tests write into it, and what must be known again of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

from actors.execution.journal import Journal
from actors.execution.journal_format import Entry, Filled, Sent
from domain.clock import SimClock
from domain.order import Side
from trading.orders.config import JournalConfig

CLOCK = SimClock(monotonic_ns=5, realtime_ns=7)
PRICE, SIZE = Decimal("100.5"), Decimal("0.01")
SYSTEM_CALLS = (
    "open",
    "pwrite",
    "write",
    "fchmod",
    "link",
    "replace",
    "unlink",
    "close",
    "fdatasync",
    "fsync",
    "ftruncate",
)


def opened(path: Path, **config: Any) -> Journal:
    return Journal(path, CLOCK, JournalConfig(**config))


def insert(journal: Journal, number: int) -> None:
    journal.order("INSERT", number, "BTC-PERPETUAL", Side.BUY, PRICE, SIZE, 9)


def fill(journal: Journal, number: int) -> None:
    journal.fill((f"t{number}", "v1", 0), None, "BTC-PERPETUAL", Side.SELL, PRICE, SIZE, 3)


def write(journal: Journal, numbers: range) -> None:
    """An order and a fill for each number."""
    for number in numbers:
        insert(journal, number)
        fill(journal, number)


def told(entries: list[Entry]) -> list[int | str]:
    return [
        entry.client_order_id if isinstance(entry, Sent) else entry.trade_id
        for entry in entries
        if isinstance(entry, (Sent, Filled))
    ]


def expected(numbers: range) -> list[int | str]:
    return [text for number in numbers for text in (number, f"t{number}")]


def assert_knows(journal: Journal, fills: range, last: int, unfinished: list[int]) -> None:
    state = journal.state
    assert len(state.fills) == len(fills)
    assert all((f"t{number}", "v1", 0) in state.fills for number in fills)
    assert (state.last_client_order_id, sorted(state.unfinished)) == (last, unfinished)


@contextmanager
def faulty(before: Callable[[str], None]) -> Iterator[None]:
    """Call `before` with the name of each system call before it is made."""
    with ExitStack() as stack:
        for name in SYSTEM_CALLS:
            real = getattr(os, name)

            def call(*args: Any, _name: str = name, _real: Any = real, **kwargs: Any) -> Any:
                before(_name)
                return _real(*args, **kwargs)

            stack.enter_context(patch.object(os, name, call))
        yield
