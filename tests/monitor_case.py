"""Risk's monitor for which all is well, step by step with a clock moved by hand."""

from __future__ import annotations

from decimal import Decimal

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import RiskReason
from domain.instrument import Instrument, InstrumentKind
from domain.order import TradingState
from domain.reports import PositionReport
from trading.risk.config import RiskConfig
from trading.risk.drawdown import Drawdown
from trading.risk.limits import recovery_of
from trading.risk.monitor import ExecutionView, RiskMonitor, SignsOfLife
from trading.risk.states import RiskStates

BTC, ETH = "BTC-PERPETUAL", "ETH-PERPETUAL"


def instrument(name: str, lot: str) -> Instrument:
    return Instrument(name, InstrumentKind.PERPETUAL, "X", Decimal(1), Decimal(lot), Decimal(lot))


def position(name: str, size: str, mark: str = "100000", *, is_marked: bool = True) -> PositionReport:
    price = Decimal(mark)
    return PositionReport(name, Decimal(size), price, price, Decimal(0), Decimal(0), Decimal(0), is_marked)


class Scene:
    """A monitor for which all is well, and a clock."""

    def __init__(self, config: RiskConfig | None = None) -> None:
        self.config = config or RiskConfig()
        self.monitor = RiskMonitor(self.config, (BTC, ETH), RiskStates(recovery_of(self.config)), Drawdown())
        self.monitor.account.on_instruments({BTC: instrument(BTC, "0.001"), ETH: instrument(ETH, "0.01")})
        self.monitor.account.on_positions([], is_snapshot=True)
        self.monitor.account.on_mark(0, 100_000.0)
        self.monitor.account.on_mark(1, 4_000.0)
        self.now_ns = 100 * NS_PER_S
        self.feed_ns = self.execution_ns = self.venue_ns = -1  # -1 = fresh
        self.execution_lots: list[int | None] = [0, 0]

    def step(self, *, milliseconds: int = 100, is_started: bool = True, equity: float = 0.0) -> TradingState:
        self.now_ns += milliseconds * NS_PER_MS
        fresh = [at if at >= 0 else self.now_ns for at in (self.feed_ns, self.execution_ns, self.venue_ns)]
        self.monitor.drawdown.update(equity, self.now_ns)
        self.monitor.evaluate(
            is_started=is_started,
            life=SignsOfLife(*fresh),
            execution=[ExecutionView(lots is not None, lots or 0) for lots in self.execution_lots],
            now_ns=self.now_ns,
            realtime_ns=self.now_ns,
        )
        return self.monitor.verdict(self.now_ns).state

    @property
    def reason(self) -> RiskReason:
        return self.monitor.verdict(self.now_ns).reason

    @property
    def text(self) -> str:
        return self.monitor.verdict(self.now_ns).text
