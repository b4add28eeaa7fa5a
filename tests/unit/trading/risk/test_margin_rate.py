"""What the venue's answers teach of the margin that it asks for, and how long it is believed."""

from __future__ import annotations

import math

from trading.risk.margin_rate import RATE_ANSWERS_KEPT, LearnedRate


def test_the_newest_rate_counts_where_it_is_above_the_least() -> None:
    rate = LearnedRate()
    assert rate.at_least(0.2) == 0.2
    rate.learn(0.4)
    assert rate.at_least(0.2) == 0.4
    rate.learn(0.1)
    assert rate.at_least(0.2) == 0.2


def test_a_rate_above_one_is_believed_when_two_answers_in_a_row_show_it() -> None:
    # Given an answer that asks for more than all of what is known, between two that do not
    rate = LearnedRate()
    for shown in (0.3, 2.0, 0.3, 2.0):
        rate.learn(shown)
    # I expect it to teach nothing
    assert rate.at_least(0.2) == 0.3
    # If the next shows it too (options are worth less than their margin), I expect all of the notional
    rate.learn(3.0)
    assert rate.at_least(0.2) == 1.0


def test_a_rate_that_no_answer_shows_any_more_is_forgotten() -> None:
    rate = LearnedRate()
    rate.learn(0.9)
    for _ in range(RATE_ANSWERS_KEPT - 1):
        rate.learn(math.nan)
    assert rate.at_least(0.2) == 0.9
    rate.learn(math.nan)
    assert rate.at_least(0.2) == 0.2
    # and one that shows it begins anew
    rate.learn(0.9)
    rate.learn(math.nan)
    assert rate.at_least(0.2) == 0.9
