"""Four instruments that want more messages than there are tokens: each is quoted, none is left behind."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from domain.clock import NS_PER_MS, NS_PER_S, SimClock
from domain.order import Side
from domain.reports import FillReport, OrderReport
from tests.execution_rig import Bench
from tests.execution_rig.gateway import FakeGateway
from tests.execution_rig.scenario import play
from tests.model_quotes import ModelQuotes
from tests.model_venue import INSTRUMENT, ModelVenue, VenueOrder
from venues.gateway import NewOrder

INSTRUMENTS = tuple(dataclasses.replace(INSTRUMENT, name=f"T{i}-PERPETUAL") for i in range(4))
STEP_NS = 5 * NS_PER_MS
STEPS_A_WISH = 20  # 100 ms
HALF_SPREAD_TICKS = 5
CODE_THROTTLED = 4


class FourVenue(ModelVenue):
    """The model venue, of several instruments."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[int, str] = {}

    def _report(self, order: VenueOrder, reason: str, fills: tuple[FillReport, ...]) -> OrderReport:
        name = self.names[order.client_order_id]
        return msgspec.structs.replace(super()._report(order, reason, fills), instrument_name=name)

    def rests(self) -> dict[tuple[str, Side], int]:
        """Return the price at which each side of each instrument is quoted, ticks."""
        return {(self.names[order.client_order_id], order.side): order.price_ticks for order in self.open}


class FourGateway(FakeGateway):
    def __init__(self, clock: SimClock) -> None:
        super().__init__(clock)
        self.venue: FourVenue = FourVenue()
        self.quotes = ModelQuotes(self.venue)
        self.listed = {instrument.name: instrument for instrument in INSTRUMENTS}

    def insert(self, order: NewOrder) -> int:
        self.venue.names[order.client_order_id] = order.instrument_name
        return super().insert(order)


class Market:
    """Fair prices that move by a tick or two with each wish, and how long what rests has been nearer than the wish."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        assert isinstance(bench.venue, FourVenue)
        self.venue = bench.venue
        self.fair = [200] * len(INSTRUMENTS)
        self.looks = 0
        self.quoted = {(instrument.name, side): 0 for instrument in INSTRUMENTS for side in Side}
        self.stale = dict.fromkeys(self.quoted, 0)
        self.stale_looks_max = 0
        self._random = random.Random(1)

    async def pass_with_wishes(self, seconds: float) -> None:
        for step in range(round(seconds * NS_PER_S / STEP_NS)):
            for row in range(len(INSTRUMENTS)):
                if (step + 5 * row) % STEPS_A_WISH == 0:
                    self.fair[row] += self._random.choice([-2, -1, 1, 2])
                    self._wish(row)
            await self.bench.let_pass(STEP_NS, STEP_NS)
            self._look()

    def _wish(self, row: int) -> None:
        fair = self.fair[row]
        self.bench.wish([(fair - HALF_SPREAD_TICKS, 1)], [(fair + HALF_SPREAD_TICKS, 1)], row=row)

    def _look(self) -> None:
        self.looks += 1
        rests = self.venue.rests()
        for row, instrument in enumerate(INSTRUMENTS):
            for side in Side:
                key = (instrument.name, side)
                self.quoted[key] += key in rests
                wanted_ticks = self.fair[row] - side * HALF_SPREAD_TICKS
                is_stale = key in rests and side * rests[key] > side * wanted_ticks
                self.stale[key] = self.stale[key] + 1 if is_stale else 0
                self.stale_looks_max = max(self.stale_looks_max, self.stale[key])

    def shares(self) -> list[float]:
        """Return the part of the looks at which each side was quoted."""
        return [looks / self.looks for looks in self.quoted.values()]


@pytest.fixture
def bench(segment_name: Callable[[], str], tmp_path: Path) -> Bench:
    return Bench(segment_name, tmp_path, gateway_type=FourGateway, instruments=INSTRUMENTS)


def test_no_instrument_goes_without_quotes_because_others_before_it_take_every_token(bench: Bench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        market = Market(bench)
        # If four instruments want 80 messages a second, of which there are 33
        await market.pass_with_wishes(8)
        # I expect every side quoted nearly all the time, by amends, and none for long where the wish has left it
        assert min(market.shares()) > 0.95
        kinds = bench.gateway.kinds()
        assert kinds.count("amend") > 20 * kinds.count("cancel")
        assert market.stale_looks_max * STEP_NS < 500 * NS_PER_MS

    play(bench, scenario)


def test_after_a_pause_every_side_comes_back_and_none_was_left_behind_in_it(bench: Bench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        market = Market(bench)
        await market.pass_with_wishes(1)
        # If the venue says for two seconds that we send too much
        bench.venue.refusals = {"amend": CODE_THROTTLED, "insert": CODE_THROTTLED}
        market.stale_looks_max = 0
        await market.pass_with_wishes(2)
        # I expect no quote to have stood where its wish had left it for longer than a wait for a token
        assert market.stale_looks_max * STEP_NS < 300 * NS_PER_MS
        # If it takes them again, I expect every side back, and quoted nearly all the time from then on
        bench.venue.refusals = {}
        await market.pass_with_wishes(2)
        after = Market(bench)
        after.fair = market.fair
        await after.pass_with_wishes(4)
        assert min(after.shares()) > 0.95

    play(bench, scenario)
