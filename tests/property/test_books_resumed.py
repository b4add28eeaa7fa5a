"""Risk killed at any moment, in the middle of any write, comes to the figures of one that was never killed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.risk import venue
from actors.risk.books import KEEP_INTERVAL_NS
from actors.risk.venue import AUDIT_INTERVAL_NS
from domain.clock import NS_PER_S
from domain.order import LiquiditySide, Side
from domain.reports import TradeReport
from tests.model_venue import INSTRUMENT
from tests.risk_view import NAMES, OTHER, ZERO, Killed, Scene, killed_at

PRICES = st.integers(1, 400).map(lambda ticks: Decimal(ticks) / 4)
SIZES = st.integers(1, 300).map(lambda lots: Decimal(lots) / 1000)
FEES = st.integers(-1000, 5000).map(lambda units: Decimal(units) / 1_000_000)
TRADES = st.tuples(st.sampled_from(NAMES), st.sampled_from(Side), PRICES, SIZES, FEES, FEES)

Step = Callable[["Run"], None]


class Run:
    """A scene with the same venue twice: `lived` is never killed and keeps nothing."""

    def __init__(self, folder: Path, held: Decimal) -> None:
        self.scene = Scene(folder, held=held)
        self.lived = Scene(folder / "lived", held=held)
        self.lived.clock, self.lived.gateway = self.scene.clock, self.scene.gateway
        self.lived.context.clock = self.scene.clock
        self.lived.start_again()
        self.forgiven: dict[str, int] = {}
        self.is_dead = False
        self.disk_calls_left: int | None = None  # until it is killed
        self._held = {INSTRUMENT.name: held, OTHER.name: ZERO}

    def trade(self, name: str, side: Side, price: Decimal, size: Decimal, fee: Decimal, funding: Decimal) -> None:
        history = self.scene.gateway.history
        self._held[name] += side * size
        at_ns = self.scene.clock.realtime_ns()
        new = TradeReport(
            f"t{len(history)}", f"o{len(history) % 5}", 0, name, side, price, size, fee, self._held[name], ZERO,
            funding, LiquiditySide.MAKER, "", at_ns,
        )  # fmt: skip
        history.append(new)
        self.lived.view.on_trades([new])
        if not self.is_dead:
            self.scene.view.on_trades([new])

    def forgive(self) -> None:
        """A losing streak has its consequence, which is remembered at once."""
        if self.is_dead:
            self.live()
        for scene in (self.lived, self.scene):
            trips = scene.monitor.round_trips
            for trip in trips.values():
                trip.forgive()
        self.forgiven = {name: trip.forgiven_ns for name, trip in trips.items()}

    def pass_time(self, duration_ns: int) -> None:
        """Let time pass; a disk that is to kill does so in the middle of what is written meanwhile."""
        if self.is_dead:
            self.scene.clock.advance(duration_ns)
            return
        with killed_at(self._is_killed):
            try:
                self.scene.pass_time(duration_ns)
            except Killed:
                self.is_dead = True

    def live(self) -> None:
        """Begin the next life, whether this one was killed yet or not."""
        self.is_dead, self.disk_calls_left = False, None
        self.scene.start_again(self.forgiven)

    def _is_killed(self) -> bool:
        if self.disk_calls_left is None:
            return False
        self.disk_calls_left -= 1
        return self.disk_calls_left < 0

    def figures(self, scene: Scene) -> Any:
        account = scene.view._account
        assert account is not None
        line = account.pnl(dict.fromkeys(NAMES, 100.25), {})
        return account.state, line


def a_trade(terms: tuple[str, Side, Decimal, Decimal, Decimal, Decimal]) -> Step:
    return lambda run: run.trade(*terms)


STEPS: st.SearchStrategy[Step] = st.one_of(
    TRADES.map(a_trade),
    TRADES.map(a_trade),
    st.sampled_from([NS_PER_S, AUDIT_INTERVAL_NS, KEEP_INTERVAL_NS]).map(lambda ns: lambda run: run.pass_time(ns)),
    st.just(lambda run: run.live()),
    st.just(lambda run: run.forgive()),
    st.integers(0, 8).map(lambda calls: lambda run: setattr(run, "disk_calls_left", calls)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40), SIZES.flatmap(lambda size: st.sampled_from([ZERO, size, -size])))
def test_every_life_has_the_figures_of_one_that_was_never_killed(steps: list[Step], held: Decimal) -> None:
    with tempfile.TemporaryDirectory() as folder, patch.object(venue, "RESUME_PAUSES_S", (0.0,) * 7):
        (Path(folder) / "lived").mkdir()
        run = Run(Path(folder), held)
        for step in steps:
            step(run)
        # If risk is started once more, I expect its sums and round trips to be those of a risk that never ended
        run.live()
        kept = run.figures(run.scene)
        assert kept == run.figures(run.lived)
        # and those of one that reads everything, which it was not asked to do for what was kept
        run.scene.context.run_dir = Path(folder) / "empty"
        run.scene.context.run_dir.mkdir()
        run.live()
        assert run.figures(run.scene) == kept
        assert not [line for line in run.scene.warnings if "read anew" in line]
