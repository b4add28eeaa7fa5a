"""The simulated background: one fair price, one flow for each market, driven by the scheduler."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np

from exchange.background.fair_price import FairPrice, FairPriceParameters
from exchange.background.flow import Flow, FlowParameters
from exchange.background.quiet_maker import QuietMaker
from exchange.core.book import Change
from exchange.core.engine import Engine
from exchange.core.events import Event, InstrumentAdded, InstrumentRemoved
from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.market import Market
from exchange.core.marks import PRICE_STEP
from exchange.core.scheduler import NS_PER_S

STEPS_BEHIND_MAX = 200  # after a stall: catch up on this many steps, forget the rest
FUTURE_BASIS_RATIO = 0.004
INDEX_NOISE_USD = 0.3

PERPETUAL_FLOW = FlowParameters()
FUTURE_FLOW = replace(
    PERPETUAL_FLOW,
    half_spread_usd=5.0,
    refreshes_per_s=8.0,
    clusters_per_s=0.25,
    basis_ratio=FUTURE_BASIS_RATIO,
)


class Background:
    """Steps every market's flow at its own random times; the index follows the fair price."""

    def __init__(self, engine: Engine, *, seed: int, fair: FairPriceParameters | None = None) -> None:
        self._engine = engine
        self._seeds = np.random.SeedSequence(seed)
        seeds = self._seeds.spawn(2)
        self._rng = np.random.default_rng(seeds[0])
        self.fair = FairPrice(fair or FairPriceParameters(), np.random.default_rng(seeds[1]))
        self.flows: list[Flow | QuietMaker] = [self._make_flow(market) for market in engine.markets.values()]
        self._moved_ns = 0

    def start(self) -> None:
        """Open every market with a whole book and begin to step."""
        self._moved_ns = self._engine.scheduler.monotonic_ns()
        for underlying in {market.instrument.underlying for market in self._engine.markets.values()}:
            self._engine.set_index_source(underlying, self._index_price)
        for flow in self.flows:
            flow.open_market()
            self._schedule(flow, self._moved_ns)
        self._engine.commit()

    def set_running(self, running: bool) -> None:
        """Stop or go on: stopped, books stay as they are and nobody trades."""
        for flow in self.flows:
            flow.running = running

    def jump(self, change: Decimal) -> None:
        """Move the fair price, the index and the marks at once."""
        self.fair.jump(float(change))
        now_ns = self._engine.scheduler.realtime_ns()
        for underlying in self._engine.index_prices:
            self._engine.index_prices[underlying] += change
        for market in self._engine.markets.values():
            market.mark.shift(change, now_ns)

    def on_events(self, events: list[Event]) -> None:
        """Let somebody trade what has been listed, and nobody what is no more."""
        for event in events:
            if isinstance(event, InstrumentAdded):
                market = self._engine.markets[event.instrument.name]
                if not any(flow.market is market for flow in self.flows):
                    flow = self._make_flow(market)
                    self.flows.append(flow)
                    flow.open_market()
                    self._schedule(flow, self._engine.scheduler.monotonic_ns())
            elif isinstance(event, InstrumentRemoved):
                self.flows = [flow for flow in self.flows if flow.market.instrument is not event.instrument]

    def on_book(self, instrument: Instrument, changes: list[Change]) -> None:
        """Nothing: the flow looks at books when it acts."""

    def on_second(self) -> None:
        """Nothing: the flow has its own times."""

    def _make_flow(self, market: Market) -> Flow | QuietMaker:
        rng = np.random.default_rng(self._seeds.spawn(1)[0])
        if market.instrument.type in (InstrumentType.OPTION, InstrumentType.COMBINATION):
            return QuietMaker(market, rng)
        is_perpetual = market.instrument.type is InstrumentType.PERPETUAL
        return Flow(market, self.fair, PERPETUAL_FLOW if is_perpetual else FUTURE_FLOW, rng)

    def _index_price(self) -> Decimal:
        price = self.fair.usd + INDEX_NOISE_USD * self._rng.standard_normal()
        return Decimal(price).quantize(PRICE_STEP)

    def _schedule(self, flow: Flow | QuietMaker, due_ns: int) -> None:
        self._engine.scheduler.call_at(due_ns, lambda: self._on_due(flow, due_ns))

    def _on_due(self, flow: Flow | QuietMaker, due_ns: int) -> None:
        if flow not in self.flows:
            return
        now_ns = self._engine.scheduler.monotonic_ns()
        for _ in range(STEPS_BEHIND_MAX):
            self._move_fair(due_ns)
            wait_s = flow.step()
            self._engine.commit()
            due_ns += max(1, round(wait_s * NS_PER_S / self._engine.speed))
            if due_ns > now_ns:
                break
        else:
            due_ns = now_ns
        self._schedule(flow, due_ns)

    def _move_fair(self, due_ns: int) -> None:
        elapsed_ns = due_ns - self._moved_ns
        if elapsed_ns > 0 and any(flow.running for flow in self.flows):
            self.fair.advance(elapsed_ns * self._engine.speed / NS_PER_S)
        self._moved_ns = max(self._moved_ns, due_ns)
