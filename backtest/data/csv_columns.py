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
        self, findings: Findings, names: Sequence[str], fields: list[list[bytes]], sources: npt.NDArray[np.int64]
    ) -> None:
        self._findings = findings
        self.names = tuple(names)
        self._texts = dict(zip(names, zip(*fields, strict=True), strict=True))
        self.sources = sources

    def __len__(self) -> int:
        return len(self.sources)

    def texts(self, name: str) -> Column:
        return self._texts[name]

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Return a column of numbers; an empty field is NaN.

        Raises:
            DataError: naming the line of the first one that is none.
        """
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
        texts = self._texts[name]
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
        body = [(first_line + i, line.rstrip(b"\r").split(b",")) for i, line in enumerate(lines) if line.strip()]
        if not names and body:
            names = [name.decode(errors="replace") for name in body.pop(0)[1]]
            missing = [name for name in needed if name not in names]
            if missing:
                path = findings.paths[file_number]
                raise DataError(f"{path}:1: expected columns {', '.join(needed)}; {missing[0]} is missing")
        good = [(line, fields) for line, fields in body if len(fields) == len(names)]
        if len(good) != len(body):
            _tell_bad_lines(findings, file_number, body, len(names))
        if good:
            sources = source_code(file_number, 0) + np.array([line for line, _ in good], np.int64)
            yield Block(findings, names, [fields for _, fields in good], sources)


def _tell_bad_lines(findings: Findings, file_number: int, body: list[tuple[int, list[bytes]]], expected: int) -> None:
    for line, fields in body:
        if len(fields) != expected:
            source = source_code(file_number, line)
            findings.fault(Repair.LINES, source, f"expected {expected} fields, found {len(fields)}")


def wanted_rows(findings: Findings, block: Block) -> npt.NDArray[np.bool_]:
    """Return which lines of a block are of the instrument that is read (column `symbol`)."""
    symbols = block.texts("symbol")
    wanted = np.ones(len(block), np.bool_)
    for symbol in sorted(set(symbols)):
        if not findings.is_wanted(symbol.decode(errors="replace"), int(block.sources[symbols.index(symbol)])):
            wanted &= np.array([text != symbol for text in symbols])
    return wanted
