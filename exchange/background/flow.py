"""Background flow of one simulated market: other makers that rest and refresh, takers in clusters.

Makers keep a fixed number of slots a side, each with its own typical distance from the fair price. At each
step one slot's order is replaced near where the fair price is now, so the book breathes and thins out when
the price moves fast. Orders that the fair price has left behind are refreshed first, or picked off by a
taker who saw it sooner. Takers come in clusters of one side; most take a part of the best level, some walk
a level or two. All of it is drawn from one seeded generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from exchange.background.fair_price import FairPrice
from exchange.core.market import Market
from exchange.core.orders import OPPOSITE, SIGN, Order, Side

SIDES = (Side.BUY, Side.SELL)


@dataclass(frozen=True, slots=True)
class FlowParameters:
    """USD, seconds of market time, amounts in contracts."""

    slots_per_side: int = 24
    half_spread_usd: float = 2.2
    slot_step_usd: float = 1.15
    slot_step_growth: float = 1.09
    offset_noise_usd: float = 0.8
    refreshes_per_s: float = 34.0
    near_slot_ratio: float = 0.65
    near_slots: int = 6
    maker_amount: float = 0.1
    maker_amount_growth: float = 1.12
    amount_sigma: float = 0.7
    clusters_per_s: float = 1.5
    cluster_size_mean: float = 2.2
    cluster_gap_s: float = 0.06
    taker_amount: float = 0.03
    taker_sigma: float = 1.2
    walk_ratio: float = 0.25
    walk_usd: float = 9.0
    pick_off_usd: float = 1.5

    def scaled(self, tick_ratio: float, amount_ratio: float) -> FlowParameters:
        """Return the same market in an instrument with another tick and other amounts."""
        return replace(
            self,
            half_spread_usd=self.half_spread_usd * tick_ratio,
            slot_step_usd=self.slot_step_usd * tick_ratio,
            offset_noise_usd=self.offset_noise_usd * tick_ratio,
            walk_usd=self.walk_usd * tick_ratio,
            pick_off_usd=self.pick_off_usd * tick_ratio,
            maker_amount=self.maker_amount * amount_ratio,
            taker_amount=self.taker_amount * amount_ratio,
        )


@dataclass(slots=True)
class Slot:
    side: Side
    offset_usd: float
    amount: float
    order: Order | None = None


class Flow:
    """Acts on one market. `step` does one thing and returns how long to wait for the next, in market time.

    `basis_ratio` says how far the fair price of the market lies above that of the underlying now.
    """

    def __init__(
        self,
        market: Market,
        fair: FairPrice,
        parameters: FlowParameters,
        rng: np.random.Generator,
        basis_ratio: Callable[[], float],
    ) -> None:
        self.market = market
        self._fair = fair
        self._basis_ratio = basis_ratio
        self._parameters = parameters
        self._rng = rng
        self._tick_usd = float(market.instrument.grid.tick_size)
        self._lot = float(market.instrument.grid.lot_size)
        self._slots = [self._slot(side, index) for index in range(parameters.slots_per_side) for side in SIDES]
        self._cluster_left = 0
        self._cluster_side = Side.BUY
        self.running = True

    @property
    def fair_usd(self) -> float:
        return self._fair.usd * (1.0 + self._basis_ratio())

    def open_market(self) -> None:
        """Fill every slot once, so that there is a whole book from the start."""
        for slot in self._slots:
            self._refresh(slot)

    def step(self) -> float:
        """Do the next thing, a refresh or a taker, and return the wait until the one after, in seconds."""
        p = self._parameters
        if not self.running:
            return 0.1
        if self._cluster_left:
            self._cluster_left -= 1
            self._take(self._cluster_side)
            if self._cluster_left:
                return float(self._rng.exponential(p.cluster_gap_s))
        elif self._rng.random() < p.clusters_per_s / (p.clusters_per_s + p.refreshes_per_s):
            self._cluster_side = SIDES[int(self._rng.integers(2))]
            self._cluster_left = int(self._rng.geometric(1.0 / p.cluster_size_mean))
        else:
            self._refresh(self._choose_slot())
        rate = (p.clusters_per_s + p.refreshes_per_s) * self._fair.activity_ratio
        return float(self._rng.exponential(1.0 / rate))

    # -- makers --------------------------------------------------------------------------------

    def _slot(self, side: Side, index: int) -> Slot:
        p = self._parameters
        offset = p.half_spread_usd
        for step in range(index):
            offset += p.slot_step_usd * p.slot_step_growth**step
        return Slot(side, offset, p.maker_amount * p.maker_amount_growth ** min(index, 16))

    def _choose_slot(self) -> Slot:
        stale = self._stale_slot()
        if stale is not None:
            return stale
        p, rng = self._parameters, self._rng
        near = rng.random() < p.near_slot_ratio
        count = 2 * (p.near_slots if near else p.slots_per_side)
        return self._slots[int(rng.integers(count))]

    def _stale_slot(self) -> Slot | None:
        """Return a near slot that has been filled, or the slot that the fair price has overrun furthest."""
        worst, worst_usd = None, 0.0
        for index, slot in enumerate(self._slots):
            if slot.order is None or not slot.order.is_open:
                if index < 2 * self._parameters.near_slots:
                    return slot
                continue
            beyond = SIGN[slot.side] * (slot.order.price_ticks * self._tick_usd - self.fair_usd)
            if beyond > worst_usd:
                worst, worst_usd = slot, beyond
        return worst

    def _refresh(self, slot: Slot) -> None:
        if slot.order is not None:
            self._pick_off(slot)
            self.market.cancel_anonymous(slot.order)
        p, rng, sign = self._parameters, self._rng, SIGN[slot.side]
        offset = max(0.6 * p.half_spread_usd, slot.offset_usd + p.offset_noise_usd * rng.standard_normal())
        price = (self.fair_usd - sign * offset) / self._tick_usd
        price_ticks = self._passive(slot.side, math.floor(price) if sign > 0 else math.ceil(price))
        lots = self._lots(slot.amount, p.amount_sigma)
        slot.order = self.market.rest_anonymous(slot.side, price_ticks, lots) if price_ticks > 0 else None

    def _passive(self, side: Side, price_ticks: int) -> int:
        """Step back behind the best opposite price: makers do not take by accident."""
        best = self.market.book.side(OPPOSITE[side]).best_ticks()
        if best is None:
            return price_ticks
        sign = SIGN[side]
        return sign * min(sign * price_ticks, sign * best - 1)

    def _pick_off(self, slot: Slot) -> None:
        """Sometimes a fast taker is there before the maker has moved an order that the price has passed."""
        order = slot.order
        assert order is not None
        if not order.is_open:
            return
        beyond = SIGN[order.side] * (order.price_ticks * self._tick_usd - self.fair_usd)
        if beyond > self._parameters.pick_off_usd and self._rng.random() < 0.5:
            self.market.take_anonymous(OPPOSITE[order.side], order.remaining_lots, order.price_ticks)

    # -- takers --------------------------------------------------------------------------------

    def _take(self, side: Side) -> None:
        p, rng = self._parameters, self._rng
        opposite = self.market.book.side(OPPOSITE[side])
        level = opposite.best_level()
        if level is None:
            return
        limit_ticks, lots = level.price_ticks, self._lots(p.taker_amount, p.taker_sigma)
        if rng.random() < p.walk_ratio:
            limit_ticks += SIGN[side] * round(p.walk_usd / self._tick_usd)
            lots += level.total_lots
        self.market.take_anonymous(side, lots, limit_ticks)

    def _lots(self, amount: float, sigma: float) -> int:
        return max(1, round(amount * math.exp(sigma * self._rng.standard_normal()) / self._lot))
