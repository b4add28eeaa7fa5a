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
        return self.add_fingerprint(fingerprint(key))

    def __contains__(self, key: FillKey) -> bool:
        wanted = fingerprint(key)
        bucket = self._buckets[wanted >> _BUCKET_SHIFT]
        place = bisect_left(bucket, wanted)
        return place < len(bucket) and bucket[place] == wanted

    def __len__(self) -> int:
        return sum(map(len, self._buckets))

    def to_bytes(self) -> bytes:
        """Return what `update` takes: FINGERPRINT_BYTES a key, little-endian, in order."""
        return b"".join(bytes_of(bucket) for bucket in self._buckets)

    def update(self, content: bytes) -> None:
        """Remember the keys of which `to_bytes` returned this, or a part of it."""
        for each in fingerprints_of(content):
            self.add_fingerprint(each)

    def without(self, fingerprints: Iterable[int]) -> FillKeys:
        """Return a set of the same keys but those of these fingerprints."""
        rest = FillKeys()
        rest._buckets = [array("Q", bucket) for bucket in self._buckets]
        for each in fingerprints:
            bucket = rest._buckets[each >> _BUCKET_SHIFT]
            place = bisect_left(bucket, each)
            if place < len(bucket) and bucket[place] == each:
                del bucket[place]
        return rest

    def add_fingerprint(self, fingerprint: int) -> bool:
        """Remember the key of a fingerprint; return whether it was new."""
        bucket = self._buckets[fingerprint >> _BUCKET_SHIFT]
        if not bucket or bucket[-1] < fingerprint:  # as they come when they are read again, in order
            bucket.append(fingerprint)
            return True
        place = bisect_left(bucket, fingerprint)
        if bucket[place] == fingerprint:
            return False
        bucket.insert(place, fingerprint)
        return True


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
