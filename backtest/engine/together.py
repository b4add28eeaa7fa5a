"""Several instruments on one clock and one account: a perpetual and its futures, or whatever is quoted together.

All are played a slice of time further in turn. Before a slice risk looks at the account, as it does live ten times a
second: it tells each instrument the position, what the others and their orders leave of the notional limits, and the
net delta, as far as we have heard of them when the slice begins. Where the whole account is worth less than its
positions need, the exchange closes everything. Orders of one instrument never meet those of another, so within a slice
none needs to know more of the others but one thing: no two may use the same room. What those before it in the turn have
taken of the room within the slice is taken off for the next; what they gave back, their fills and prices are not seen.
Where the limits bind, who comes first in the turn is served first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backtest.data.container import EventFile
from backtest.engine.result import RunResult
from backtest.engine.run import Engine, Settings

SLICE_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Leg:
    """One instrument: its recording, and how it is run."""

    file: EventFile
    settings: Settings


@dataclass(frozen=True, slots=True)
class Account:
    """What all instruments share, USD.

    Attributes:
        gross_notional_max_usd: sum of |position| · mid that quotes may lead to.
        net_notional_max_usd: |sum of position · mid|.
        balance_usd: what the account begins with.
        maintenance_margin: part of the gross notional below which its worth may not fall; 0 = no margin stop.
    """

    gross_notional_max_usd: float = math.inf
    net_notional_max_usd: float = math.inf
    balance_usd: float = math.inf
    maintenance_margin: float = 0.0


def backtest_together(legs: Sequence[Leg], account: Account) -> tuple[RunResult, ...]:
    """Run several instruments on one clock; one result for each, in their order.

    Raises:
        UserError: as `backtest`.
    """
    engines = [Engine(leg.file, leg.settings) for leg in legs]
    spans = [engine.span() for engine in engines]
    now_ns, end_ns = min(begin for begin, _ in spans), max(end for _, end in spans)
    is_closed = False
    while True:
        begun = [_Begun.of(engine) for engine in engines]
        taken = [one.out_lots for one in begun]
        for i, engine in enumerate(engines):
            _tell(engine, i, begun, taken, account)
            engine.play(now_ns)
            taken[i] = begun[i].taken(engine)
        if not is_closed and _is_margin_used_up(engines, account):
            is_closed = True
            for engine in engines:
                engine.liquidate(now_ns)
        if now_ns >= end_ns:
            break
        now_ns = min(now_ns + SLICE_NS, end_ns)
    return tuple(
        engine.result(leg.file.header.instrument, leg.settings) for engine, leg in zip(engines, legs, strict=True)
    )


class _Begun(NamedTuple):
    """An instrument as a slice begins.

    Attributes:
        position_lots: of which we have heard.
        out_lots: what orders may buy and sell, as long as we have not heard that they cannot.
        lot_usd, lot_base: a lot at the mid, and in base units.
    """

    position_lots: int
    out_lots: tuple[int, int]
    lot_usd: float
    lot_base: float

    @classmethod
    def of(cls, engine: Engine) -> _Begun:
        return cls(engine.heard_lots(), engine.out_lots(), engine.lot_usd(), engine.lot_base)

    def taken(self, engine: Engine) -> tuple[int, int]:
        """Return the lots of room that it has beside this position, bought and sold, now that the slice is played.

        A fill moves lots from the orders to the position: their sum is what it was.
        """
        filled = engine.heard_lots() - self.position_lots
        out_buy, out_sell = engine.out_lots()
        return max(self.out_lots[0], out_buy + filled), max(self.out_lots[1], out_sell - filled)


def _tell(
    engine: Engine, place: int, begun: Sequence[_Begun], taken: Sequence[tuple[int, int]], account: Account
) -> None:
    """Tell an instrument what the positions of all, and the orders of the others, leave it."""
    notionals = [one.position_lots * one.lot_usd for one in begun]
    gross, net = math.fsum(map(abs, notionals)), math.fsum(notionals)  # exact: whatever their order
    others = [(lots, begun[k].lot_usd) for k, lots in enumerate(taken) if k != place]
    limits, moment, run = engine.quoter.record["limits"], engine.quoter.record["moment"], engine.run
    limits["position_lots"] = begun[place].position_lots
    limits["gross_notional_room"] = _room(account.gross_notional_max_usd - gross)
    limits["net_long_room"] = _room(account.net_notional_max_usd - net)
    limits["net_short_room"] = _room(account.net_notional_max_usd + net)
    moment["net_delta"] = math.fsum(one.position_lots * one.lot_base for one in begun)
    moment["is_net_delta_known"] = 1
    run["is_watched"] = 1
    run["other_long"] = sum(lots[0] * usd for lots, usd in others)
    run["other_short"] = sum(lots[1] * usd for lots, usd in others)
    run["other_gross"] = sum(max(lots) * usd for lots, usd in others)


def _room(usd: float) -> float:
    return min(usd, 1e18)


def _is_margin_used_up(engines: Sequence[Engine], account: Account) -> bool:
    if account.maintenance_margin == 0.0:
        return False
    worth = account.balance_usd + sum(engine.worth_usd() for engine in engines)
    needed = account.maintenance_margin * sum(abs(engine.notional_usd()) for engine in engines)
    return needed > 0.0 and worth < needed
