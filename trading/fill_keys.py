"""Which fills were heard of: every one of a session, for a few bytes each.

A venue may tell a fill again at any time: with its order, in the history after a reconnect, from the session's start
to a process that starts anew. No fill is forgotten therefore, however old it is: what its stamp says, when it comes
and what the clocks do does not matter. What is kept of it is short instead: 64 bits that its key is hashed to. Of ten
million fills the next one is taken for one of them, and not counted, with a chance of 1 in 10 ** 12.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b

FillKey = tuple[str, str, int]  # trade_id, venue_order_id, leg_index

FINGERPRINT_BYTES = 8
_BUCKET_BITS = 8  # one bucket of a million fills is 32 kB: an insertion moves half of that
_BUCKET_SHIFT = 64 - _BUCKET_BITS


class FillKeys:
    """A set of fill keys that takes 8 to 9 bytes for each, and lasts: the same keys give the same bytes everywhere."""

    __slots__ = ("_buckets",)

    def __init__(self, keys: Iterable[FillKey] = ()) -> None:
        self._buckets = [array("Q") for _ in range(1 << _BUCKET_BITS)]
        for key in keys:
            self.add(key)

    def add(self, key: FillKey) -> bool:
        """Remember a key; return whether it was new."""
        return self._add(_fingerprint(key))

    def __contains__(self, key: FillKey) -> bool:
        fingerprint = _fingerprint(key)
        bucket = self._buckets[fingerprint >> _BUCKET_SHIFT]
        place = bisect_left(bucket, fingerprint)
        return place < len(bucket) and bucket[place] == fingerprint

    def __len__(self) -> int:
        return sum(map(len, self._buckets))

    def to_bytes(self) -> bytes:
        """Return what `update` takes: FINGERPRINT_BYTES a key, little-endian, in order."""
        return b"".join(_swapped(bucket).tobytes() for bucket in self._buckets)

    def update(self, content: bytes) -> None:
        """Remember the keys of which `to_bytes` returned this, or a part of it."""
        fingerprints = array("Q")
        fingerprints.frombytes(content)
        for fingerprint in _swapped(fingerprints):
            self._add(fingerprint)

    def _add(self, fingerprint: int) -> bool:
        bucket = self._buckets[fingerprint >> _BUCKET_SHIFT]
        if not bucket or bucket[-1] < fingerprint:  # as they come when they are read again, in order
            bucket.append(fingerprint)
            return True
        place = bisect_left(bucket, fingerprint)
        if bucket[place] == fingerprint:
            return False
        bucket.insert(place, fingerprint)
        return True


def _fingerprint(key: FillKey) -> int:
    trade_id, venue_order_id, leg_index = key
    # The length tells where the first text ends, whatever stands in it.
    text = f"{len(trade_id)},{trade_id}{venue_order_id},{leg_index}"
    return int.from_bytes(blake2b(text.encode(), digest_size=FINGERPRINT_BYTES).digest(), "little")


def _swapped(fingerprints: array[int]) -> array[int]:
    """Return them as they are stored: little-endian."""
    if sys.byteorder == "little":
        return fingerprints
    swapped = array("Q", fingerprints)
    swapped.byteswap()
    return swapped
