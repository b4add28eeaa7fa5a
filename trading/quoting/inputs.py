"""What one quote was computed from, word for word, and the quote computed from it again.

`words` of a QUOTE_INPUTS record is a QUOTER record as it was before the quote (trading/quoting/records.py), with the
user's two roles behind it when a file of the user's quotes. What a quote changes is copied before it, the rest after
the wish is out, so that an order waits for as little as possible.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from domain.records import EXPLANATION, QUOTE_INPUT_WORDS
from trading.quoting.quoter import Quoter, params_hash
from trading.quoting.records import QUOTER, word_of, words_of
from trading.quoting.user.code import StrategyCode

_QUOTER_WORDS = QUOTER.itemsize // 8
_EXPLANATION = words_of("explanation")
_WRITE_NOW = word_of("moment", "write_now")
# State and grid, and what decide compares with; a user's functions may also change the signals' role and their own.
_CHANGED = (words_of("state"), words_of("table"), slice(words_of("ladder").start, _EXPLANATION.stop))
_USERS = (slice(0, words_of("state").start), words_of("signals"))
_GIVEN = slice(words_of("moment").start, words_of("limits").stop)  # `decide` itself sets the moment
assert QUOTE_INPUT_WORDS >= _QUOTER_WORDS


class QuoteInputs:
    """Copies what a quoter is about to quote from into `words`, int64 words of a QUOTE_INPUTS record's field.

    Attributes:
        words_used: of `words`; 0 = the user's files keep more than fits, and nothing can be computed again.
    """

    def __init__(self, quoter: Quoter, words: memoryview) -> None:
        count = len(quoter.ints)
        self.words_used = count if count <= len(words) else 0
        if not self.words_used:
            self._before: list[tuple[memoryview, memoryview]] = []
            self._after: list[tuple[memoryview, memoryview]] = []
            return
        is_standard = quoter.code.is_standard
        before = _CHANGED if is_standard else (*_CHANGED, *_USERS, slice(_QUOTER_WORDS, count))
        after = (*_USERS, _GIVEN) if is_standard else (_GIVEN,)
        self._before = [(words[part], quoter.ints[part]) for part in before]
        self._after = [(words[part], quoter.ints[part]) for part in after]

    def copy_before(self) -> None:
        """Copy what the quote will change."""
        for target, source in self._before:
            target[:] = source

    def copy_after(self) -> None:
        """Copy the rest; before anything newer is taken in."""
        for target, source in self._after:
            target[:] = source


class Recomputed(NamedTuple):
    """A quote computed again.

    Attributes:
        explanation: shape (1,), dtype of the EXPLANATION record; its sequence is 0.
        ladder: shape (1,), role LADDER: all levels.
        inputs: shape (1,), the QUOTER record before the quote.
        is_same_code: the recorded hash of the parameters and of the user's files is that of this code.
    """

    explanation: npt.NDArray[np.void]
    ladder: npt.NDArray[np.void]
    inputs: npt.NDArray[np.void]
    is_same_code: bool


def recompute(words: bytes, words_used: int, code: StrategyCode) -> Recomputed:
    """Compute a quote again with the same kernels.

    Args:
        words: of the record's field `words`.
        words_used: of them.
        code: what quoted: the standard strategy, or the user's files as they were.

    Raises:
        ValueError: when the words are not those of this code: another version, or other files.
    """
    if words_used * 8 != code.quoter.itemsize:
        raise ValueError(f"{words_used} words were recorded, this program's quoter has {code.quoter.itemsize // 8}")
    recorded = np.frombuffer(words, np.int64, words_used)
    whole = recorded.copy()  # as words: NumPy leaves out the padding of records, and the state's hash counts it
    whole[_WRITE_NOW] = 1  # it was written then: because it had changed, or because it was due
    record = whole.view(code.quoter)
    code.entries.decide(record, whole)
    inputs = recorded.view(code.quoter)
    is_same_code = params_hash(code, inputs) == int(inputs["moment"]["params_hash"][0])
    return Recomputed(record["explanation"], record["ladder"], inputs, is_same_code)


def differing_fields(recorded: npt.NDArray[np.void], again: npt.NDArray[np.void]) -> list[str]:
    """Return the fields in which two EXPLANATION records (shape (1,)) are not the same bits."""
    return [
        field.name
        for field in EXPLANATION.fields
        if field.name != "sequence" and recorded[field.name].tobytes() != again[field.name].tobytes()
    ]
