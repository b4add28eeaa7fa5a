"""A hash of many words that is cheap enough for every quote."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from domain.jit import Array, kernel_with_arrays

HASHED_WORDS_MAX = 4096
_MASK_64_BITS = (1 << 64) - 1
_MASK_63_BITS = (1 << 63) - 1


def _odd_multipliers(count: int) -> npt.NDArray[np.int64]:
    """Return odd 64-bit numbers that look random (splitmix64)."""
    numbers = []
    seed = 0
    for _ in range(count):
        seed = (seed + 0x9E3779B97F4A7C15) & _MASK_64_BITS
        mixed = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64_BITS
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK_64_BITS
        numbers.append((mixed ^ (mixed >> 31)) | 1)
    return np.array(numbers, np.uint64).view(np.int64)


_MULTIPLIERS = _odd_multipliers(HASHED_WORDS_MAX)


@kernel_with_arrays
def hash_words(words: Array, first: int, count: int) -> int:
    """Return a 63-bit hash of at most HASHED_WORDS_MAX int64 words from `first` on.

    The sum of word times odd multiplier, modulo 2^64, differs after any change of a single word. The upper bits
    are folded into the lower ones, and the sign is left out.
    """
    total = (words[first : first + count] * _MULTIPLIERS[:count]).sum()
    return int((total ^ (total >> 29)) & _MASK_63_BITS)
