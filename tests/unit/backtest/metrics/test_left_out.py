"""A report says how many fills its figures leave out, and why."""

from __future__ import annotations

from backtest.metrics.facts import facts_of
from backtest.metrics.left_out import left_out_notes
from backtest.metrics.leg import UNKNOWN_MID
from tests.leg_case import Fill, leg

WHOLE = Fill(1, +1, 99, 1, 200, 201, 202, 203)
NEAR_THE_END = Fill(57, -1, 101, 1, 200, 201, UNKNOWN_MID, UNKNOWN_MID)
LAST = Fill(60, -1, 101, 1, 200, UNKNOWN_MID, UNKNOWN_MID, UNKNOWN_MID)
BEFORE_THE_BOOK = Fill(0, +1, 99, 1, UNKNOWN_MID, 201, 202, 203)


def test_fills_near_the_end_are_counted_for_each_markout_and_the_split_says_what_it_does_with_them() -> None:
    assert left_out_notes([leg([WHOLE, WHOLE, NEAR_THE_END, LAST])]) == [
        "of 4 fills markouts leave out those with no mid recorded so much later: 1 in that after 1 s, "
        "2 in that after 5 s, 2 in that after 30 s",
        "of 4 fills the split leaves out none: of 2 with no mid 5 s later, adverse selection is counted up to the end",
    ]


def test_a_fill_without_a_mid_of_its_own_has_no_spread_and_that_is_said() -> None:
    assert left_out_notes([leg([WHOLE]), leg([BEFORE_THE_BOOK], instrument="ETH-PERPETUAL")]) == [
        "of 2 fills the split leaves out none: 1 with no mid at their own moment have no spread"
    ]


def test_a_run_whose_figures_leave_nothing_out_says_nothing() -> None:
    assert left_out_notes([leg([WHOLE])]) == left_out_notes([leg()]) == []


def test_it_stands_among_the_notes_of_every_report() -> None:
    facts = facts_of([leg([WHOLE, LAST])], kind="live", data=["x"], notes=["first"])
    assert facts.notes[0] == "first"
    assert len(facts.notes) == 3
