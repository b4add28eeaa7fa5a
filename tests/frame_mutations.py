"""Frames made wrong: each way in which a frame can be wrong is a mutation, and a seed draws among them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

HUGE_BYTES = 10_000_000
HUGE_EVERY = 10_000  # one frame of so many is huge

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[\[\]{},:]')
_NUMBERS = (
    b"0", b"-0.0", b"-1", b"1e308", b"-1e308", b"1e400", b"-1e400", b"5e-324", b"NaN", b"Infinity", b"-Infinity",
    b"99999999999999999999999999", b"-9223372036854775809", b"18446744073709551616", b"0.1e", b"01", b".5", b"1e",
    b"1" * 400, b"0." + b"0" * 400 + b"1", b"1e99999999999999999999",
)  # fmt: skip
_STRINGS = (
    b'""', b'"\\ud800"', b'"\xff\xfe"', b'"\\u0000"', b'"\xf0\x9f\x92\xa9"', b'"\\x"', b'"NaN"', b'"buy"',
    b'"cancelled"', b'"' + b"A" * 5000 + b'"', b'"\xe2\x80\xae"', b'"book.BTC-PERPETUAL.none.20.raw"',
    b'"session.orders"', b'"line\nbreak"',
)  # fmt: skip
_OTHER_TYPES = (
    b"null", b"true", b"false", b"[]", b"{}", b"[[]]", b'[{"a":1}]', b'{"":""}', b"[1]", b"[null]", b'"7"', b"7",
)  # fmt: skip
_DEPTHS = (3, 40, 600, 20_000)

Tokens = list[bytes]
Mutation = Callable[[Tokens, random.Random], Tokens]


def tokens_of(frame: bytes) -> Tokens:
    """Return the JSON tokens of a frame."""
    return _TOKEN.findall(frame)


def _values(tokens: Tokens) -> list[int]:
    """Return where a value stands, not a key and not punctuation."""
    return [
        i for i, token in enumerate(tokens)
        if token[:1] not in b"[]{},:" and (i + 1 >= len(tokens) or tokens[i + 1] != b":")
    ]  # fmt: skip


def _keys(tokens: Tokens) -> list[int]:
    """Return where a key stands whose value is a single token."""
    return [
        i for i in range(len(tokens) - 3)
        if tokens[i + 1] == b":" and tokens[i + 2][:1] not in b"[{" and tokens[i + 3] in (b",", b"}")
    ]  # fmt: skip


def _replaced(tokens: Tokens, rng: random.Random, choices: Sequence[bytes]) -> Tokens:
    places = _values(tokens)
    if places:
        tokens[rng.choice(places)] = rng.choice(choices)
    return tokens


def another_number(tokens: Tokens, rng: random.Random) -> Tokens:
    return _replaced(tokens, rng, _NUMBERS)


def another_text(tokens: Tokens, rng: random.Random) -> Tokens:
    return _replaced(tokens, rng, _STRINGS)


def another_type(tokens: Tokens, rng: random.Random) -> Tokens:
    return _replaced(tokens, rng, _OTHER_TYPES)


def nested(tokens: Tokens, rng: random.Random) -> Tokens:
    depth = rng.choice(_DEPTHS)
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return _replaced(tokens, rng, [opening * depth + b"1" + closing * depth, opening * depth])


def key_twice(tokens: Tokens, rng: random.Random) -> Tokens:
    places = _keys(tokens)
    if places:
        i = rng.choice(places)
        value = rng.choice([tokens[i + 2], *_NUMBERS[:4], *_OTHER_TYPES])
        tokens[i:i] = [tokens[i], b":", value, b","]
    return tokens


def key_missing(tokens: Tokens, rng: random.Random) -> Tokens:
    places = _keys(tokens)
    if places:
        i = rng.choice(places)
        end = i + 4 if tokens[i + 3] == b"," else i + 3
        del tokens[i:end]
        if tokens[i : i + 1] == [b"}"] and tokens[i - 1] == b",":
            del tokens[i - 1]
    return tokens


def punctuation(tokens: Tokens, rng: random.Random) -> Tokens:
    i = rng.randrange(len(tokens))
    tokens[i] = rng.choice([b"[", b"]", b"{", b"}", b",", b":", b"", b" ", b"\n", b"\x00"])
    return tokens


def in_an_array(tokens: Tokens, _rng: random.Random) -> Tokens:
    return [b"[", *tokens, b"]"]


def bit_flipped(tokens: Tokens, rng: random.Random) -> Tokens:
    content = bytearray(b"".join(tokens))
    for _ in range(rng.randint(1, 3)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return [bytes(content)]


def cut_short(tokens: Tokens, rng: random.Random) -> Tokens:
    content = b"".join(tokens)
    return [content[: rng.randrange(len(content))]]


def spliced(tokens: Tokens, rng: random.Random) -> Tokens:
    content = b"".join(tokens)
    return [content[: rng.randrange(len(content))], content[rng.randrange(len(content)) :]]


def noise(_tokens: Tokens, rng: random.Random) -> Tokens:
    return [rng.choice([b"", b" ", b"null", b"7", b'""', b"{}", b"[]", rng.randbytes(rng.randint(1, 200))])]


def unharmed(tokens: Tokens, _rng: random.Random) -> Tokens:
    return tokens


MUTATIONS: tuple[Mutation, ...] = (
    another_number, another_text, another_type, nested, key_twice, key_missing, punctuation, in_an_array,
    bit_flipped, cut_short, spliced, noise, unharmed,
)  # fmt: skip


def huge(tokens: Tokens, rng: random.Random) -> Tokens:
    """Return 10 MB: one value of a frame, or a list of levels, or what never was a frame."""
    value = rng.choice([
        b'"' + b"x" * HUGE_BYTES + b'"', b"1" * HUGE_BYTES, b"[" * HUGE_BYTES, b" " * HUGE_BYTES + b"1",
        b"[" + b",".join(b"[%d,1,1]" % i for i in range(HUGE_BYTES // 12)) + b"]",
    ])  # fmt: skip
    places = _values(tokens)
    if rng.random() < 0.2 or not places:
        return [value]
    levels = [i + 2 for i, token in enumerate(tokens[:-3]) if token in (b'"bid_changes"', b'"ask_changes"')]
    if value.startswith(b"[[") and levels:
        at = levels[0]
        end = at
        depth = 0
        while True:  # to the end of the array that stands there
            depth += (tokens[end] == b"[") - (tokens[end] == b"]")
            end += 1
            if not depth:
                break
        tokens[at:end] = [value]
    else:
        tokens[rng.choice(places)] = value
    return tokens


class FrameSource:
    """An endless supply of frames, the same for the same seed and corpus."""

    def __init__(self, corpus: Sequence[bytes], seed: int) -> None:
        self._corpus = [tokens_of(frame) for frame in corpus]
        self._rng = random.Random(seed)
        self._count = 0

    def next(self) -> bytes:
        """Return the next frame, with one to three things wrong with it, or nothing."""
        rng = self._rng
        tokens = list(rng.choice(self._corpus))
        self._count += 1
        if self._count % HUGE_EVERY == 0:
            return b"".join(huge(tokens, rng))
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            if not tokens:
                break
            mutated = rng.choice(MUTATIONS)(tokens, rng)
            joined_once = len(mutated) < 3
            tokens = mutated
            if joined_once:
                break
        return b"".join(tokens)
