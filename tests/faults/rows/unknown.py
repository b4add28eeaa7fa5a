"""Every tenth insert's answer is lost: its order is unknown, counts, is asked about, and is never sent again.

The exchange carries the insert out and never answers it; in every other round the notifications that tell of it are
lost as well. What the exchange shows as open must at every moment be counted by execution.
"""

from __future__ import annotations

import time
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from messages.commands import CancelAll
from tests.faults.checks import (
    AGAIN_TIMEOUT_S,
    NS_PER_MS,
    FillCheck,
    check_end,
    check_orders,
    check_position,
    session_of,
)
from tests.faults.order_log import JsonLines, Line
from tests.faults.rounds import play_on_stages
from tests.faults.row import Play, Row
from tests.faults.stage import INSTRUMENT, Stage

ROUND_S = 5.0
EVERY = 10
DEAF_S = 3.0  # longer than execution waits for an answer
RESOLVED_MS_MAX = 10_000.0  # the answer's time limit, the way to a new session, and its recovery
COMMAND_TIMEOUT_S = 10.0


class Counted(NamedTuple):
    """What execution counted as out on each side, in lots, at a moment (monotonic ns)."""

    time_ns: int
    buy_lots: int
    sell_lots: int


class UnknownRounds:
    """Each round is five seconds in which orders are cancelled and placed anew all the time."""

    def __init__(self, play: Play, stage: Stage) -> None:
        self._play = play
        self._stage = stage
        self._findings = play.findings
        self._fills = FillCheck(stage, play.findings)
        self._accounts = stage.shared.table("accounts")
        grid = stage.shared.table("instruments").read(0)
        assert grid is not None, "the instruments table is empty while orders are open"
        self._lot_size = Decimal(str(grid.lot_size))
        self._samples: list[Counted] = []
        self._open = OpenLots(stage.exchange.order_log_path, self._lot_size)

    def begin(self) -> None:
        """Nothing is compared later."""

    def round(self, number: int) -> None:
        """Lose answers for a while, and see each resolved.

        Raises:
            RuleBrokenError: it is not, or quotes do not come back.
        """
        stage = self._stage
        began_ns = time.monotonic_ns()
        until_s = time.monotonic() + ROUND_S
        while time.monotonic() < until_s:
            self._lose_the_tenth(number)
        stage.operator.call("admin/clear_faults")
        again_ns = stage.wait_for_both_sides(time.monotonic_ns(), AGAIN_TIMEOUT_S)
        check_orders(stage, self._findings, number, again_ns)
        check_position(stage)
        self._fills.check(number)
        self._check_counted(number, began_ns)

    def end(self) -> None:
        """The session's own accounts are those of the exchange."""
        unknown = self._stage.session.status()["counters"]["execution"]["unknown_outcomes"]
        self._findings.count("unknown outcomes", unknown)
        if not unknown and not self._findings.counts.get("answers lost"):
            self._findings.break_rule(0, "no answer was lost")
        check_end(self._play, self._stage)

    # ---- inside ------------------------------------------------------------------------------------

    def _lose_the_tenth(self, number: int) -> None:
        """Have orders cancelled and placed anew until nine were inserted; lose the answer to the next one."""
        stage = self._stage
        target = sum(stage.log.inserts.values()) + EVERY - 1
        until_s = time.monotonic() + ROUND_S
        while sum(stage.log.inserts.values()) < target and time.monotonic() < until_s:
            self._place_anew()
        session = session_of(stage, "execution")
        if number % 2 == 0:
            stage.begin_fault("drop", session=session, channel="session.orders", duration_s=DEAF_S)
        lost_ns = stage.begin_fault("lost_answer", session=session, method="private/insert")
        self._findings.count("answers lost")
        self._place_anew()
        stage.wait(lambda: self._sample() and self._is_resolved(), AGAIN_TIMEOUT_S, "every order's fate is known")
        resolved_ms = (time.monotonic_ns() - lost_ns) / NS_PER_MS
        self._findings.measure("fate known", resolved_ms, "ms", number, RESOLVED_MS_MAX)

    def _place_anew(self) -> None:
        if self._stage.log.is_both_sided:
            self._stage.session.send(CancelAll(), COMMAND_TIMEOUT_S, process="execution")
        self._stage.follow(0.05)
        self._sample()

    def _sample(self) -> bool:
        row = self._accounts.read(0)
        if row is not None:
            buy_lots = int(row.pending_buy_lots) + sum(int(lots) for lots in row.bid_size_lots[: int(row.bid_count)])
            sell_lots = int(row.pending_sell_lots) + sum(int(lots) for lots in row.ask_size_lots[: int(row.ask_count)])
            self._samples.append(Counted(int(row.updated_time_ns), buy_lots, sell_lots))
        return True

    def _is_resolved(self) -> bool:
        row = self._accounts.read(0)
        is_known = row is not None and row.is_known and not row.pending_buy_lots and not row.pending_sell_lots
        return bool(is_known) and self._stage.log.is_both_sided

    def _check_counted(self, number: int, since_ns: int) -> None:
        """Break a rule where the exchange had more open than execution counted."""
        samples = sorted(sample for sample in self._samples if sample.time_ns >= since_ns)
        self._samples.clear()
        self._findings.count("moments compared", len(samples))
        for sample in samples:
            buy_lots, sell_lots = self._open.at(sample.time_ns)
            if buy_lots > sample.buy_lots or sell_lots > sample.sell_lots:
                text = f"open {buy_lots}/{sell_lots} lots, counted {sample.buy_lots}/{sample.sell_lots}"
                self._findings.break_rule(number, f"exposure was not counted: {text}")
                return


class OpenLots:
    """What an exchange has open, in lots of each side, at moments that are asked for in order."""

    def __init__(self, order_log: Path, lot_size: Decimal) -> None:
        self._lines = JsonLines(order_log)
        self._lot_size = lot_size
        self._ahead: deque[Line] = deque()
        self._lots: dict[str, tuple[bool, int]] = {}

    def at(self, time_ns: int) -> tuple[int, int]:
        """Return what is open to buy and to sell at a monotonic time, no earlier than the one asked for before."""
        lines = (line for line in self._lines.read() if "order_id" in line)
        self._ahead.extend(line for line in lines if line["instrument"] == INSTRUMENT)
        while self._ahead and self._ahead[0]["monotonic_ns"] <= time_ns:
            self._take(self._ahead.popleft())
        buy_lots = sum(lots for is_buy, lots in self._lots.values() if is_buy)
        return buy_lots, sum(lots for is_buy, lots in self._lots.values() if not is_buy)

    def _take(self, line: Line) -> None:
        if line["status"] in ("open", "partially_filled"):
            lots = int(Decimal(str(line["remaining"])) / self._lot_size)
            self._lots[line["order_id"]] = (line["side"] == "buy", lots)
        else:
            self._lots.pop(line["order_id"], None)


def play(play: Play) -> None:
    """Play all rounds."""
    play_on_stages(play, UnknownRounds)


ROW = Row("unknown", f"the answer of every {EVERY}th insert is lost, {ROUND_S:g} s a round", 1, 12, 120, play)
