"""A fill is known for good, by few bytes."""

from __future__ import annotations

import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reports import FillKey
from runtime.vitals import read_vitals
from trading import fill_keys
from trading.fill_keys import FINGERPRINT_BYTES, FillKeys, fingerprint

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


@given(st.lists(st.lists(KEYS)), st.lists(KEYS))
def test_sets_are_equal_that_hold_the_same(told: list[list[FillKey]], left_out: list[FillKey]) -> None:
    # Given keys that came one by one, in parts, or with others that are left out again
    every = [one for part in told for one in part]
    in_parts, with_others = FillKeys(), FillKeys([*every, *left_out])
    for part in told:
        in_parts.update(FillKeys(part).to_bytes())
    # I expect each to equal a set of all of them, and one that lacks a key not to
    fingerprints = [fingerprint(one) for one in left_out if one not in every]
    assert in_parts == FillKeys(every) == with_others.without([*fingerprints, *fingerprints])
    assert not every or in_parts.without([fingerprint(every[0])]) != FillKeys(every)


@given(st.lists(st.integers(0, 300)))
def test_new_keys_join_the_others_unseen(numbers: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fill_keys, "_NEW_KEYS_MIN", 3)
        keys, model = FillKeys(), set[int]()
        for number in numbers:
            assert keys.add(key(number)) == (number not in model)
            model.add(number)
    assert len(keys) == len(model)
    assert keys == FillKeys(map(key, model))


def test_a_key_takes_few_bytes() -> None:
    # Given a process that keeps things for a while and lets them go, as all do
    kept = deque((bytes(size % 600) for size in range(4_000)), maxlen=4_000)
    keys = FillKeys(map(key, range(5_000)))
    before_kb = read_vitals()["private_kb"]
    # If many keys come
    for number in range(5_000, 400_000):
        keys.add(key(number))
        kept.append(bytes(number % 600))
    # I expect it to have grown by little more than their fingerprints
    assert len(keys) == 400_000
    assert (read_vitals()["private_kb"] - before_kb) * 1024 / 395_000 < BYTES_PER_KEY_MAX
