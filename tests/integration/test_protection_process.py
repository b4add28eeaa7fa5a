"""Protective stops of a real session at the local exchange: they outlive execution, once each."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from decimal import Decimal
from pathlib import Path

import structlog

from domain.order import Side
from runtime.clock import SystemClock
from tests.integration.test_execution_process import BUSY, THALEX
from tests.sessions import RunningSession, StandaloneExchange, wait_until
from venues.conditional import ConditionalOrderReport
from venues.config import VenueConfig
from venues.credentials import read_key_file
from venues.thalex.order_gateway import ThalexOrderGateway

PROTECTION = '[execution.protection]\nkind = "{kind}"\ndistance_bps = 500.0\nresize_base = 0.005\n'
NAME = "BTC-PERPETUAL"


class _Deaf:
    """A listener for a gateway that is only asked."""

    def __getattr__(self, name: str) -> object:
        return lambda *_: None


class Eye:
    """Looks at the account with a connection of its own."""

    def __init__(self, exchange: StandaloneExchange, folder: Path) -> None:
        self._exchange = exchange
        self._folder = folder

    def look(self) -> tuple[Decimal, list[ConditionalOrderReport]]:
        """Return the position and the conditional orders that stand."""

        async def ask() -> tuple[Decimal, list[ConditionalOrderReport]]:
            key, log = read_key_file(self._exchange.key_file), structlog.stdlib.get_logger()
            gateway = ThalexOrderGateway(
                VenueConfig(), self._exchange.url, key, self._folder, _Deaf(), SystemClock(), log  # type: ignore[arg-type]
            )  # fmt: skip
            gateway.start()
            await gateway.wait_ready(10)
            try:
                held = {line.instrument_name: line.position for line in await gateway.positions()}
                return held.get(NAME, Decimal(0)), await gateway.conditional_orders()
            finally:
                await gateway.close()

        return asyncio.run(ask())


def serves(position: Decimal, stops: list[ConditionalOrderReport]) -> bool:
    """Whether exactly what should stand for a position does."""
    if not position:
        return not stops
    wanted = Side.SELL if position > 0 else Side.BUY
    return [stop.side for stop in stops] == [wanted] and abs(stops[0].size - abs(position)) <= Decimal("0.005")


def test_a_stop_outlives_a_killed_execution_and_is_found_again_and_never_doubled(tmp_path: Path) -> None:
    with StandaloneExchange(tmp_path) as exchange:
        eye = Eye(exchange, tmp_path)
        config = THALEX + BUSY + PROTECTION.format(kind="stop")
        with RunningSession(tmp_path, config, environ=exchange.environ()) as session:
            session.wait_for_quotes()
            wait_until(lambda: bool(eye.look()[1]), 30, "a position has its stop")
            pid = session.actor_pid("execution")
            os.kill(pid, signal.SIGKILL)
            before = eye.look()[1]
            assert len(before) <= 1
            wait_until(lambda: session.actor_pid("execution") not in (0, pid), 15, "execution is started again")
            session.wait_for_quotes()
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                position, stops = eye.look()
                assert len(stops) <= 1, f"{stops} for {position}"
            session.signal(signal.SIGINT)
            assert session.wait(40) == 0, session.said
            assert session.summary["open_orders_at_exit"] == 0
            assert sum(session.summary["restarts"].values()) == 1
        position, stops = eye.look()
        placed = session.summary["counters"]["execution"]["stops_placed"]
        print(f"position {position}, {len(stops)} stops, {placed} placed")
        assert serves(position, stops), f"{stops} for {position}"
        assert all(stop.reduce_only for stop in stops)


def test_what_a_kill_has_cancelled_does_not_come_back_while_trading_is_halted(tmp_path: Path) -> None:
    with StandaloneExchange(tmp_path) as exchange:
        eye = Eye(exchange, tmp_path)
        config = THALEX + BUSY + PROTECTION.format(kind="trailing")
        with RunningSession(tmp_path, config, environ=exchange.environ()) as session:
            session.wait_for_quotes()
            wait_until(lambda: bool(eye.look()[1]), 30, "a position has its stop")
            (stop, *_) = eye.look()[1] or [None]
            assert stop is None or stop.callback_rate == Decimal("0.05")
            answer = session.cli("kill", "--config", str(session.config))
            assert answer.returncode == 0, answer.stdout + answer.stderr
            wait_until(lambda: not exchange.open_orders(), 5, "no order is open")
            time.sleep(1.0)
            assert eye.look()[1] == []
            session.signal(signal.SIGINT)
            session.wait(40)
            assert sum(session.summary["restarts"].values()) == 0
        assert eye.look()[1] == []
