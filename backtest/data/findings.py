"""What is wrong with recorded data: a fault is refused with one line, or repaired when its repair was asked for.

A repair has a name and does what its description says; every use is counted and told. Nothing is mended silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from backtest.data.events import source_parts
from domain.errors import UserError


class DataError(UserError):
    """Recorded data that cannot be used as it is: where, what, what was expected, what to do."""


class Repair(StrEnum):
    """What a reader may mend when it is told to; the value is the option's."""

    CLOCK = "clock"
    LINES = "lines"
    TRUNCATED = "truncated"
    GAPS = "gaps"
    SNAPSHOT = "snapshot"
    CROSSED = "crossed"
    DUPLICATES = "duplicates"
    ORDER = "order"


REPAIRS = {
    Repair.CLOCK: "shift local times by the smallest difference to the exchange's",
    Repair.LINES: "leave out lines that can't be read",
    Repair.TRUNCATED: "take what can be read of a file that is cut short",
    Repair.GAPS: "go on with the old book where changes are missing",
    Repair.SNAPSHOT: "begin with an empty book where there is no snapshot",
    Repair.CROSSED: "drop the older levels where bid and ask cross",
    Repair.DUPLICATES: "leave out what was recorded twice",
    Repair.ORDER: "pull a time that goes back too far up to the one before it",
}


def parse_repairs(names: Iterable[str]) -> frozenset[Repair]:
    """Return the repairs named, comma-separated or one by one; `all` = every one.

    Raises:
        DataError: for a name that is none.
    """
    words = [word.strip() for name in names for word in name.split(",") if word.strip()]
    if "all" in words:
        return frozenset(Repair)
    unknown = [word for word in words if word not in list(Repair)]
    if unknown:
        raise DataError(f"--repair {unknown[0]}: no such repair; there are {', '.join(Repair)} and all")
    return frozenset(Repair(word) for word in words)


def times_words(count: int) -> str:
    """Return how often something was done, in words."""
    return "once" if count == 1 else f"{count:,} times"


class Findings:
    """Counts faults, and knows which of them may be repaired.

    Args:
        paths: the files read, in the order of their file numbers.
        repairs: what may be mended.
        instrument: the one wanted; empty = the first one met, and no other may follow.

    Attributes:
        instrument: the one read, in the source's own spelling; empty while none was met.
        repaired: how often each repair was used.
        notes: counts of what is no fault but worth telling (lines of other streams, trades left out).
    """

    def __init__(self, paths: Sequence[Path], repairs: frozenset[Repair] = frozenset(), instrument: str = "") -> None:
        self.paths = tuple(paths)
        self.instrument = instrument
        self._is_chosen = bool(instrument)
        self.repairs = repairs
        self.repaired: Counter[Repair] = Counter()
        self.first: dict[Repair, str] = {}
        self.notes: Counter[str] = Counter()

    def where(self, source: int) -> str:
        """Return `file:line` of a source code."""
        number, line = source_parts(source)
        return f"{self.paths[number]}:{line}"

    def fault(self, repair: Repair, source: int, text: str, times: int = 1) -> None:
        """Count a fault that is to be repaired.

        Raises:
            DataError: when the repair was not asked for: the fault is refused.
        """
        line = f"{self.where(source)}: {text}"
        if repair not in self.repairs:
            raise DataError(f"{line}; refused: to {REPAIRS[repair]}, add --repair {repair}")
        self.repaired[repair] += times
        self.first.setdefault(repair, line)

    def is_wanted(self, symbol: str, source: int) -> bool:
        """Return whether rows of `symbol` are the ones to read.

        Raises:
            DataError: when the source holds several instruments and none was chosen.
        """
        if not self.instrument:
            self.instrument = symbol
        if symbol.lower() == self.instrument.lower():
            return True
        if not self._is_chosen:
            raise self.refuse(source, f"rows of {symbol} beside {self.instrument}: choose one with --instrument")
        self.notes[f"rows of {symbol} left out"] += 1
        return False

    def refuse(self, source: int, text: str) -> DataError:
        """Return the error of a fault for which there is no repair."""
        return DataError(f"{self.where(source)}: {text}")
