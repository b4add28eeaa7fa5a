"""Risk killed at any moment, in the middle of any write, comes to the figures of one that was never killed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
from tests.execution_rig import INSTRUMENT
from tests.risk_view import ZERO, Scene

SYSTEM_CALLS = ("open", "pwrite", "fdatasync", "fsync", "replace")
PRICES = st.integers(1, 400).map(lambda ticks: Decimal(ticks) / 4)
SIZES = st.integers(1, 300).map(lambda lots: Decimal(lots) / 1000)
FEES = st.integers(-1000, 5000).map(lambda units: Decimal(units) / 1_000_000)
TRADES = st.tuples(st.sampled_from(Side), PRICES, SIZES, FEES, FEES)

Step = Callable[["Run"], None]


class Killed(BaseException):
    """The process is gone."""


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
        self._held = held

    def trade(self, side: Side, price: Decimal, size: Decimal, fee: Decimal, funding: Decimal) -> None:
        history = self.scene.gateway.history
        self._held += side * size
        at_ns = self.scene.clock.realtime_ns()
        new = TradeReport(
            f"t{len(history)}", f"o{len(history) % 5}", 0, INSTRUMENT.name, side, price, size, fee, self._held, ZERO,
            funding, LiquiditySide.MAKER, "", at_ns,
        )  # fmt: skip
        history.append(new)
        self.lived.view.on_trades([new])
        if not self.is_dead:
            self.scene.view.on_trades([new])

    def forgive(self) -> None:
        """A losing streak has its consequence, which is remembered at once."""
        self.lived.view._account.trips[INSTRUMENT.name].forgive()  # type: ignore[union-attr]
        if self.is_dead:
            self.live()
        view = self.scene.view
        assert view._account is not None
        view._account.trips[INSTRUMENT.name].forgive()
        self.forgiven = {INSTRUMENT.name: view._account.trips[INSTRUMENT.name].forgiven_ns}

    def pass_time(self, duration_ns: int) -> None:
        """Let time pass; a disk that is to kill does so in the middle of what is written meanwhile."""
        if self.is_dead:
            self.scene.clock.advance(duration_ns)
            return
        with self._killing():
            try:
                self.scene.pass_time(duration_ns)
            except Killed:
                self.is_dead = True

    def live(self) -> None:
        """Begin the next life, whether this one was killed yet or not."""
        self.is_dead, self.disk_calls_left = False, None
        self.scene.start_again(self.forgiven)

    @contextmanager
    def _killing(self) -> Iterator[None]:
        def call(real: Callable[..., Any], name: str, *args: Any, **terms: Any) -> Any:
            if self.disk_calls_left is not None:
                self.disk_calls_left -= 1
                if self.disk_calls_left < 0:
                    if name == "pwrite":  # killed after a part of it
                        real(args[0], args[1][: len(args[1]) // 2], args[2])
                    raise Killed
            return real(*args, **terms)

        with ExitStack() as stack:
            for name in SYSTEM_CALLS:
                real = getattr(os, name)
                stack.enter_context(
                    patch.object(os, name, lambda *args, _r=real, _n=name, **terms: call(_r, _n, *args, **terms))
                )
            yield

    def figures(self, scene: Scene) -> Any:
        account = scene.view._account
        assert account is not None
        line = account.pnl({INSTRUMENT.name: 100.25}, {})
        return account.state, line


def a_trade(terms: tuple[Side, Decimal, Decimal, Decimal, Decimal]) -> Step:
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
