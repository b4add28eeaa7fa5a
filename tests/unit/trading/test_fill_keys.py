"""A fill is known for good, by few bytes."""

from __future__ import annotations

import gc
import random
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from trading.fill_keys import FINGERPRINT_BYTES, FillKey, FillKeys

BYTES_PER_KEY_MAX = 12
KEYS = st.tuples(st.text(max_size=3), st.text(max_size=3), st.integers(0, 12))


def key(number: int) -> FillKey:
    return (f"001F8A5C{number:010d}", f"001F8A5B{number:010d}", 0)


@given(st.lists(KEYS), st.lists(KEYS))
def test_it_holds_what_a_set_holds(added: list[FillKey], asked: list[FillKey]) -> None:
    keys, model = FillKeys(), set[FillKey]()
    for one in added:
        assert keys.add(one) == (one not in model)
        model.add(one)
    assert len(keys) == len(model)
    assert all((one in keys) == (one in model) for one in [*added, *asked])


def test_what_was_written_is_known_to_whoever_reads_it_whole_or_in_parts() -> None:
    # Given thousands of keys, in no order
    numbers = random.Random(1).sample(range(10**9), 5_000)
    content = FillKeys(map(key, numbers)).to_bytes()
    assert len(content) == 5_000 * FINGERPRINT_BYTES
    # If they are read in two parts, the second twice
    read = FillKeys()
    half = 2_500 * FINGERPRINT_BYTES
    for part in (content[half:], content[:half], content[half:]):
        read.update(part)
    # I expect all of them, and no others
    assert len(read) == 5_000
    assert all(key(number) in read for number in numbers)
    assert not any(key(number) in read for number in range(10**9, 10**9 + 1_000))
    assert read.to_bytes() == content


def test_a_key_is_written_the_same_by_every_process_and_machine() -> None:
    assert FillKeys([("t1", "v1", 0)]).to_bytes().hex() == "497067f8f5abf494"


def test_texts_that_meet_elsewhere_are_different_keys() -> None:
    keys = FillKeys([("t1", "1v", 0)])
    assert ("t", "11v", 0) not in keys
    assert ("t11", "v", 0) not in keys


def test_a_key_takes_few_bytes() -> None:
    gc.collect()
    tracemalloc.start()
    try:
        keys = FillKeys(map(key, range(50_000)))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(keys) == 50_000
    assert taken / 50_000 < BYTES_PER_KEY_MAX
