"""The venue goes away in every way that it can, while its messages are late, lost, doubled, swapped or refused.

Each round lets up to two disturbances run, strikes the connections of one actor or of all, and waits until both
sides are quoted again. What was filled meanwhile must be told once, whatever was lost on the way.
"""

from __future__ import annotations

import random
import time
from typing import Any, NamedTuple

from tests.faults.book_witness import wrong_books
from tests.faults.checks import AGAIN_TIMEOUT_S, NS_PER_MS, SAID_CHARS, FillCheck, check_end, check_orders, session_of
from tests.faults.rounds import play_on_stages
from tests.faults.row import Play, Row
from tests.faults.stage import RuleBrokenError, Stage
from tests.faults.vitals import Baseline

NS_PER_S = 1_000_000_000
MS_PER_S = 1000
MARGIN_NS = 200 * NS_PER_MS  # a fault ends so much later than we count: it began after it was asked for
PULLED_MS_MAX = 1000.0
BOOK_RIGHT_MS_MAX = 2000.0
CANCEL_ON_DISCONNECT_S = 3.0
CANCELLED_MS_MAX = 4000.0  # and a second for the way
GROWTH_MB_MAX = 10.0
WARM_UP_ROUNDS = 3
BOOK_LEVELS, TOUCH = 10, 1
CONTRADICTION_S_MAX = 5.0
CONNECTED = ("market_data", "execution", "risk")
PROCESSES = (*CONNECTED, "strategy", "supervisor")
ALL = "all"
METHODS = (
    "private/insert", "private/amend", "private/cancel", "private/open_orders", "private/portfolio",
    "private/trade_history", "public/login", "private/set_cancel_on_disconnect", "public/subscribe",
    "private/subscribe", "public/instruments",
)  # fmt: skip
CHANNELS = ("session.orders", "account.", "book.", "ticker.", "")
DISTURBANCES = ("delay", "reorder", "drop", "duplicate", "error", "lost_answer", "rate_limit", "malformed")


class Strike(NamedTuple):
    """How connections end. `duration_s` is how long the venue stays out of reach."""

    kind: str
    target: str
    duration_s: float

    @property
    def hits_feed(self) -> bool:
        return self.target in ("market_data", ALL)

    @property
    def leaves_feed_dead(self) -> bool:
        """Whether market data stops: an announced end is followed without a gap."""
        return self.hits_feed and self.kind != "reconnect"

    @property
    def is_silent(self) -> bool:
        """Whether nothing tells the client that the venue is gone."""
        return self.kind in ("blackhole", "half_open")

    @property
    def hits_orders(self) -> bool:
        return self.target in ("execution", ALL)


class Disturbance(NamedTuple):
    """What happens to messages meanwhile; `params` are those of the exchange's fault."""

    kind: str
    params: dict[str, Any]

    @property
    def refuses_cancels(self) -> bool:
        """Whether the venue itself may keep quotes from being pulled."""
        return self.kind == "rate_limit" or self.params.get("method") == "private/cancel"

    @property
    def loses_books(self) -> bool:
        return self.kind == "drop" and self.params["channel"] in ("", "book.")


def draw_strike(rng: random.Random) -> Strike:
    kind = rng.choices(("disconnect", "reset", "half_open", "blackhole", "reconnect"), (4, 4, 2, 2, 2))[0]
    target = rng.choices(("market_data", "execution", "risk", ALL), (4, 4, 1, 3))[0]
    return Strike(kind, target, rng.uniform(2.0, 4.0) if kind == "blackhole" else 0.0)


def draw_disturbance(rng: random.Random) -> Disturbance:
    kind = rng.choice(DISTURBANCES)
    if kind == "delay":
        return Disturbance(kind, {"delay_ms": rng.uniform(5, 250)})
    if kind in ("drop", "duplicate"):
        return Disturbance(kind, {"probability": rng.uniform(0.2, 1), "channel": rng.choice(CHANNELS)})
    if kind == "reorder":
        return Disturbance(kind, {"probability": rng.uniform(0.2, 1)})
    if kind in ("error", "lost_answer"):
        return Disturbance(kind, {"method": rng.choice(METHODS), "count": rng.randint(1, 4)})
    return Disturbance(kind, {})


class VenueRounds:
    """Plays rounds on one stage."""

    def __init__(self, play: Play, stage: Stage) -> None:
        self._findings = play.findings
        self._play = play
        self._stage = stage
        self._fills = FillCheck(stage, play.findings)

    def begin(self) -> None:
        """Have every actor reconnect a few times, so that what is loaded on the first time is; then take stock."""
        stage = self._stage
        for _ in range(WARM_UP_ROUNDS):
            pulled_ns = stage.wait_for_empty(stage.begin_fault("disconnect"), AGAIN_TIMEOUT_S)
            stage.wait_for_both_sides(pulled_ns, AGAIN_TIMEOUT_S)
            stage.follow(1.0)
        self._baseline = Baseline(stage.session, PROCESSES)

    def round(self, number: int) -> None:
        """Play one round.

        Raises:
            RuleBrokenError: what must come about did not.
        """
        rng, stage = self._play.rng(number), self._stage
        disturbances = [draw_disturbance(rng) for _ in range(rng.choice((0, 1, 1, 2)))]
        strike = draw_strike(rng)
        lasting_s, lead_s = rng.uniform(0.5, 1.5), rng.uniform(0, 0.5)
        self._play.say(f"round {number}: {_text(strike, disturbances)}")
        self._findings.count(strike.kind)
        for disturbance in disturbances:
            self._findings.count(disturbance.kind)
            stage.begin_fault(disturbance.kind, duration_s=lasting_s, **disturbance.params)
        disturbed_until_ns = time.monotonic_ns() + (round(lasting_s * NS_PER_S) if disturbances else 0)
        stage.follow(lead_s)
        began_ns, struck_ns = self._strike(strike)
        over_ns = max(began_ns + round(strike.duration_s * NS_PER_S), disturbed_until_ns)
        stage.wait(lambda: time.monotonic_ns() >= over_ns + MARGIN_NS, 60, "the faults are over")
        stage.operator.call("admin/clear_faults")
        # What is late still comes: the feed dies with its last message.
        late_ms = max((each.params.get("delay_ms", 0.0) for each in disturbances), default=0.0)
        dead_ns = struck_ns + (round(late_ms * NS_PER_MS) if strike.is_silent else 0)
        may_stay = any(disturbance.refuses_cancels for disturbance in disturbances)
        self._measure_quotes(strike, number, began_ns, dead_ns, may_stay=may_stay)
        if strike.hits_feed:
            self._measure_book_again(number, began_ns, over_ns)
            # A lost change of a deep level shows in nothing else that the venue says; one of the touch does.
            self._check_book(number, TOUCH if any(each.loses_books for each in disturbances) else BOOK_LEVELS)
        self._check(number, began_ns)

    def end(self) -> None:
        """Nothing leaked; then the session ends, and its own accounts are those of the exchange."""
        for process, lines in self._baseline.leaks().items():
            self._findings.break_rule(0, f"{process} holds {'; '.join(lines)}")
        for process in PROCESSES:
            growth_mb = self._baseline.growth_kb(process) / 1024
            self._findings.measure(f"growth of {process}", growth_mb, "MB", 0, GROWTH_MB_MAX)
        check_end(self._play, self._stage)

    # ---- inside ------------------------------------------------------------------------------------

    def _strike(self, strike: Strike) -> tuple[int, int]:
        """Strike the connections of the target, one after the other; return when the first and the last was struck.

        They may be a second apart: what disturbs messages holds up the exchange's answers to us, too.
        """
        sessions = [session_of(self._stage, actor) for actor in CONNECTED if strike.target in (actor, ALL)]
        params: dict[str, Any] = {"duration_s": strike.duration_s} if strike.duration_s else {}
        if strike.kind == "reconnect":
            params = {"notice_s": 0.5}
        if strike.kind == "blackhole" and strike.target == ALL:
            struck_ns = self._stage.begin_fault(strike.kind, **params)  # new connections are swallowed too
            return struck_ns, struck_ns
        struck = [self._stage.begin_fault(strike.kind, session=session, **params) for session in sessions]
        return min(struck), max(struck)

    def _measure_quotes(self, strike: Strike, number: int, began_ns: int, dead_ns: int, *, may_stay: bool) -> None:
        """Wait for quotes on both sides, and measure how long they were gone, and how soon."""
        since_ns = began_ns
        if strike.hits_orders or (strike.leaves_feed_dead and not may_stay):
            since_ns = self._stage.wait_for_empty(began_ns, AGAIN_TIMEOUT_S)
            self._measure_pulled(strike, number, max(since_ns - dead_ns, 0) / NS_PER_MS)
        again_ns = self._stage.wait_for_both_sides(since_ns, AGAIN_TIMEOUT_S)
        self._stage.wait(lambda: self._stage.log.is_both_sided, AGAIN_TIMEOUT_S, "quotes on both sides stay")
        again_ms = max((again_ns - began_ns) / NS_PER_MS - strike.duration_s * MS_PER_S, 0)
        self._findings.measure(f"again after {strike.kind}", again_ms, "ms", number)

    def _measure_pulled(self, strike: Strike, number: int, pulled_ms: float) -> None:
        if strike.kind != "blackhole" or not strike.hits_orders:
            self._findings.measure("pulled", pulled_ms, "ms", number, PULLED_MS_MAX)
        elif strike.duration_s > CANCEL_ON_DISCONNECT_S:
            self._findings.measure("cancelled by the venue", pulled_ms, "ms", number, CANCELLED_MS_MAX)
        else:  # our cancels are swallowed, and the venue sees no reason to cancel
            self._findings.measure("pulled, cancels lost", pulled_ms, "ms", number)

    def _measure_book_again(self, number: int, began_ns: int, over_ns: int) -> None:
        valid_ns = self._stage.books.first_valid_ns(began_ns)
        if valid_ns is None:
            raise RuleBrokenError("quoting again without a valid book")
        again_ms = max(valid_ns - over_ns, 0) / NS_PER_MS
        self._findings.measure("book again", again_ms, "ms", number, BOOK_RIGHT_MS_MAX)

    def _check_book(self, number: int, levels: int) -> None:
        """The book is the venue's, at the latest when a contradiction to the ticker has lasted too long."""
        deadline_s = time.monotonic() + CONTRADICTION_S_MAX
        wrong = wrong_books(self._stage, levels)
        while wrong and levels == TOUCH and time.monotonic() < deadline_s:
            wrong = wrong_books(self._stage, levels)
        for text in wrong:
            self._findings.break_rule(number, text)

    def _check(self, number: int, since_ns: int) -> None:
        check_orders(self._stage, self._findings, number, since_ns)
        self._fills.check(number)
        if dead := {name: actor["restarts"] for name, actor in self._stage.actors().items() if actor["restarts"]}:
            said = self._stage.session.said[-SAID_CHARS:]
            raise RuleBrokenError(f"actors died of what the venue did, restarts {dead}: {said}")


def _text(strike: Strike, disturbances: list[Disturbance]) -> str:
    """Return what a round does, for a person."""
    parts = [f"{strike.kind} of {strike.target}" + (f" for {strike.duration_s:.1f} s" if strike.duration_s else "")]
    for kind, params in disturbances:
        values = [f"{value:.2f}" if isinstance(value, float) else str(value) for value in params.values()]
        parts.append(" ".join([kind, *values]).strip())
    return ", ".join(parts)


def play(play: Play) -> None:
    """Play all rounds."""
    play_on_stages(play, VenueRounds)


ROW = Row("venue", "disconnects of every kind among late, lost, doubled and refused messages", 6, 50, 500, play)
