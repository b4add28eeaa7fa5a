"""The hedges of a strategy: what counts as held, when execution is asked, and what becomes of an answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from actors.strategy.comovement import Comovement
from actors.strategy.hedger import ANSWER_EXTRA_NS, HedgeTables, UnderlyingHedge
from actors.strategy.portfolio import Portfolio
from domain import records
from domain.clock import NS_PER_S
from domain.codes import HedgeState, SegmentKind
from domain.errors import ConfigError
from domain.instrument import InstrumentKind
from domain.order import TradingState
from messages.commands import Hedge, Reply
from shm.record import TableReader, TableWriter
from shm.segment import create_segment
from trading.hedging.config import HedgeConfig

PERPETUAL, FUTURE, ETH = range(3)
NAMES = ("BTC-PERPETUAL", "BTC-FUTURE", "ETH-PERPETUAL")
UNDERLYINGS = ("BTCUSD", "BTCUSD", "ETHUSD")
MIDS = (100_000.0, 100_500.0, 4_000.0)
LOT = 0.001
CONFIG = HedgeConfig(instrument="BTC-FUTURE", band_base=0.05, order_size_max_base=0.2, cooldown_s=1.0)
CROSS = HedgeConfig(instrument="BTC-FUTURE", band_base=0.05, order_size_max_base=0.2, ratio="beta")
TABLES = {
    "instruments": (records.INSTRUMENT, 3),
    "accounts": (records.ACCOUNT, 3),
    "limits": (records.LIMITS, 3),
    "market": (records.SHARED_MARKET_DATA, 3),
    "execution": (records.HEARTBEAT, 1),
    "comovement": (records.COMOVEMENT, 3),
    "hedges": (records.HEDGE, 2),
}


class FakeCall:
    def __init__(self, command: Hedge) -> None:
        self.command = command
        self.reply: Reply | None = None
        self.is_closed = False

    def poll(self) -> Reply | None:
        return self.reply

    def close(self) -> None:
        self.is_closed = True


class Stage:
    """One hedge with everything around it in real tables, and execution played by hand."""

    def __init__(self, segment_name: Callable[[], str]) -> None:
        self._writers, readers = {}, {}
        for name, (record, rows) in TABLES.items():
            segment = create_segment(segment_name(), SegmentKind.TABLE, record, rows)
            self._writers[name], readers[name] = TableWriter(segment), TableReader(segment)
        self.calls: list[FakeCall] = []
        self.now_ns = 1_000 * NS_PER_S
        self.ctx: Any = SimpleNamespace(
            name="strategy", epoch=2, config=SimpleNamespace(path="multi.toml", hedge={}), instrument_names=NAMES,
            counters=SimpleNamespace(add=lambda _name: None), log=structlog.get_logger(), call=self._call,
            topology=SimpleNamespace(hedges=("ETHUSD", "BTCUSD", "BTCUDS")),
        )  # fmt: skip
        self.portfolio = Portfolio(readers["instruments"], readers["accounts"])
        self.tables = HedgeTables(
            readers["limits"], readers["market"], readers["execution"], Comovement(readers["comovement"], 3),
            self._writers["hedges"],
        )  # fmt: skip
        self.shown = readers["hedges"]
        for row in range(3):
            self.write("instruments", row, underlying=UNDERLYINGS[row].encode(), kind=InstrumentKind.PERPETUAL,
                       lot_size=LOT, contract_multiplier=1.0)  # fmt: skip
            self.write("market", row, status=1, mid=MIDS[row])
            self.hold(row, 0.0)
        self.write("execution", 0, epoch=1, pid=1, phase=2)
        self.alive()

    def hedge(self, underlying: str = "BTCUSD", config: HedgeConfig = CONFIG) -> UnderlyingHedge:
        return UnderlyingHedge(self.ctx, underlying, config, self.tables)

    def look(self, hedge: UnderlyingHedge, after_s: float = 0.02, *, may_begin: bool = True) -> None:
        self.now_ns += round(after_s * NS_PER_S)
        self.alive()
        self.portfolio.refresh()
        hedge.look(self.portfolio, may_begin=may_begin, now_ns=self.now_ns)

    def hold(self, row: int, base: float, *, is_known: bool = True) -> None:
        self.write("accounts", row, position_lots=round(base / LOT), is_known=is_known)

    def alive(self, state: TradingState = TradingState.ACTIVE) -> None:
        for row in range(3):
            self.write("limits", row, state=state, written_time_ns=self.now_ns)

    def know_beta(self, row: int, beta_a_on_b: float = 1.5, beta_b_on_a: float = 0.5, *, is_warm: int = 1) -> None:
        self.write("comovement", row, beta_a_on_b=beta_a_on_b, beta_b_on_a=beta_b_on_a, is_warm=is_warm,
                   updated_time_ns=self.now_ns)  # fmt: skip

    def write(self, table: str, row: int, **fields: Any) -> None:
        for name, value in fields.items():
            self._writers[table].scratch[name] = value
        self._writers[table].publish(row)

    def _call(self, process: str, command: Hedge) -> FakeCall:
        assert process == "execution"
        self.calls.append(FakeCall(command))
        return self.calls[-1]


@pytest.fixture
def stage(segment_name: Callable[[], str]) -> Stage:
    return Stage(segment_name)


def test_a_net_delta_beyond_the_band_becomes_one_command(stage: Stage) -> None:
    hedge = stage.hedge()
    stage.hold(PERPETUAL, 0.09)
    stage.hold(FUTURE, -0.02)
    stage.hold(ETH, 5.0)
    for _ in range(5):
        stage.look(hedge)
    (call,) = stage.calls
    command = call.command
    assert command.command_id == "strategy.BTCUSD/2/1"
    assert command.weights == {"BTC-PERPETUAL": 1.0, "BTC-FUTURE": 1.0}
    assert (command.instrument, command.is_buy) == ("BTC-FUTURE", False)
    assert command.size_max_base == pytest.approx(0.07)


def test_an_answer_ends_the_hedge_and_the_next_waits_for_its_pause(stage: Stage) -> None:
    hedge = stage.hedge()
    stage.hold(PERPETUAL, 0.1)
    stage.look(hedge)
    stage.calls[0].reply = Reply(ok=True, text="done", data={"hedged_base": -0.1})
    stage.look(hedge)
    assert hedge.policy.state is HedgeState.COOLING
    stage.look(hedge, 0.5)
    assert len(stage.calls) == 1
    stage.look(hedge, 1.0)
    assert [call.command.command_id for call in stage.calls] == ["strategy.BTCUSD/2/1", "strategy.BTCUSD/2/2"]


@pytest.mark.parametrize("how", ["execution was restarted", "time is over"])
def test_a_hedge_without_an_answer_is_asked_for_again_under_the_same_id(stage: Stage, how: str) -> None:
    hedge = stage.hedge()
    stage.hold(PERPETUAL, 0.1)
    stage.look(hedge)
    stage.look(hedge, 1.0)
    assert len(stage.calls) == 1
    if how == "execution was restarted":
        stage.write("execution", 0, epoch=2)
        stage.look(hedge)
    else:
        stage.look(hedge, CONFIG.passive_s + CONFIG.cross_s + ANSWER_EXTRA_NS / NS_PER_S)
    assert len(stage.calls) == 2
    assert stage.calls[0].is_closed
    assert stage.calls[1].command == stage.calls[0].command


def test_none_begins_while_it_may_not(stage: Stage) -> None:
    hedge = stage.hedge()
    stage.hold(PERPETUAL, 0.1)
    stage.look(hedge, may_begin=False)
    stage.hold(FUTURE, 0.0, is_known=False)
    stage.look(hedge)
    stage.hold(FUTURE, 0.0)
    stage.now_ns += NS_PER_S
    stage.alive(TradingState.HALTED)
    stage.portfolio.refresh()
    hedge.look(stage.portfolio, may_begin=True, now_ns=stage.now_ns)
    hedge.look(stage.portfolio, may_begin=True, now_ns=stage.now_ns + NS_PER_S)
    assert stage.calls == [], "paused, position unknown, halted, risk silent"
    stage.look(hedge)
    assert len(stage.calls) == 1


def test_what_a_hedge_is_at_can_be_read_by_everyone(stage: Stage) -> None:
    hedge = stage.hedge()
    stage.hold(PERPETUAL, 0.02)
    stage.look(hedge)
    row = stage.shown.read(1)
    assert row is not None
    assert (row.underlying, row.instrument, row.state, row.band) == ("BTCUSD", FUTURE, HedgeState.IDLE, 0.05)
    assert row.net_delta == pytest.approx(0.02)
    stage.hold(PERPETUAL, 0.1)
    stage.look(hedge)
    stage.calls[0].reply = Reply(ok=True, data={"hedged_base": -0.1})
    assert stage.shown.read(1).state == HedgeState.UNDER_WAY  # type: ignore[union-attr]
    stage.hold(FUTURE, -0.1, is_known=False)
    stage.look(hedge)
    row = stage.shown.read(1)
    assert row is not None
    assert (row.state, row.hedges, row.last_hedged) == (HedgeState.COOLING, 1, -0.1)
    assert math.isnan(row.net_delta)
    sequence = stage.shown.sequence(1)
    stage.look(hedge)
    assert stage.shown.sequence(1) == sequence, "nothing new is not written"
    stage.look(hedge, 1.0)
    assert stage.shown.read(1).state == HedgeState.IDLE  # type: ignore[union-attr]


def test_beta_weighs_values_also_across_underlyings(stage: Stage) -> None:
    hedge = stage.hedge("ETHUSD", CROSS)
    stage.hold(ETH, 2.5)
    stage.know_beta(2, beta_b_on_a=1.2)  # the pair future, ETH: ETH moves 1.2 times as far
    stage.look(hedge)
    (call,) = stage.calls
    weight = 1.2 * 4_000.0 / 100_500.0
    assert call.command.weights == {"BTC-FUTURE": 1.0, "ETH-PERPETUAL": pytest.approx(weight)}
    assert call.command.size_max_base == pytest.approx(2.5 * weight)
    assert not call.command.is_buy


@pytest.mark.parametrize("lack", ["cold", "old", "no book", "never measured"])
def test_without_a_beta_nothing_that_is_held_is_hedged(stage: Stage, lack: str) -> None:
    hedge = stage.hedge("ETHUSD", CROSS)
    stage.hold(ETH, 2.5)
    if lack != "never measured":
        stage.know_beta(2, is_warm=lack != "cold")
    if lack == "no book":
        stage.write("market", ETH, status=0)
    stage.look(hedge, 120.0 if lack == "old" else 0.02)
    assert stage.calls == []


def test_a_flat_instrument_needs_no_beta(stage: Stage) -> None:
    hedge = stage.hedge("BTCUSD", CROSS)
    stage.hold(FUTURE, 0.1)
    stage.look(hedge)
    assert stage.calls[0].command.weights == {"BTC-FUTURE": 1.0}


def test_a_hedge_in_an_underlying_that_is_hedged_itself_is_refused(stage: Stage) -> None:
    stage.ctx.config.hedge = {"BTCUSD": CONFIG, "ETHUSD": CROSS}
    with pytest.raises(ConfigError, match="BTC-FUTURE is of BTCUSD, whose own hedge would undo what this one does"):
        stage.look(stage.hedge("ETHUSD", CROSS))


@pytest.mark.parametrize(
    ("underlying", "config", "said"),
    [
        ("BTCUDS", CONFIG, r"no instrument of this session has that underlying: BTCUSD, ETHUSD"),
        ("ETHUSD", CONFIG, r'BTC-FUTURE is of BTCUSD, .* set ratio = "beta"'),
    ],
)
def test_a_section_that_cannot_be_meant_is_refused_once_the_venue_has_told(
    stage: Stage, underlying: str, config: HedgeConfig, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        stage.look(stage.hedge(underlying, config))
