"""The venue goes away in every way that it can, while its messages are late, lost, doubled, swapped or refused.

Each round lets one or two disturbances run, strikes the connections of one actor or of all, and waits until both
sides are quoted again. What was filled meanwhile must be told once, whatever was lost on the way.
"""

from __future__ import annotations

import random
import time
from typing import Any, NamedTuple

from tests.faults.book_witness import wrong_books
from tests.faults.row import Play, Row
from tests.faults.stage import LEVELS, RuleBrokenError, Stage
from tests.faults.told import disagreements, lateness_ns
from tests.faults.vitals import Baseline

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
MS_PER_S = 1000
MARGIN_NS = 200 * NS_PER_MS  # a fault ends so much later than we count: it began after it was asked for
PULLED_MS_MAX = 1000.0
BOOK_RIGHT_MS_MAX = 2000.0
CANCEL_ON_DISCONNECT_S = 3.0
CANCELLED_MS_MAX = 4000.0  # and a second for the way
GROWTH_MB_MAX = 10.0
AGAIN_TIMEOUT_S = 40.0
TOLD_TIMEOUT_S = 30.0
CONNECTED_TIMEOUT_S = 20.0
WARM_UP_ROUNDS = 3
ACTORS = ("market_data", "execution", "risk")  # those with a connection
ALL = "all"
METHODS = (
    "private/insert", "private/amend", "private/cancel", "private/open_orders", "private/portfolio",
    "private/trade_history", "public/login", "private/set_cancel_on_disconnect", "public/subscribe",
    "private/subscribe", "public/instruments",
)  # fmt: skip
CHANNELS = ("session.orders", "account.", "book.", "ticker.", "")


class Strike(NamedTuple):
    """How connections end. `duration_s` is how long the venue stays out of reach."""

    kind: str
    target: str
    duration_s: float

    @property
    def hits_feed(self) -> bool:
        return self.target in ("market_data", ALL)

    @property
    def hits_orders(self) -> bool:
        return self.target in ("execution", ALL)


class Disturbance(NamedTuple):
    """What happens to messages meanwhile; `params` are those of the exchange's fault."""

    kind: str
    params: dict[str, Any]


def draw_strike(rng: random.Random) -> Strike:
    kind = rng.choices(("disconnect", "reset", "half_open", "blackhole", "reconnect"), (4, 4, 2, 2, 2))[0]
    target = rng.choices(("market_data", "execution", "risk", ALL), (4, 4, 1, 3))[0]
    return Strike(kind, target, rng.uniform(2.0, 4.0) if kind == "blackhole" else 0.0)


def draw_disturbance(rng: random.Random) -> Disturbance:
    kind = rng.choice(("delay", "reorder", "drop", "duplicate", "error", "lost_answer", "rate_limit", "malformed"))
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
        self._checked_fills = 0

    def round(self, number: int) -> None:
        """Play one round.

        Raises:
            RuleBrokenError: what must come about did not; the stage may no longer be in order.
        """
        rng = self._play.rng(number)
        disturbances = [draw_disturbance(rng) for _ in range(rng.choice((0, 1, 1, 2)))]
        strike = draw_strike(rng)
        lasting_s, lead_s = rng.uniform(0.5, 1.5), rng.uniform(0, 0.5)
        self._play.say(f"round {number}: {_text(strike, disturbances)}")
        stage = self._stage
        self._findings.count(strike.kind)
        for disturbance in disturbances:
            self._findings.count(disturbance.kind)
            stage.begin_fault(disturbance.kind, duration_s=lasting_s, **disturbance.params)
        disturbed_until_ns = time.monotonic_ns() + (round(lasting_s * NS_PER_S) if disturbances else 0)
        stage.follow(lead_s)
        began_ns = self._strike(strike)
        over_ns = max(began_ns + round(strike.duration_s * NS_PER_S), disturbed_until_ns)
        stage.wait(lambda: time.monotonic_ns() >= over_ns + MARGIN_NS, 60, "the faults are over")
        stage.operator.call("admin/clear_faults")
        self._measure(strike, number, began_ns, over_ns, is_cancel_refused=any(map(_refuses_cancels, disturbances)))
        self._check_orders(number, began_ns)
        self._check_fills(number)
        if strike.hits_feed:
            self._check_book(number)

    # ---- striking ----------------------------------------------------------------------------------

    def _strike(self, strike: Strike) -> int:
        """Strike the connections of the target; return a time before which nothing had happened."""
        targets = ACTORS if strike.target == ALL else (strike.target,)
        sessions = [self._session_of(actor) for actor in targets]
        params: dict[str, Any] = {"duration_s": strike.duration_s} if strike.duration_s else {}
        if strike.kind == "reconnect":
            params = {"notice_s": 0.5}
        if strike.kind == "blackhole" and strike.target == ALL:
            return self._stage.begin_fault(strike.kind, **params)  # new connections are swallowed too
        times_ns = [self._stage.begin_fault(strike.kind, session=session, **params) for session in sessions]
        return times_ns[0]

    def _session_of(self, actor: str) -> str:
        """Return the exchange's id of the connection that an actor has now; it may be just reconnecting."""
        found: list[str] = []
        actors = self._stage.actors()
        self._check_deaths(actors)
        pid = actors[actor]["pid"]

        def is_connected() -> bool:
            session = self._stage.exchange_session(pid)
            if session is not None and session not in self._stage.log.session_ends_ns:
                found.append(session)
            return bool(found)

        self._stage.wait(is_connected, CONNECTED_TIMEOUT_S, f"{actor} is connected")
        return found[-1]

    # ---- what must hold ----------------------------------------------------------------------------

    def _check_deaths(self, actors: dict[str, dict[str, Any]]) -> None:
        """No actor dies of what the venue does."""
        if dead := {name: actor["restarts"] for name, actor in actors.items() if actor["restarts"]}:
            raise RuleBrokenError(
                f"actors died of what the venue did, restarts {dead}: {self._stage.session.said[-400:]}"
            )

    def _measure(self, strike: Strike, number: int, began_ns: int, over_ns: int, *, is_cancel_refused: bool) -> None:
        """Wait for quotes on both sides, and measure how long what took."""
        log, findings = self._stage.log, self._findings
        since_ns = began_ns
        if strike.hits_orders or (strike.hits_feed and not is_cancel_refused):
            self._stage.wait(lambda: log.first_empty_ns(began_ns) is not None, AGAIN_TIMEOUT_S, "quotes are pulled")
            pulled_ns = log.first_empty_ns(began_ns)
            assert pulled_ns is not None
            since_ns = pulled_ns
            pulled_ms = (pulled_ns - began_ns) / NS_PER_MS
            if strike.kind == "blackhole" and strike.hits_orders and strike.duration_s > CANCEL_ON_DISCONNECT_S:
                findings.measure("cancelled by the venue", pulled_ms, "ms", number, CANCELLED_MS_MAX)
            elif strike.kind == "blackhole" and strike.hits_orders:
                findings.measure("pulled, requests lost", pulled_ms, "ms", number)
            else:
                findings.measure("pulled", pulled_ms, "ms", number, PULLED_MS_MAX)
        again_ns = self._stage.wait_for_both_sides(since_ns, AGAIN_TIMEOUT_S)
        self._stage.wait(lambda: log.is_both_sided, AGAIN_TIMEOUT_S, "quotes on both sides stay")
        again_ms = (again_ns - began_ns) / NS_PER_MS - strike.duration_s * MS_PER_S
        findings.measure(f"again after {strike.kind}", again_ms, "ms", number)
        if strike.hits_feed:
            valid_ns = self._stage.books.first_valid_ns(began_ns)
            if valid_ns is None:
                raise RuleBrokenError("quoting again without a valid book")
            findings.measure("book again", max(valid_ns - over_ns, 0) / NS_PER_MS, "ms", number, BOOK_RIGHT_MS_MAX)

    def _check_orders(self, number: int, since_ns: int) -> None:
        """Nothing is open that no live process of ours looks after, and nothing was sent twice."""
        log = self._stage.log
        session = self._session_of("execution")
        self._stage.poll()
        for line in log.orders_of_others(session):
            self._findings.break_rule(number, f"an order of session {line['session']} is open, ours is {session}")
        if (most := log.most_on_a_side(since_ns)) > LEVELS:
            self._findings.break_rule(number, f"{most} orders were open on one side, {LEVELS} are wanted")
        if twice := [client_order_id for client_order_id, times in log.requests.items() if times > 1]:
            self._findings.break_rule(number, f"orders {twice} were sent twice")

    def _check_fills(self, number: int) -> None:
        """Every fill up to now is told, once, before long."""
        log, events = self._stage.log, self._stage.events
        keys = list(log.fills)
        self._stage.wait(
            lambda: all(key in events.fills for key in keys), TOLD_TIMEOUT_S, f"all of {len(keys)} fills are told"
        )
        for key in keys[self._checked_fills :]:
            late_ms = lateness_ns(log.fills[key], events.fills[key][0]) / NS_PER_MS
            self._findings.measure("fill told", late_ms, "ms", number)
            if len(events.fills[key]) > 1:
                self._findings.break_rule(number, f"fill {key} is told {len(events.fills[key])} times")
        self._checked_fills = len(keys)

    def _check_book(self, number: int) -> None:
        for text in wrong_books(self._stage):
            self._findings.break_rule(number, text)


def play(play: Play) -> None:
    """Play all rounds; a stage that is out of order is left, and the next rounds get a new one."""
    left = list(play.rounds)
    while left:
        folder = play.folder / f"venue{left[0]}"
        folder.mkdir()
        left = _play_on_one_stage(play, folder, left)


def _play_on_one_stage(play: Play, folder: Any, rounds: list[int]) -> list[int]:
    """Play rounds until one breaks the stage or all are played; return those that are left."""
    number = rounds[0]
    with Stage(folder, seed=play.seed) as stage:
        try:
            _warm_up(stage)
            baseline = Baseline(stage.session, (*ACTORS, "strategy", "supervisor"))
            venue = VenueRounds(play, stage)
            for number in rounds:
                venue.round(number)
            number = 0
            _check_end(play, stage, baseline)
        except RuleBrokenError as broken:
            play.findings.break_rule(number, str(broken))
            play.keep(stage.session, number)
            return rounds[rounds.index(number) + 1 :] if number else []
    return []


def _warm_up(stage: Stage) -> None:
    """Have every actor reconnect a few times, so that what is loaded on the first time is."""
    for _ in range(WARM_UP_ROUNDS):
        began_ns = stage.begin_fault("disconnect")
        stage.wait(lambda: stage.log.first_empty_ns(began_ns) is not None, AGAIN_TIMEOUT_S, "quotes are pulled")  # noqa: B023
        stage.wait_for_both_sides(stage.log.first_empty_ns(began_ns) or began_ns, AGAIN_TIMEOUT_S)
        stage.follow(1.0)


def _check_end(play: Play, stage: Stage, baseline: Baseline) -> None:
    """Nothing leaked; then the session ends, and its own accounts are those of the exchange."""
    for process, lines in baseline.leaks().items():
        play.findings.break_rule(0, f"{process} holds {'; '.join(lines)}")
    for process in baseline.held:
        growth_mb = baseline.growth_kb(process) / 1024
        play.findings.measure(f"growth of {process}", growth_mb, "MB", 0, GROWTH_MB_MAX)
    exit_code = stage.end()
    if exit_code:
        play.findings.break_rule(0, f"the session ended with {exit_code}: {stage.session.said[-600:]}")
        return
    wrong = disagreements(stage.log, stage.events, stage.session.run / "journal.jsonl", stage.session.summary)
    for text in wrong:
        play.findings.break_rule(0, text)
    if wrong:
        play.keep(stage.session, 0)
    play.findings.count("fills", len(stage.log.fills))


def _refuses_cancels(disturbance: Disturbance) -> bool:
    """Whether the venue itself may keep quotes from being pulled."""
    return disturbance.kind == "rate_limit" or disturbance.params.get("method") == "private/cancel"


def _text(strike: Strike, disturbances: list[Disturbance]) -> str:
    """Return what a round does, for a person."""
    parts = [f"{strike.kind} of {strike.target}" + (f" for {strike.duration_s:.1f} s" if strike.duration_s else "")]
    for kind, params in disturbances:
        values = [f"{value:.2f}" if isinstance(value, float) else str(value) for value in params.values()]
        parts.append(" ".join([kind, *values]).strip())
    return ", ".join(parts)


ROW = Row("venue", "disconnects of every kind among late, lost, doubled and refused messages", 8, 200, 500, play)
