"""Faults of values, as they are told."""

from __future__ import annotations

import pytest

from messages.commands import Reply
from operating.asking import finish
from runtime.plain_words import in_plain_words


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("levels = '1,5': expected float, got str", "levels = '1,5': expected a number, with a point"),
        ("levels = 99: expected int <= 10", "levels = 99: expected a whole number <= 10"),
        ("gamma = 0.0: expected float > 0", "gamma = 0.0: expected a number > 0"),
        ("risk.x = -1: Expected `float` >= 0.0", "risk.x = -1: expected a number >= 0.0"),
        ("on = 1: expected bool, got int; mend it", "on = 1: expected true or false; mend it"),
        ("x = 'a': expected int | absent, got str", "x = 'a': expected a whole number or nothing"),
        ("x = []: expected array of length >= 1", "x = []: expected a list of length >= 1"),
        ("--seconds abc: expected a number", "--seconds abc: expected a number"),
        ("x.py: expected integers", "x.py: expected integers"),
    ],
)
def test_what_was_expected_is_told_in_plain_words(text: str, told: str) -> None:
    assert in_plain_words(text) == told


def test_the_answer_to_a_set_speaks_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    finish(Reply(ok=True, text="strategy.order_size_base = '0,01': expected float, got str"))
    assert capsys.readouterr().out == "strategy.order_size_base = '0,01': expected a number, with a point\n"
