"""CSV lines as columns: the named ones of every line of a block, checked for their number of fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from backtest.data.events import source_code
from backtest.data.findings import DataError, Findings, Repair
from backtest.data.lines import line_blocks

Column = Sequence[bytes]
_Kind = TypeVar("_Kind", np.float64, np.int64)


class Block:
    """Some lines of a CSV file: `columns[name]` has the texts, `sources` says where each was read."""

    def __init__(
        self, findings: Findings, names: Sequence[str], fields: list[bytes], sources: npt.NDArray[np.int64]
    ) -> None:
        self._findings = findings
        self.names = tuple(names)
        self._fields = fields  # of all lines, one after the other
        self.sources = sources

    def __len__(self) -> int:
        return len(self.sources)

    def texts(self, name: str) -> Column:
        return self._fields[self.names.index(name) :: len(self.names)]

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Return a column of numbers; an empty field is NaN.

        Raises:
            DataError: naming the line of the first one that is none.
        """
        try:
            return np.array(list(map(float, self.texts(name))), np.float64)
        except ValueError:  # an empty one, or none
            return self._converted(name, _number, np.float64, "a number")

    def whole(self, name: str) -> npt.NDArray[np.int64]:
        """Return a column of whole numbers."""
        return self._converted(name, int, np.int64, "a whole number")

    def codes(self, name: str, values: dict[bytes, int]) -> npt.NDArray[np.int64]:
        """Return a column of words as the numbers that `values` has for them."""
        return self._converted(name, values.__getitem__, np.int64, " or ".join(key.decode() for key in values))

    def _converted(
        self, name: str, convert: Callable[[bytes], Any], kind: type[_Kind], expected: str
    ) -> npt.NDArray[_Kind]:
        texts = self.texts(name)
        try:
            return np.array(list(map(convert, texts)), kind)
        except (ValueError, KeyError, OverflowError):
            for i, text in enumerate(texts):
                try:
                    convert(text)
                except (ValueError, KeyError):
                    what = f"{name}: expected {expected}, found {text.decode(errors='replace')!r}"
                    raise self._findings.refuse(int(self.sources[i]), what) from None
            raise


def _number(text: bytes) -> float:
    return float(text) if text else float("nan")


def read_blocks(findings: Findings, file_number: int, needed: Sequence[str]) -> Iterator[Block]:
    """Yield the blocks of a CSV file whose first line names its columns.

    Raises:
        DataError: when a needed column is missing, or a line has another number of fields (repair: lines).
    """
    names: list[str] = []
    for first_line, lines in line_blocks(findings, file_number):
        if lines and lines[0].endswith(b"\r"):
            lines = [line.rstrip(b"\r") for line in lines]
        if not names:
            names = _names(findings, file_number, lines[0], needed)
            lines = lines[1:]
            first_line += 1
        numbers = np.arange(first_line, first_line + len(lines))
        commas = [line.count(b",") for line in lines]
        if commas.count(len(names) - 1) != len(lines):
            _tell_bad_lines(findings, file_number, list(zip(numbers.tolist(), lines, strict=True)), len(names))
            good = [i for i, count in enumerate(commas) if count == len(names) - 1]
            numbers, lines = numbers[good], [lines[i] for i in good]
        if lines:
            yield Block(findings, names, b",".join(lines).split(b","), source_code(file_number, 0) + numbers)


def _names(findings: Findings, file_number: int, first_line: bytes, needed: Sequence[str]) -> list[str]:
    names = [name.decode(errors="replace") for name in first_line.split(b",")]
    missing = [name for name in needed if name not in names]
    if missing:
        path = findings.paths[file_number]
        raise DataError(f"{path}:1: expected columns {', '.join(needed)}; {missing[0]} is missing")
    return names


def _tell_bad_lines(findings: Findings, file_number: int, lines: list[tuple[int, bytes]], expected: int) -> None:
    for number, line in lines:
        found = line.count(b",") + 1
        if found != expected and line.strip():
            source = source_code(file_number, number)
            findings.fault(Repair.LINES, source, f"expected {expected} fields, found {found}")


def wanted_rows(findings: Findings, block: Block) -> npt.NDArray[np.bool_]:
    """Return which lines of a block are of the instrument that is read (column `symbol`)."""
    symbols = block.texts("symbol")
    wanted = np.ones(len(block), np.bool_)
    for symbol in sorted(set(symbols)):
        if not findings.is_wanted(symbol.decode(errors="replace"), int(block.sources[symbols.index(symbol)])):
            wanted &= np.array([text != symbol for text in symbols])
    return wanted
