"""SIGKILL of the recorder at random moments: nobody notices, and its files tell everything once."""

from __future__ import annotations

import os
import signal
import time
from decimal import Decimal

from runtime.recordings.audit import open_audit
from runtime.recordings.files import table
from tests.faults.checks import (
    AGAIN_TIMEOUT_S,
    NS_PER_MS,
    DeathCheck,
    FillCheck,
    check_end,
    check_orders,
    check_position,
)
from tests.faults.order_log import FillKey
from tests.faults.rounds import play_on_stages
from tests.faults.row import Play, Row
from tests.faults.stage import CONFIG, Stage

ACTOR = "recorder"
RECORDED = ("books", "trades", "tickers", "explanations", "quote_inputs")
CALM_S_MAX = 3.0
AGAIN_MS_MAX = 10_000.0  # it gives way to everybody else: on a busy machine its imports take most of that


class RecorderRounds:
    """Kills the recorder again and again; what it has recorded is read when the session is over."""

    def __init__(self, play: Play, stage: Stage) -> None:
        self._play = play
        self._stage = stage
        self._fills = FillCheck(stage, play.findings)
        self._deaths = DeathCheck(play, stage)
        self._others: dict[str, int] = {}

    def begin(self) -> None:
        """Everybody else lives through all rounds."""
        self._others = self._pids()

    def round(self, number: int) -> None:
        """Kill it, and see that quotes stand until its next life works.

        Raises:
            RuleBrokenError: there is no next life.
        """
        stage, findings = self._stage, self._play.findings
        stage.follow(self._play.rng(number).uniform(0, CALM_S_MAX))
        pid = stage.actors()[ACTOR]["pid"]
        self._play.say(f"round {number}: SIGKILL of {ACTOR} {pid}")
        dead_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        stage.wait(lambda: self._is_replaced(pid), AGAIN_TIMEOUT_S, f"{ACTOR} is replaced and live")
        live_ns = time.monotonic_ns()
        findings.measure("works again", (live_ns - dead_ns) / NS_PER_MS, "ms", number, AGAIN_MS_MAX)
        if stage.log.first_pulled_ns(dead_ns) is not None:
            findings.break_rule(number, "quotes were pulled though only the recorder was dead")
        if (now := self._pids()) != self._others:
            findings.break_rule(number, f"somebody else was replaced: {self._others} before, {now} after")
        check_orders(stage, findings, number, dead_ns)
        self._fills.check(number)
        check_position(stage)
        self._deaths.check(number, killed=ACTOR)

    def end(self) -> None:
        """What was recorded is what happened, each thing once."""
        check_end(self._play, self._stage)
        wrong = [*self._wrong_fills(), *self._wrong_positions()]
        for text in wrong:
            self._play.findings.break_rule(0, text)
        if wrong:
            self._play.keep(self._stage.session, 0)

    # ---- inside ------------------------------------------------------------------------------------

    def _wrong_fills(self) -> list[str]:
        """Return what the audit trail says of fills that the exchange does not, and what it has not."""
        connection = open_audit(self._stage.session.run)
        try:
            rows = connection.execute(
                "SELECT trade_id, venue_order_id, leg_index, side, price, size, fee FROM fills"
            ).fetchall()
            (gaps,) = connection.execute("SELECT coalesce(sum(records), 0) FROM gaps").fetchone()
            events = [position for (position,) in connection.execute("SELECT position FROM order_events")]
        finally:
            connection.close()
        told: dict[FillKey, tuple[bool, Decimal, Decimal]] = {
            (trade_id, order_id, leg): (side == "buy", Decimal(price), Decimal(size))
            for trade_id, order_id, leg, side, price, size, _ in rows
        }
        true = {key: tuple(fill[1:]) for key, fill in self._stage.log.fills.items()}
        found = []
        if told != true:
            differing = {key for key in told.keys() | true.keys() if told.get(key) != true.get(key)}
            found.append(f"audit trail: {len(differing)} of {len(true)} fills differ, e.g. {next(iter(differing))}")
        if unpaid := sum(row[-1] is None for row in rows):
            found.append(f"audit trail: {unpaid} of {len(rows)} fills without a fee")
        self._play.findings.count("records lost, told in gaps", gaps)
        if not gaps and sorted(events) != list(range(len(events))):
            found.append(f"audit trail: {len(events)} order events up to position {max(events)}, and no gap is told")
        self._play.findings.count("fills in the audit trail", len(rows))
        return found

    def _wrong_positions(self) -> list[str]:
        """Return which recordings have a record twice, or a hole that no row in `gaps` tells."""
        connection = open_audit(self._stage.session.run)
        try:
            lost = dict(connection.execute("SELECT ring, sum(records) FROM gaps GROUP BY ring").fetchall())
        finally:
            connection.close()
        found = []
        for kind in RECORDED:
            rows = table(self._stage.session.run, kind, ["actor", "position"]).to_pydict()
            for actor in sorted(set(rows["actor"])):
                pairs = zip(rows["actor"], rows["position"], strict=True)
                positions = [position for its, position in pairs if its == actor]
                rings = [ring for ring in lost if ring.partition(".")[0] == kind]
                holes = positions[-1] + 1 - len(positions)
                if sorted(set(positions)) != positions:
                    found.append(f"recording of {kind} by {actor}: records twice, or out of order")
                elif holes != sum(lost[ring] for ring in rings):
                    found.append(f"recording of {kind} by {actor}: {holes} records are missing, gaps tell {lost}")
                self._play.findings.count(f"{kind} recorded", len(positions))
        return found

    def _pids(self) -> dict[str, int]:
        return {name: actor["pid"] for name, actor in self._stage.actors().items() if name != ACTOR}

    def _is_replaced(self, pid: int) -> bool:
        actor = self._stage.actors()[ACTOR]
        return actor["pid"] not in (0, pid) and actor["state"] == "live"


def play(play: Play) -> None:
    """Play all rounds."""
    play_on_stages(play, RecorderRounds)


assert "[recorder]\nenabled = true" in CONFIG, "the suite's session has no recorder to kill"
ROW = Row("recorder", "SIGKILL of the recorder; then its files against the exchange", 2, 5, 50, play)
