"""How a quoter's roles are declared: fields of 8-byte words at explicit offsets, in whole cache lines."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

WORD_BYTES = 8
LINE_BYTES = 64


class Words(NamedTuple):
    """A field of `words` words of `kind` (i8 or f8)."""

    name: str
    kind: str
    words: int = 1


def ints(*names: str) -> list[Words]:
    """Return single int64 fields."""
    return [Words(name, "i8") for name in names]


def floats(*names: str) -> list[Words]:
    """Return single float64 fields."""
    return [Words(name, "f8") for name in names]


def role(fields: list[Words]) -> np.dtype[np.void]:
    """Return the dtype of a role; its size is a multiple of a cache line."""
    words = 0
    offsets = []
    for field in fields:
        offsets.append(words * WORD_BYTES)
        words += field.words
    formats = [f"<{f.kind}" if f.words == 1 else (f"<{f.kind}", (f.words,)) for f in fields]
    size = -(-words * WORD_BYTES // LINE_BYTES) * LINE_BYTES
    layout = {"names": [f.name for f in fields], "formats": formats, "offsets": offsets, "itemsize": size}
    return np.dtype(layout)  # type: ignore[call-overload, no-any-return]
