"""Profit and loss to the last digit: what the session says is what the exchange's own statement says.

pytest -s tests/integration/test_statement.py     45 s of trading; with `-m slow` ten minutes
"""

from __future__ import annotations

import os
import signal
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.risk_session import OWN_KEY, PERPETUAL, Market, trading
from tests.sessions import wait_until

CONFIG = """
[venue]
kind = "thalex"

[instruments."BTC-PERPETUAL"]

[strategy]
risk_aversion_per_usd = 0.01
order_size_base = 0.01
levels = 3
level_spacing_ticks = 5
position_soft_base = 0.03
position_hard_base = 0.05

[supervisor]
restarts_max = 100

[risk]
loss_from_peak_max_usd = 1e6
loss_of_day_max_usd = 1e6
stop_loss_bps = 0.0
"""
FUNDING_RATE = 0.5  # of the notional in 8 hours: a long of 0.05 BTC pays 9 cents a second
ACTORS = ("execution", "risk", "strategy", "market_data")


def statement(market: Market) -> dict[str, Decimal]:
    """Return what the exchange says that the account has made, in dollars: cash began at a round number."""
    told: dict[str, Any] = market.exchange.ask("private/account_breakdown", {}, OWN_KEY)
    return {
        "fees": Decimal(str(told["session_fees"])),
        "total": Decimal(str(told["session_realised_pnl"])) + Decimal(str(told["unrealised_pnl"])),
    }


def trade_through(market: Market, seconds: float) -> None:
    """Let the market trade with us, every actor being killed in turn meanwhile."""
    market.operator.call("admin/start_flow")
    market.operator.call("admin/set_funding", {"instrument_name": PERPETUAL, "rate": FUNDING_RATE})
    pause_s = seconds / (len(ACTORS) + 1)
    for actor in ACTORS:
        time.sleep(pause_s)
        pid = market.session.actor_pid(actor)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid, actor=actor: is_replaced(market, actor, pid), 30.0, f"{actor} is back")  # type: ignore[misc]
    time.sleep(pause_s)


def is_replaced(market: Market, actor: str, pid: int) -> bool:
    found = market.session.status()["actors"][actor]
    return bool(found["pid"] not in (0, pid) and found["state"] == "live")


def compare(folder: Path, seconds: float) -> None:
    with trading(folder, config=CONFIG) as market:
        trade_through(market, seconds)
        # Stand still: no flow, no quotes, no more funding; the mark of the last second stays
        market.operator.call("admin/stop_flow")
        market.operator.call("admin/set_funding", {"instrument_name": PERPETUAL, "rate": 0.0})
        fills = len(market.fills())
        market.session.signal(signal.SIGINT)
        before = statement(market)
        assert market.session.wait(60) == 0, market.session.said
        after = statement(market)
        summary = market.session.summary
        pnl = {name: Decimal(str(amount)) for name, amount in summary["pnl"].items()}
        print(f"\n{seconds:.0f} s, {summary['fills']} fills, restarts {summary['restarts']}")
        print(f"session:  {summary['pnl']}\nexchange: before the end {before}, after it {after}")
        assert summary["fills"] == len(market.fills()) >= fills > 0
        assert pnl["fees"] == after["fees"]
        assert pnl["funding"] != 0
        assert min(before["total"], after["total"]) <= pnl["total"] <= max(before["total"], after["total"])


def test_profit_and_loss_is_the_exchanges_over_restarts_of_every_actor(tmp_path: Path) -> None:
    compare(tmp_path, 25.0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_profit_and_loss_is_the_exchanges_over_ten_minutes(tmp_path: Path) -> None:
    compare(tmp_path, 600.0)
