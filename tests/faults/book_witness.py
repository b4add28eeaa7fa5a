"""A second pair of eyes: subscribes to the book itself, and compares it with what the session published."""

from __future__ import annotations

import time
from typing import Any

from tests.faults.books import Ladders
from tests.faults.stage import INSTRUMENT, Operator, RuleBrokenError, Stage

CHANNEL = f"book.{INSTRUMENT}.none.10.raw"
WATCH_S = 0.5
WATCH_S_MAX = 10.0
COMPARED_MIN = 5
US_PER_S = 1_000_000
NS_PER_US = 1000


def wrong_books(stage: Stage, levels: int) -> list[str]:
    """Watch for a moment; return a line when a book that the session published is not the venue's of that time.

    Args:
        levels: how many of each side are compared.

    Raises:
        RuleBrokenError: too few books could be compared.
    """
    witness = Operator(stage.exchange.url)
    stage.books.is_keeping = True
    try:
        seen = _watch(stage, witness)
    finally:
        stage.books.is_keeping = False
        stage.books.kept.clear()
        witness.close()
    wrong = [(published, true) for published, true in seen if _cut(published, levels) != _cut(true, levels)]
    if not wrong:
        return []
    published, true = wrong[-1]
    return [f"{len(wrong)} of {len(seen)} books are wrong, the last one {published}, at the venue {true}"]


def _watch(stage: Stage, witness: Operator) -> list[tuple[Ladders, Ladders]]:
    """Return pairs of books, ours and the venue's, of the same moments."""
    witness.send("public/subscribe", {"channels": [CHANNEL]})
    sides: dict[str, dict[float, float]] = {"bid_changes": {}, "ask_changes": {}}
    true: dict[int, Ladders] = {}
    started_s = time.monotonic()
    while True:
        message = witness.listen(0.05)
        if message is not None and message.get("channel_name") == CHANNEL:
            stamp_ns = _take(message, sides)
            true[stamp_ns] = _ladders(sides)
        stage.poll()
        pairs = [(published, true[of_ns]) for of_ns, published in stage.books.kept.items() if of_ns in true]
        passed_s = time.monotonic() - started_s
        if passed_s > WATCH_S and len(pairs) >= COMPARED_MIN:
            return pairs
        if passed_s > WATCH_S_MAX:
            raise RuleBrokenError(f"only {len(pairs)} books could be compared within {WATCH_S_MAX:g} s")


def _take(message: dict[str, Any], sides: dict[str, dict[float, float]]) -> int:
    """Apply one message and return its stamp in ns, to the microsecond as the session keeps it."""
    content = message["notification"]
    for name, levels in sides.items():
        if message.get("snapshot"):
            levels.clear()
        for price, size, *_ in content[name]:
            if size:
                levels[float(price)] = float(size)
            else:
                levels.pop(float(price), None)
    stamp_us: int = round(content["time"] * US_PER_S)
    return stamp_us * NS_PER_US


def _cut(book: Ladders, levels: int) -> Ladders:
    return Ladders(book.bids[:levels], book.asks[:levels])


def _ladders(sides: dict[str, dict[float, float]]) -> Ladders:
    return Ladders(
        tuple(sorted(sides["bid_changes"].items(), reverse=True)), tuple(sorted(sides["ask_changes"].items()))
    )
