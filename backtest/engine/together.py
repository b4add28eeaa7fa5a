"""Several instruments on one clock and one account: a perpetual and its futures, or whatever is quoted together.

All are played a slice of time further in turn. Before each turn risk looks at the account, as it does live ten times a
second: it tells the instrument the position, what the others and their orders leave of the notional limits, and the net
delta. Where the whole account is worth less than its positions need, the exchange closes everything. Orders of one
instrument never meet those of another, so within a slice none needs to know more of the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
        for engine in engines:
            _look(engines, account)  # before each, so that no two use the same room
            engine.play(now_ns)
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


def _look(engines: Sequence[Engine], account: Account) -> None:
    """Tell each instrument what the positions of all of them leave it."""
    notionals = [engine.notional_usd() for engine in engines]
    outs = [engine.out_usd() for engine in engines]
    gross, net = sum(map(abs, notionals)), sum(notionals)
    net_delta = sum(engine.position_base() for engine in engines)
    for i, engine in enumerate(engines):
        limits, moment = engine.quoter.record["limits"], engine.quoter.record["moment"]
        others = [out for k, out in enumerate(outs) if k != i]
        limits["position_lots"] = engine.venue["position_lots"]
        limits["gross_notional_room"] = _room(account.gross_notional_max_usd - gross)
        limits["net_long_room"] = _room(account.net_notional_max_usd - net)
        limits["net_short_room"] = _room(account.net_notional_max_usd + net)
        moment["net_delta"], moment["is_net_delta_known"] = net_delta, 1
        run = engine.run
        run["is_watched"] = 1
        run["other_long"], run["other_short"] = sum(out[0] for out in others), sum(out[1] for out in others)
        run["other_gross"] = sum(max(out) for out in others)


def _room(usd: float) -> float:
    return min(usd, 1e18)


def _is_margin_used_up(engines: Sequence[Engine], account: Account) -> bool:
    if account.maintenance_margin == 0.0:
        return False
    worth = account.balance_usd + sum(engine.worth_usd() for engine in engines)
    needed = account.maintenance_margin * sum(abs(engine.notional_usd()) for engine in engines)
    return needed > 0.0 and worth < needed
