"""The simulated background: a fair price an underlying, one flow for each market, driven by the scheduler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import numpy as np

from exchange.background.fair_price import FairPrice, FairPriceParameters, FollowingPrice
from exchange.background.flow import Flow, FlowParameters
from exchange.background.quiet_maker import QuietMaker
from exchange.core.book import Change
from exchange.core.contracts import CONTRACTS
from exchange.core.engine import Engine
from exchange.core.events import Event, InstrumentAdded, InstrumentRemoved
from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.market import Market
from exchange.core.marks import PRICE_STEP
from exchange.core.scheduler import NS_PER_S

STEPS_BEHIND_MAX = 200  # after a stall: catch up on this many steps, forget the rest
CARRY_PER_YEAR = 0.045  # how far a future stands above the index, a year before its expiry
SECONDS_PER_YEAR = 365 * 86_400
INDEX_NOISE_USD = 0.3
LEADER = "BTCUSD"
CORRELATION = 0.8

PERPETUAL_FLOW = FlowParameters()
FUTURE_FLOW = replace(PERPETUAL_FLOW, half_spread_usd=5.0, refreshes_per_s=8.0, clusters_per_s=0.25)


class Background:
    """Steps every market's flow at its own random times; each index follows its fair price.

    `fair` are the leader's parameters; `correlation` is that of the other underlyings' moves with the leader's.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        seed: int,
        fair: FairPriceParameters | None = None,
        correlation: float = CORRELATION,
    ) -> None:
        self._engine = engine
        self._seeds = np.random.SeedSequence(seed)
        seeds = self._seeds.spawn(2)
        self._rng = np.random.default_rng(seeds[0])
        parameters = fair or FairPriceParameters()
        self.fair = FairPrice(parameters, np.random.default_rng(seeds[1]))
        self.fairs: dict[str, FairPrice] = {LEADER: self.fair}
        underlyings = dict.fromkeys(market.instrument.underlying for market in engine.markets.values())
        for underlying in underlyings:
            if underlying != LEADER:
                self.fairs[underlying] = self._make_follower(underlying, parameters, correlation)
        self.flows: list[Flow | QuietMaker] = [self._make_flow(market) for market in engine.markets.values()]
        self._moved_ns = 0

    def start(self) -> None:
        """Open every market with a whole book and begin to step."""
        self._moved_ns = self._engine.scheduler.monotonic_ns()
        for underlying in dict.fromkeys(market.instrument.underlying for market in self._engine.markets.values()):
            self._engine.set_index_source(underlying, self._index_source(underlying))
        for flow in self.flows:
            flow.open_market()
            self._schedule(flow, self._moved_ns)
        self._engine.commit()

    def set_running(self, running: bool) -> None:
        """Stop or go on: stopped, books stay as they are and nobody trades."""
        for flow in self.flows:
            flow.running = running

    def jump(self, change: Decimal, underlying: str = LEADER) -> bool:
        """Move fair price, index and marks of one underlying and tell of them at once; False when there is no such."""
        if underlying not in self._engine.index_prices:
            return False
        self.fairs[underlying].jump(float(change))
        now_ns = self._engine.scheduler.realtime_ns()
        self._engine.index_prices[underlying] += change
        for market in self._engine.markets.values():
            if market.instrument.underlying == underlying:
                market.mark.shift(change, now_ns)
        self._engine.publish_marks()
        return True

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

    def _make_follower(self, underlying: str, leader: FairPriceParameters, correlation: float) -> FairPrice:
        table = CONTRACTS[underlying]
        parameters = leader.scaled(table.price_ratio, table.volatility_ratio)
        rng = np.random.default_rng(self._seeds.spawn(1)[0])
        return FollowingPrice(parameters, rng, self.fair, correlation)

    def _make_flow(self, market: Market) -> Flow | QuietMaker:
        instrument = market.instrument
        rng = np.random.default_rng(self._seeds.spawn(1)[0])
        if instrument.type in (InstrumentType.OPTION, InstrumentType.COMBINATION):
            return QuietMaker(market, rng)
        table, leader = CONTRACTS[instrument.underlying], CONTRACTS[LEADER]
        is_perpetual = instrument.type is InstrumentType.PERPETUAL
        parameters = (PERPETUAL_FLOW if is_perpetual else FUTURE_FLOW).scaled(
            float(table.grid.tick_size / leader.grid.tick_size),
            float(table.mark_depth_amount / leader.mark_depth_amount),
        )
        return Flow(market, self.fairs[instrument.underlying], parameters, rng, lambda: self._basis_ratio(instrument))

    def _basis_ratio(self, instrument: Instrument) -> float:
        if instrument.expiry_time is None:
            return 0.0
        left_s = instrument.expiry_time - self._engine.scheduler.realtime_ns() / NS_PER_S
        return CARRY_PER_YEAR * max(0.0, left_s) / SECONDS_PER_YEAR

    def _index_source(self, underlying: str) -> Callable[[], Decimal]:
        fair, noise_usd = self.fairs[underlying], INDEX_NOISE_USD * CONTRACTS[underlying].price_ratio

        def index_price() -> Decimal:
            return Decimal(fair.usd + noise_usd * self._rng.standard_normal()).quantize(PRICE_STEP)

        return index_price

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
            for fair in self.fairs.values():  # the leader first
                fair.advance(elapsed_ns * self._engine.speed / NS_PER_S)
        self._moved_ns = max(self._moved_ns, due_ns)
