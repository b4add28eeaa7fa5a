"""Which fills were heard of: every one of a session, for a few bytes each.

A venue may tell a fill again at any time: with its order, in the history after a reconnect, from the session's start
to a process that starts anew. No fill is forgotten therefore, however old it is: what its stamp says, when it comes
and what the clocks do does not matter. What is kept of it is short instead: 64 bits that its key is hashed to. Of ten
million fills the next one is taken for one of them, and not counted, with a chance of 1 in 10 ** 12.
"""

from __future__ import annotations

import mmap
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from domain.reports import FillKey

FINGERPRINT_BYTES = 8
_NEW_KEYS_MIN = 1024
_NEW_SHARE = 64  # new keys are put in order among the others when they are this part of them
_IN_MEMORY = np.dtype(np.uint64)
_STORED = np.dtype("<u8")


class FillKeys:
    """A set of fill keys that takes 8 bytes for each, and lasts: the same keys give the same bytes everywhere.

    New keys stand in order by themselves, and join the others now and then: 0.2 ms at 25,000 keys, 6 ms at a million,
    once in 16,000 fills. All others fill pages of their own: among what a process keeps and lets go, arrays that grow
    leave holes as large as they are.
    """

    __slots__ = ("_new", "_pages")

    def __init__(self, keys: Iterable[FillKey] = ()) -> None:
        self._pages = _new_pages(0)
        self._new = array("Q")
        for key in keys:
            self.add(key)

    def add(self, key: FillKey) -> bool:
        """Remember a key; return whether it was new."""
        return self.add_fingerprint(fingerprint(key))

    def __contains__(self, key: FillKey) -> bool:
        wanted = fingerprint(key)
        return _stands_in(self._new, bisect_left(self._new, wanted), wanted) or self._is_in_pages(wanted)

    def __len__(self) -> int:
        return len(self._pages) + len(self._new)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FillKeys) and len(self) == len(other) and np.array_equal(self._all(), other._all())

    __hash__ = None  # type: ignore[assignment]  # it changes

    def to_bytes(self) -> bytes:
        """Return what `update` takes: FINGERPRINT_BYTES a key, little-endian, in order."""
        return self._all().astype(_STORED, copy=False).tobytes()

    def update(self, content: bytes) -> None:
        """Remember the keys of which `to_bytes` returned this, or a part of it, in any order."""
        told = np.concatenate([self._all(), np.frombuffer(content, _STORED)])
        told.sort()
        self._keep(told[np.diff(told, prepend=~told[:1]) != 0])

    def without(self, fingerprints: Iterable[int]) -> FillKeys:
        """Return a set of the same keys but those of these fingerprints."""
        rest = FillKeys()
        left_out = np.fromiter(fingerprints, _IN_MEMORY)
        rest._keep(self._all()[np.isin(self._all(), left_out, invert=True)])
        return rest

    def add_fingerprint(self, fingerprint: int) -> bool:
        """Remember the key of a fingerprint; return whether it was new."""
        new = self._new
        place = bisect_left(new, fingerprint)
        if _stands_in(new, place, fingerprint) or self._is_in_pages(fingerprint):
            return False
        new.insert(place, fingerprint)
        if len(new) >= _NEW_KEYS_MIN and len(new) * _NEW_SHARE >= len(self._pages):
            self._join()
        return True

    def _is_in_pages(self, fingerprint: int) -> bool:
        return _stands_in(self._pages, bisect_left(self._pages, fingerprint), fingerprint)

    def _all(self) -> npt.NDArray[np.uint64]:
        """Return all fingerprints, in order."""
        if self._new:
            self._join()
        return np.frombuffer(self._pages, _IN_MEMORY)

    def _join(self) -> None:
        """Put the new ones in order among the others."""
        old, new = np.frombuffer(self._pages, _IN_MEMORY), np.frombuffer(self._new, _IN_MEMORY)
        pages = _new_pages(len(self))
        both = np.frombuffer(pages, _IN_MEMORY)
        both[: len(old)], both[len(old) :] = old, new
        both.sort(kind="stable")  # two rows in order: they are merged where they stand
        self._new, self._pages = array("Q"), pages

    def _keep(self, fingerprints: npt.NDArray[np.uint64]) -> None:
        """Let these be all, each once and in order."""
        pages = _new_pages(len(fingerprints))
        np.frombuffer(pages, _IN_MEMORY)[:] = fingerprints
        self._new, self._pages = array("Q"), pages


def _new_pages(keys: int) -> memoryview[int]:
    """Return room for so many; its pages go back to the kernel with it."""
    if not keys:
        return memoryview(bytearray()).cast("Q")
    size_bytes = keys * FINGERPRINT_BYTES
    return memoryview(mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)).cast("Q")


def _stands_in(fingerprints: array[int] | memoryview[int], place: int, fingerprint: int) -> bool:
    return place < len(fingerprints) and fingerprints[place] == fingerprint


def fingerprint(key: FillKey) -> int:
    """Return the 64 bits that are kept of a key."""
    trade_id, venue_order_id, leg_index = key
    # The length tells where the first text ends, whatever stands in it.
    text = f"{len(trade_id)},{trade_id}{venue_order_id},{leg_index}"
    return int.from_bytes(blake2b(text.encode(), digest_size=FINGERPRINT_BYTES).digest(), "little")


def fingerprints_of(content: bytes) -> array[int]:
    """Return the fingerprints that are written so, FINGERPRINT_BYTES each, little-endian."""
    fingerprints = array("Q")
    fingerprints.frombytes(content)
    return _swapped(fingerprints)


def bytes_of(fingerprints: array[int]) -> bytes:
    """Return what `fingerprints_of` takes."""
    return _swapped(fingerprints).tobytes()


def _swapped(fingerprints: array[int]) -> array[int]:
    """Return them as they are stored: little-endian."""
    if sys.byteorder == "little":
        return fingerprints
    swapped = array("Q", fingerprints)
    swapped.byteswap()
    return swapped
