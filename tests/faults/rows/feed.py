"""A feed that is connected and says nothing, a book that is crossed, and a market that is merely quiet.

Quotes go, and come back with a right book, in the first two; in the third they stay: a silent market is not dead.
"""

from __future__ import annotations

import time

from tests.faults.checks import AGAIN_TIMEOUT_S, NS_PER_MS, FillCheck, check_end, check_orders, session_of
from tests.faults.rounds import play_on_stages
from tests.faults.row import Play, Row
from tests.faults.stage import Stage

KINDS = ("dead", "crossed", "quiet")
DEAD_S = 12.0  # of one connection: the next one tells
QUIET_S = 6.0
PULLED_MS_MAX = 1000.0
BOOK_RIGHT_MS_MAX = 2000.0
CALM_S_MAX = 1.0


class FeedRounds:
    """Plays the kinds in turn."""

    def __init__(self, play: Play, stage: Stage) -> None:
        self._play = play
        self._stage = stage
        self._findings = play.findings
        self._fills = FillCheck(stage, play.findings)

    def begin(self) -> None:
        """Nothing is compared later."""

    def round(self, number: int) -> None:
        """Play one round.

        Raises:
            RuleBrokenError: quotes do not come back.
        """
        stage = self._stage
        kind = KINDS[(number - 1) % len(KINDS)]
        stage.follow(self._play.rng(number).uniform(0, CALM_S_MAX))
        self._play.say(f"round {number}: {kind}")
        self._findings.count(kind)
        began_ns = {"dead": self._dead, "crossed": self._crossed, "quiet": self._quiet}[kind](number)
        stage.wait(lambda: stage.log.is_both_sided, AGAIN_TIMEOUT_S, "quotes on both sides")
        check_orders(stage, self._findings, number, began_ns)
        self._fills.check(number)

    def end(self) -> None:
        """The session's own accounts are those of the exchange."""
        check_end(self._play, self._stage)

    # ---- inside ------------------------------------------------------------------------------------

    def _dead(self, number: int) -> int:
        """Let nothing but answers and pongs through to market data."""
        stage = self._stage
        began_ns = stage.begin_fault("drop", session=session_of(stage, "market_data"), duration_s=DEAD_S)
        pulled_ns = stage.wait_for_empty(self._lost_ns(began_ns), AGAIN_TIMEOUT_S)
        self._findings.measure("pulled: dead", (pulled_ns - began_ns) / NS_PER_MS, "ms", number, PULLED_MS_MAX)
        self._measure_book(number, began_ns, "dead")
        again_ns = stage.wait_for_both_sides(pulled_ns, AGAIN_TIMEOUT_S)
        self._findings.measure("again: dead", (again_ns - began_ns) / NS_PER_MS, "ms", number)
        stage.operator.call("admin/clear_faults")
        return began_ns

    def _crossed(self, number: int) -> int:
        """Tell market data of a bid above the best ask."""
        stage = self._stage
        crossed_before = stage.books.crossed
        began_ns = stage.begin_fault("crossed_book", session=session_of(stage, "market_data"))
        self._lost_ns(began_ns)
        right_ms = self._measure_book(number, began_ns, "crossed")
        if right_ms > PULLED_MS_MAX:  # before, there was no reason to pull them
            pulled_ns = stage.wait_for_empty(began_ns, AGAIN_TIMEOUT_S)
            self._findings.measure("pulled: crossed", (pulled_ns - began_ns) / NS_PER_MS, "ms", number, PULLED_MS_MAX)
        if stage.books.crossed > crossed_before:
            self._findings.break_rule(number, "a crossed book was published as a valid one")
        return began_ns

    def _quiet(self, number: int) -> int:
        """Stop the market: no trade, no change of the book."""
        stage = self._stage
        stage.operator.call("admin/stop_flow")
        stage.follow(1.0)
        began_ns = time.monotonic_ns()
        try:
            stage.follow(QUIET_S)
        finally:
            stage.operator.call("admin/start_flow")
        if (empty_ns := stage.log.first_empty_ns(began_ns)) is not None:
            after_ms = (empty_ns - began_ns) / NS_PER_MS
            self._findings.break_rule(number, f"a quiet market lost its quotes after {after_ms:.0f} ms")
        return began_ns

    def _lost_ns(self, began_ns: int) -> int:
        """Wait until the book is said not to be valid; return when that was."""
        books = self._stage.books
        self._stage.wait(lambda: books.first_lost_ns(began_ns) is not None, AGAIN_TIMEOUT_S, "the fault is noticed")
        lost_ns = books.first_lost_ns(began_ns)
        assert lost_ns is not None
        return lost_ns

    def _measure_book(self, number: int, began_ns: int, kind: str) -> float:
        """Wait until the book is valid again; return how long that took, ms."""
        books = self._stage.books
        what = "the book is right again"
        self._stage.wait(lambda: books.first_valid_ns(began_ns) is not None, AGAIN_TIMEOUT_S, what)
        valid_ns = books.first_valid_ns(began_ns)
        assert valid_ns is not None
        again_ms = (valid_ns - began_ns) / NS_PER_MS
        self._findings.measure(f"book again: {kind}", again_ms, "ms", number, BOOK_RIGHT_MS_MAX)
        return again_ms


def play(play: Play) -> None:
    """Play all rounds."""
    play_on_stages(play, FeedRounds)


ROW = Row("feed", "a dead feed, a crossed book, a quiet market in turn", 3, 6, 30, play)
