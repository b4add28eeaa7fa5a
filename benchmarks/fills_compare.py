"""Requests and fills of hftbacktest played against our engine: which fills are the same, and why the others differ.

The same requests at the same moments go to our exchange, so that nothing but the fill rules can differ. A difference
is explained only when a rule of theirs, put in the place of ours, gives their fill; the others are "unexplained".
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from backtest.data.container import EventFile
from backtest.data.events import FINAL, KIND_MASK, LEVEL, TRADE
from backtest.engine.records import CANCEL, INSERT, POST_ONLY, REJECT_POST_ONLY, REQUEST
from backtest.engine.replay import replay
from backtest.engine.tape import Tape, tape_of
from backtest.engine.venue import VenueSettings
from backtest.engine.weave import ASKS, BIDS, CHANGES, TOUCH, is_cut
from domain.codes import OrderEventKind
from fills.queue import ahead_after_depth, share_behind

LINGER_NS = 1_000_000_000  # an order that theirs filled stays so much longer in ours, to see whether it fills later
_NOISE_LOTS = 1e-9
CHANGE = np.dtype(
    [
        ("time_ns", "<i8"),
        ("lots", "<i8"),
        *((name, "<i4") for name in ("flags", "ticks", "side", "best_bid", "best_ask")),
    ]
)
Rows = npt.NDArray[np.void]  # of CHANGE


class Cause(StrEnum):
    """Why a fill differs."""

    SHARED = "shared"
    PARTS = "parts"
    BEHIND = "behind"
    UNIT = "unit"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Log:
    """What hftbacktest sent and heard: `requests` and `fills` as in benchmarks/fills_theirs.py, and when it ended."""

    requests: npt.NDArray[np.int64]
    fills: npt.NDArray[np.int64]
    end_ns: int


@dataclass(frozen=True, slots=True)
class Fill:
    """The fill of an order: when, of which side, where, and how much of it at that moment."""

    time_ns: int
    side: int
    price_ticks: int
    lots: int


@dataclass(frozen=True, slots=True)
class Difference:
    """An order that did not fill alike; None = it did not fill."""

    order: int
    theirs: Fill | None
    ours: Fill | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class Comparison:
    """Fills of theirs and ours, those that are equal in order, side, price, time and size, and the others."""

    theirs: int
    ours: int
    equal: int
    differences: tuple[Difference, ...]

    def causes(self) -> Counter[Cause]:
        """Return how many differences have which cause."""
        return Counter(difference.cause for difference in self.differences)


def compare(file: EventFile, log: Log, settings: VenueSettings, lots: int) -> Comparison:
    """Play the requests of `log`, orders of `lots`, against our exchange, and compare the fills."""
    requests, theirs = numbered(log, lots)
    heard_ns = log.end_ns - settings.latency.fill_ns  # what came later theirs did not hear of
    theirs = {order: fill for order, fill in theirs.items() if fill.time_ns <= heard_ns}
    ours = {order: fill for order, fill in _first_fills(file, requests, settings).items() if fill.time_ns <= heard_ns}
    equal = {order for order, fill in theirs.items() if ours.get(order) == fill}
    causes = _Causes(file, requests, settings)
    differences = [
        Difference(order, theirs.get(order), ours.get(order), causes.of(order, theirs.get(order), ours.get(order)))
        for order in sorted((theirs.keys() | ours.keys()) - equal)
    ]
    return Comparison(len(theirs), len(ours), len(equal), tuple(differences))


def numbered(log: Log, lots: int) -> tuple[Rows, dict[int, Fill]]:
    """Return the requests as REQUEST rows, each order with a number of its own, and theirs fills by that number.

    Their order ids are prices, used again and again. Every order that they filled is cancelled LINGER_NS later.
    """
    rows: list[tuple[int, ...]] = []
    births: dict[int, list[tuple[int, int]]] = {}
    for number, (time_ns, kind, order_id, side, ticks) in enumerate(log.requests.tolist(), 1):
        if kind == INSERT:
            births.setdefault(order_id, []).append((time_ns, number))
            flags = POST_ONLY | REJECT_POST_ONLY
            rows.append((time_ns, 0, INSERT, number, side, ticks, lots, flags))
        else:
            rows.append((time_ns, 0, CANCEL, births[order_id][-1][1], side, 0, 0, 0))
    fills: dict[int, Fill] = {}
    for time_ns, order_id, side, ticks, _ in log.fills.tolist():
        born = births[order_id]
        number = born[bisect_left(born, (time_ns, 0)) - 1][1]
        fills[number] = Fill(time_ns, side, ticks, lots)
        rows.append((time_ns + LINGER_NS, 0, CANCEL, number, side, 0, 0, 0))
    requests = np.array(rows, REQUEST)
    return requests[np.argsort(requests["local_time_ns"], kind="stable")], fills


def _first_fills(file: EventFile, requests: Rows, settings: VenueSettings) -> dict[int, Fill]:
    """Return the first fill of each order in our engine."""
    answers = replay(file, requests, settings).answers
    fills: dict[int, Fill] = {}
    for row in answers[answers["kind"] == OrderEventKind.FILLED]:
        fill = Fill(int(row["exchange_time_ns"]), int(row["side"]), int(row["price_ticks"]), int(row["size_lots"]))
        fills.setdefault(int(row["order_id"]), fill)
    return fills


class _Causes:
    """Finds why an order's fill differs, by changing one rule at a time to theirs."""

    def __init__(self, file: EventFile, requests: Rows, settings: VenueSettings) -> None:
        self._file = file
        self._requests = requests
        self._settings = settings
        self._rows: Rows | None = None

    def of(self, order: int, theirs: Fill | None, ours: Fill | None) -> Cause:
        """Return the cause: theirs and ours are the first fills of one order."""
        if _begins_alike(theirs, ours):
            return Cause.PARTS
        requests = self._requests[self._requests["order_id"] == order]
        alone = _first_fills(self._file, requests, self._settings).get(order)
        if alone == theirs or _begins_alike(theirs, alone):
            return Cause.SHARED
        insert = requests[0]
        entry_ns = self._settings.latency.entry_ns[0]
        begin_ns, until_ns = int(insert["local_time_ns"]) + entry_ns, int(requests["local_time_ns"][-1]) + entry_ns
        walk = Walk(self.rows, int(insert["side"]), int(insert["price_ticks"]), begin_ns, until_ns)
        if walk.first_fill_ns(self._settings, OURS) != _time(alone):
            return Cause.UNEXPLAINED
        lot_size = self._file.header.lot_size
        for cause, rule in (
            (Cause.BEHIND, Rule(is_traded_behind=True)),
            (Cause.UNIT, Rule(unit=lot_size)),
            (Cause.UNIT, Rule(is_traded_behind=True, unit=lot_size)),
        ):
            if walk.first_fill_ns(self._settings, rule) == _time(theirs):
                return cause
        return Cause.UNEXPLAINED

    @property
    def rows(self) -> Rows:
        """The exchange's changes one by one, in memory."""
        if self._rows is None:
            self._rows = changes_of(tape_of(self._file))
        return self._rows


def changes_of(tape: Tape) -> Rows:
    """Return the exchange's changes one by one, each with time, kind and touch of its head; FINAL on a head's last."""
    found, first = [], 0
    while first < tape.header.rows[0]:
        rows = tape.block(0, first)
        heads, at = [], 0
        while not is_cut(rows, at):
            heads.append(at)
            at += CHANGES + int(rows["count"][at])
        counts = np.maximum(rows["count"][heads], 1)  # a note, which has none, stands for itself
        ends = np.cumsum(counts)
        of = np.repeat(np.array(heads), counts)
        change = of + CHANGES + np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        block = np.zeros(ends[-1], CHANGE)
        for name in ("time_ns", "flags"):
            block[name] = rows[name][of]
        block["flags"] &= ~FINAL
        block["flags"][ends - 1] |= rows["flags"][heads] & FINAL
        is_change = rows["count"][of] > 0
        for name in ("lots", "ticks", "side"):
            block[name][is_change] = rows[name][change[is_change]]
        for name in ("best_bid", "best_ask"):
            block[name] = rows[name][of + TOUCH]
        found.append(block)
        first += at
    return np.concatenate(found)


def _begins_alike(theirs: Fill | None, ours: Fill | None) -> bool:
    """Return whether ours filled in part what theirs filled whole at that moment."""
    if theirs is None or ours is None or ours.lots >= theirs.lots:
        return False
    return replace(ours, lots=theirs.lots) == theirs


def _time(fill: Fill | None) -> int | None:
    return fill.time_ns if fill else None


@dataclass(frozen=True, slots=True)
class Rule:
    """How an order moves forward as its level shrinks; the defaults are ours.

    Attributes:
        is_traded_behind: what was traded since the level was last told still counts as standing behind us.
        unit: what a lot counts for in the share that is behind.
    """

    is_traded_behind: bool = False
    unit: float = 1.0

    def ahead(self, ahead: float, previous: float, current: float, traded: float, settings: VenueSettings) -> float:
        """Return what stands ahead once the level went from `previous` to `current`."""
        model, power = int(settings.queue_model), settings.queue_power
        if self == OURS:
            return float(ahead_after_depth(ahead, previous, current, traded, power, model))
        cancelled = previous - current - traded
        if cancelled < 0.0:
            return min(ahead, current)
        behind = previous - ahead - (0.0 if self.is_traded_behind else traded)
        share = share_behind(max(ahead, 0.0) * self.unit, behind * self.unit, model, power)
        return min(ahead - (1.0 - share) * cancelled + min(behind - share * cancelled, 0.0), current)


OURS = Rule()


class Walk:
    """One order alone in the recorded market: when is it filled first, by one rule or another?"""

    def __init__(self, rows: Rows, side: int, price_ticks: int, begin_ns: int, until_ns: int) -> None:
        kinds, flags, ticks = rows["flags"] & KIND_MASK, rows["flags"], rows["ticks"]
        own, other = (BIDS, ASKS) if side > 0 else (ASKS, BIDS)
        level = (kinds == LEVEL) & (rows["side"] == own) & (ticks == price_ticks)
        before = np.flatnonzero(level & (rows["time_ns"] <= begin_ns))
        self._lots = float(rows["lots"][before[-1]]) if len(before) else 0.0
        met = (kinds == TRADE) & (rows["side"] == other) & (side * (price_ticks - ticks) >= 0)
        crossed = rows["best_ask"] <= price_ticks if side > 0 else rows["best_bid"] >= price_ticks
        crossed &= (kinds != TRADE) & (flags & FINAL != 0)
        chosen = (rows["time_ns"] > begin_ns) & (rows["time_ns"] <= until_ns) & (level | met | crossed)
        self._rows = rows[chosen]
        self._is_beyond = (met & (ticks != price_ticks) | crossed)[chosen]

    def first_fill_ns(self, settings: VenueSettings, rule: Rule) -> int | None:
        """Return the exchange's time of the first fill, None when there is none."""
        ahead, seen, traded = self._lots, self._lots, 0.0
        for row, is_beyond in zip(self._rows, self._is_beyond, strict=True):
            lots = float(row["lots"])
            if is_beyond:
                return int(row["time_ns"])
            if row["flags"] & KIND_MASK == TRADE:
                if lots - ahead >= 1.0 - _NOISE_LOTS:
                    return int(row["time_ns"])
                ahead, traded = max(ahead - lots, 0.0), traded + lots
            else:
                ahead, seen, traded = rule.ahead(ahead, seen, lots, traded, settings), lots, 0.0
        return None
