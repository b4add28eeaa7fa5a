"""What must hold whatever was done to the session: orders attended, nothing sent twice, each fill told once."""

from __future__ import annotations

from decimal import Decimal

from runtime.paths import JOURNAL_FILE
from tests.faults import logs
from tests.faults.findings import Findings
from tests.faults.row import Play
from tests.faults.stage import INSTRUMENT, LEVELS, Stage
from tests.faults.told import disagreements, lateness_ns, position_disagreements

NS_PER_MS = 1_000_000
CONNECTED_TIMEOUT_S = 20.0
TOLD_TIMEOUT_S = 30.0
AGAIN_TIMEOUT_S = 40.0
SAID_CHARS = 600


def session_of(stage: Stage, actor: str) -> str:
    """Return the exchange's id of the connection that an actor has now; it may be just connecting.

    Raises:
        RuleBrokenError: it does not connect.
    """
    found: list[str] = []

    def is_connected() -> bool:
        session = stage.exchange_session(stage.actors()[actor]["pid"])
        if session is not None and session not in stage.log.session_ends_ns:
            found.append(session)
        return bool(found)

    stage.wait(is_connected, CONNECTED_TIMEOUT_S, f"{actor} is connected")
    return found[-1]


def check_orders(stage: Stage, findings: Findings, number: int, since_ns: int) -> None:
    """Every open order is of execution's present session, and nothing was sent twice."""
    session = session_of(stage, "execution")
    stage.poll()
    log = stage.log
    for line in log.orders_of_others(session):
        findings.break_rule(number, f"an order of session {line['session']} is open, ours is {session}")
    if (most := log.most_on_a_side(since_ns)) > LEVELS:
        findings.break_rule(number, f"{most} orders were open on one side, {LEVELS} are wanted")
    if twice := [client_order_id for client_order_id, times in log.inserts.items() if times > 1]:
        findings.break_rule(number, f"orders {twice} were sent twice")


class DeathCheck:
    """Sees that nobody dies but those that the suite kills; what else dies leaves a page, named in the finding."""

    def __init__(self, play: Play, stage: Stage) -> None:
        self._play = play
        self._stage = stage
        self._seen = len(stage.deaths())

    def check(self, number: int, *, killed: str) -> None:
        """Take down every death since the last look that was not the suite's own of actor `killed`."""
        deaths = self._stage.deaths()
        fresh, self._seen = deaths[self._seen :], len(deaths)
        own = next((line for line in fresh if line.startswith(f"{killed}, ")), "")
        others = [line for line in fresh if line != own]
        for line in others:
            self._play.findings.break_rule(number, f"died though nobody killed it: {line}")
        if others:
            self._play.keep(self._stage.session, number)


def check_position(stage: Stage) -> None:
    """Wait until the session's own position is the one of the exchange's log.

    Raises:
        RuleBrokenError: it stays another.
    """

    def agrees() -> bool:
        found = stage.session.status()["instruments"][INSTRUMENT].get("position")
        stage.log.poll()
        return found is not None and Decimal(str(found)) == stage.log.position.get(INSTRUMENT, Decimal(0))

    stage.wait(agrees, TOLD_TIMEOUT_S, "our position is the venue's")


class FillCheck:
    """Compares fills as they come; each is measured once."""

    def __init__(self, stage: Stage, findings: Findings) -> None:
        self._stage = stage
        self._findings = findings
        self._checked = 0

    def check(self, number: int) -> None:
        """Wait until every fill up to now is told, and see that it is told once.

        Raises:
            RuleBrokenError: one is not told in time.
        """
        log, events = self._stage.log, self._stage.events
        keys = list(log.fills)
        what = f"all of {len(keys)} fills are told"
        self._stage.wait(lambda: all(key in events.fills for key in keys), TOLD_TIMEOUT_S, what)
        for key in keys[self._checked :]:
            late_ms = lateness_ns(log.fills[key], events.fills[key][0]) / NS_PER_MS
            self._findings.measure("fill told", late_ms, "ms", number)
            if len(events.fills[key]) > 1:
                self._findings.break_rule(number, f"fill {key} is told {len(events.fills[key])} times")
        self._checked = len(keys)


def check_end(play: Play, stage: Stage) -> None:
    """End the session: its own accounts of fills and position are those of the exchange, and nothing stays."""
    play.findings.count("fills", len(stage.log.fills))
    wrong = _end(play, stage)
    if not wrong:
        journal = stage.session.run / JOURNAL_FILE
        wrong = disagreements(stage.log, stage.events, journal, stage.session.summary)
    _break_all(play, stage, wrong)


def check_position_at_end(play: Play, stage: Stage) -> None:
    """End the session: it knows the position that it and all before it built, and leaves nothing open."""
    wrong = _end(play, stage) or position_disagreements(stage.log, stage.session.summary)
    _break_all(play, stage, wrong)


def _end(play: Play, stage: Stage) -> list[str]:
    """End the session in order; return what was not in order."""
    exit_code = stage.end()
    for run in stage.session.all_runs:
        for text in logs.bugs(run):
            play.findings.break_rule(0, text)
        for line in logs.errors(run):
            play.findings.count(f"× error `{line['process']}: {line['event']}`")
    if exit_code:
        return [f"the session ended with {exit_code}: {stage.session.said[-SAID_CHARS:]}"]
    try:
        stage.session.assert_nothing_stays()
    except AssertionError as error:
        return [f"something stays: {error}"]
    return []


def _break_all(play: Play, stage: Stage, wrong: list[str]) -> None:
    for text in wrong:
        play.findings.break_rule(0, text)
    if wrong:
        play.keep(stage.session, 0)
