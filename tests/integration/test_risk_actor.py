"""The risk actor as a process of its own: what the limits say of market data, positions and money."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from decimal import Decimal

import pytest

from domain.codes import RiskReason
from domain.order import TradingState
from domain.records import LIMITS, PNL, RISK
from messages.commands import SetParameter, Status
from shm.record import TableReader, TableWriter, load_row
from tests.risk_process import (
    MARK_PRICE,
    RiskProcess,
    Trader,
)
from tests.sessions import read_json_lines
from trading.ledger_line import Pnl


def test_limits_are_open_once_the_account_is_known_and_written_again_and_again(
    start_risk: Callable[..., RiskProcess],
) -> None:
    # Given a healthy session
    risk = start_risk()
    seconds = risk.wait_for_state(TradingState.ACTIVE)
    print(f"active after {seconds:.2f} s")
    # If its rows are read, I expect limits in lots that are fresh, and a connected account without orders
    ints, floats = risk.limits.ints, risk.limits.floats
    assert (ints[LIMITS.word("position_lots_max")], ints[LIMITS.word("order_lots_max")]) == (20, 20)
    assert floats[LIMITS.word("collar_high")] == pytest.approx(MARK_PRICE * 1.02)
    written_ns = ints[LIMITS.word("written_time_ns")]
    risk.wait_for(lambda: load_row(risk.limits, 0) and ints[LIMITS.word("written_time_ns")] > written_ns, "a new row")
    risk.wait_for(lambda: load_row(risk.risk, 0), "the risk row")
    assert risk.risk.ints[RISK.word("is_connected")] == 1
    assert risk.risk.ints[RISK.word("open_orders")] == 0
    assert risk.command(Status()).data["state"] == "active"


def test_stale_market_data_closes_the_gate_and_fresh_data_opens_it(start_risk: Callable[..., RiskProcess]) -> None:
    # Given an active session
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    # If the feed falls silent, I expect a halt that ends by itself when it is back
    risk.peers.is_feed_alive = False
    print(f"halted after {risk.wait_for_state(TradingState.HALTED, RiskReason.STALE_MARKET_DATA):.2f} s")
    risk.peers.is_feed_alive = True
    print(f"active after {risk.wait_for_state(TradingState.ACTIVE):.2f} s")


def test_a_mark_that_stands_still_closes_the_gate_though_the_feed_lives(start_risk: Callable[..., RiskProcess]) -> None:
    # Given an active session
    risk = start_risk("mark_stale_ms = 1000")
    risk.wait_for_state(TradingState.ACTIVE)
    # If the tickers stop while the rest of the feed goes on, I expect no mark to be in force, until they come again
    risk.peers.is_ticker_alive = False
    mark = LIMITS.word("mark_price")
    risk.wait_for(lambda: load_row(risk.limits, 0) and math.isnan(risk.limits.floats[mark]), "no mark")
    risk.peers.is_ticker_alive = True
    risk.wait_for(lambda: load_row(risk.limits, 0) and risk.limits.floats[mark] == MARK_PRICE, "the mark again")


def test_a_position_over_its_limit_reduces_and_the_venues_word_is_followed(
    start_risk: Callable[..., RiskProcess], trader: Trader
) -> None:
    # Given a limit of 0.02
    risk = start_risk("position_difference_s = 60.0\nloss_from_peak_max_usd = 1000.0")
    risk.wait_for_state(TradingState.ACTIVE)
    # If 0.03 are bought behind our back
    trader.trade(0.03)
    # I expect the limits to know 30 lots, and only reducing to be allowed
    risk.wait_for_state(TradingState.REDUCING, RiskReason.POSITION_LIMIT)
    assert risk.limits.ints[LIMITS.word("position_lots")] == 30
    # and all to be free again once it is sold
    trader.flatten()
    risk.wait_for_state(TradingState.ACTIVE)


def test_profit_and_loss_in_shared_memory_adds_up_exactly(
    start_risk: Callable[..., RiskProcess], trader: Trader
) -> None:
    # Given a position bought and a part of it sold again
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    trader.trade(0.02)
    trader.trade(-0.005)
    pnl = TableReader(risk.segments["pnl"])

    def exact(table: TableReader) -> list[Decimal]:
        return [Decimal(table.latest[f"{name}_exact"][0].decode()) for name in Pnl._fields]

    def has_settled() -> bool:
        return load_row(pnl, 0) and bool(pnl.ints[PNL.word("is_known")]) and exact(pnl)[2] > 0

    # If a stranger reads it, I expect two fees of half a basis point or more, and sums that are right to the last digit
    risk.wait_for(has_settled, "the fees")
    time.sleep(0.5)
    assert load_row(pnl, 0)
    realised, unrealised, fees, funding, total = exact(pnl)
    assert realised + unrealised - fees + funding == total
    assert pnl.floats[PNL.word("total")] == float(total)

    def same_moment() -> bool:
        stamps = [table.ints[record.word("written_time_ns")] for table, record in ((pnl, PNL), (risk.risk, RISK))
                  if load_row(table, 0)]  # fmt: skip
        return len(set(stamps)) == 1

    # and the account's row to be the same: there is one instrument
    risk.wait_for(same_moment, "rows of one moment")
    assert exact(risk.risk) == exact(pnl)
    assert risk.risk.floats[RISK.word("equity")] == float(exact(pnl)[4])


def test_execution_with_another_position_may_only_reduce(start_risk: Callable[..., RiskProcess]) -> None:
    # Given that execution counts five lots that the venue does not know
    risk = start_risk("position_difference_s = 0.3")
    risk.wait_for_state(TradingState.ACTIVE)
    risk.peers.position_lots = 5
    # If that persists, I expect reducing, until they agree
    risk.wait_for_state(TradingState.REDUCING, RiskReason.POSITION_DIFFERS)
    risk.peers.position_lots = 0
    risk.wait_for_state(TradingState.ACTIVE)


def test_limits_tighten_at_once_and_loosen_only_by_force(start_risk: Callable[..., RiskProcess]) -> None:
    # Given 0.02 as largest position
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)

    def lots_max() -> int:
        risk.wait_for(lambda: load_row(risk.limits, 0), "the limits")
        return int(risk.limits.ints[LIMITS.word("position_lots_max")])

    # If it is halved in two steps, I expect the record to show it when the answer is there
    tightened = risk.command(SetParameter("order_size_max_base", "0.01"))
    assert (tightened.ok, tightened.text) == (True, "risk.order_size_max_base: 0.02 → 0.01")
    assert risk.command(SetParameter("position_max_base", "0.01")).ok
    assert lots_max() == 10
    # If it is loosened, I expect a refusal without force, and the new limit with it
    assert not risk.command(SetParameter("risk.position_max_base", "0.05")).ok
    assert lots_max() == 10
    assert risk.command(SetParameter("risk.position_max_base", "0.05", force=True)).ok
    assert lots_max() == 50
    # and every change written down, with what it was
    lines = read_json_lines(risk.folder / "risk_decisions.jsonl")
    changes = [(one["name"], one["old"], one["new"], one["text"]) for one in lines if one["decision"] == "limit_set"]
    assert changes == [
        ("order_size_max_base", 0.02, 0.01, "tighter or equal"),
        ("position_max_base", 0.02, 0.01, "tighter or equal"),
        ("position_max_base", 0.01, 0.05, "looser"),
    ]
    # and clear words for nonsense
    assert "no limit `positions`" in risk.command(SetParameter("positions", "1")).text
    assert "0.05" in risk.command(SetParameter("order_size_max_base", "7", force=True)).text


def test_an_instrument_that_is_switched_off_closes_the_gate_for_itself(start_risk: Callable[..., RiskProcess]) -> None:
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    table = TableWriter(risk.segments["instruments"])
    for name, value in {"tick_size": 1.0, "lot_size": 0.0001, "contract_multiplier": 1.0, "is_ready": 1}.items():
        table.scratch[name] = value
    table.scratch["order_lots_min"] = 10
    table.publish(0)
    # If the session counts in other lots than the venue tells risk, I expect no order to pass, and no halt
    risk.wait_for_state(TradingState.HALTED, RiskReason.INSTRUMENT_OFF)
    risk.wait_for(lambda: "restart the session to take the new grid" in risk.log(), "the reason in the log")
    risk.risk.load(0)
    assert risk.risk.ints[RISK.word("state")] == TradingState.ACTIVE
    assert "lot_size" in risk.command(Status()).data["instruments_off"]["BTC-PERPETUAL"]
