"""Every trade of the run is booked in the end, however late the venue's history shows it."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.risk.books import BooksKeeper
from actors.risk.venue import AUDIT_INTERVAL_NS, VenueView
from domain.clock import NS_PER_S
from domain.errors import ProtocolError
from domain.order import Side
from tests.risk_view import WALL_NS, Scene, a_trade
from trading.risk.account_view import AccountView
from trading.risk.config import RiskConfig
from trading.risk.exposure import tell_of_exposure
from trading.risk.latch import RiskMemory
from trading.risk.states import Cause


def test_trades_that_cancel_out_and_reach_the_history_after_a_reconnect_are_booked(tmp_path: Path) -> None:
    # Given a reconnect whose history does not show yet what was bought and sold meanwhile
    scene = Scene(tmp_path)
    dark_ns = scene.pass_time(NS_PER_S)
    scene.view.on_disconnected("test")
    scene.view.on_ready()
    assert scene.fees() == 0
    # If it shows them before the next audit
    scene.gateway.history = [a_trade(0, Side.BUY, dark_ns), a_trade(1, Side.SELL, dark_ns)]
    scene.pass_time(AUDIT_INTERVAL_NS)
    # I expect both to be booked, with what they cost
    assert scene.fees() == Decimal("0.02")
    assert [trade.trade_id for trade in scene.view.new_trades] == ["t0", "t1"]


def test_a_trade_told_before_the_history_is_read_hides_none_of_the_time_without_connection(tmp_path: Path) -> None:
    # Given a trade while the connection was lost, minutes before it is back
    scene = Scene(tmp_path)
    dark_ns = scene.pass_time(NS_PER_S)
    scene.view.on_disconnected("test")
    scene.gateway.history = [a_trade(0, Side.BUY, dark_ns)]
    scene.gateway.is_ready = False
    now_ns = scene.clock.realtime_ns() + 300 * NS_PER_S
    scene.clock.advance(300 * NS_PER_S)
    # If a new trade is told before the account is read
    scene.gateway.is_ready = True
    scene.view.on_trades([a_trade(1, Side.SELL, now_ns)])
    scene.view.on_ready()
    # I expect both to be booked
    assert scene.fees() == Decimal("0.02")


@pytest.mark.parametrize("hours", [-1, 1])
def test_trades_are_of_the_run_by_the_venues_clock_whatever_ours_says(tmp_path: Path, hours: int) -> None:
    # Given a wall clock that is an hour off, a trade from before the run, and one of it that was not told
    scene = Scene(tmp_path, wall_ahead_ns=hours * 3600 * NS_PER_S)
    scene.gateway.history = [a_trade(0, Side.BUY, WALL_NS - 60 * NS_PER_S)]
    scene.start(RiskMemory())
    scene.gateway.history.append(a_trade(1, Side.SELL, scene.pass_time(10 * NS_PER_S)))
    # If the history is asked, I expect the second alone to be booked
    scene.pass_time(AUDIT_INTERVAL_NS)
    assert [trade.trade_id for trade in scene.view.new_trades] == ["t1"]
    assert scene.fees() == Decimal("0.01")
    # ... by the next life, too, though the wall clock was stepped meanwhile
    scene.wall_ahead_ns -= hours * 3600 * NS_PER_S
    scene.clock.step_realtime(-hours * 3600 * NS_PER_S)
    scene.start(RiskMemory(openings=scene.view.openings, since_ns=scene.view.since_ns))
    assert scene.fees() == Decimal("0.01")


@pytest.mark.parametrize("ahead_s", [-4, 0, 4])
def test_a_fill_of_the_first_seconds_is_the_next_lifes_too_with_clocks_that_nearly_agree(
    tmp_path: Path, ahead_s: int
) -> None:
    # Given clocks that differ by less than is corrected, and a fill soon after the start
    scene = Scene(tmp_path, wall_ahead_ns=ahead_s * NS_PER_S)
    scene.gateway.history.append(a_trade(0, Side.BUY, scene.pass_time(2 * NS_PER_S)))
    scene.view.on_trades(scene.gateway.history)
    assert scene.fees() == Decimal("0.01")
    # If risk begins anew, I expect it to count
    scene.start(RiskMemory(openings=scene.view.openings, since_ns=scene.view.since_ns))
    assert scene.fees() == Decimal("0.01")


def test_the_account_is_opened_only_once_the_venues_clock_is_known(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    begun = scene.view
    told: list[int | None] = [None, -60 * NS_PER_S]
    gateway: Any = scene.gateway
    view = VenueView(
        scene.context, scene.monitor, RiskMemory(), lambda _: gateway, lambda _: None,
        lambda: told.pop(0) if len(told) > 1 else told[0], BooksKeeper(scene.context, ""),
    )  # fmt: skip
    view.on_ready()
    assert view.is_started
    assert view.since_ns == begun.since_ns - 60 * NS_PER_S


def test_a_position_of_ours_that_cannot_be_read_makes_the_positions_unknown(tmp_path: Path) -> None:
    # Given risk that knows the positions
    scene = Scene(tmp_path)
    account = scene.monitor.account
    assert account.are_positions_known
    read = scene.gateway.positions

    async def unreadable() -> list[Any]:
        raise ProtocolError("position in BTC-PERPETUAL, which may be ours: unreadable")

    # If the venue tells one of ours in a form that nobody knows, I expect none to count as known until it can be read
    scene.gateway.positions = unreadable  # type: ignore[method-assign]
    scene.pass_time(AUDIT_INTERVAL_NS)
    assert not account.are_positions_known
    scene.gateway.positions = read  # type: ignore[method-assign]
    scene.pass_time(AUDIT_INTERVAL_NS)
    assert account.are_positions_known


def test_a_position_of_others_that_cannot_be_read_lets_nothing_be_added(tmp_path: Path) -> None:
    # Given risk that knows what is held in all
    scene = Scene(tmp_path)
    account = scene.monitor.account
    assert notional_limit_holds(account) is False
    # If a line of another instrument cannot be read, I expect the account to reduce only, and ours to stay known
    scene.gateway.unreadable_positions = 1
    scene.pass_time(AUDIT_INTERVAL_NS)
    assert notional_limit_holds(account) is True
    assert account.are_positions_known
    assert math.isfinite(account.gross_notional)
    # and to go on once it can be
    scene.gateway.unreadable_positions = 0
    scene.pass_time(AUDIT_INTERVAL_NS)
    assert notional_limit_holds(account) is False


def notional_limit_holds(account: AccountView) -> bool:
    told: dict[Cause, bool] = {}
    tell_of_exposure(lambda cause, holds, _: told.update({cause: holds}), account, RiskConfig())
    return told[Cause.NOTIONAL_LIMIT]


def test_a_trade_of_ours_that_cannot_be_read_is_told_and_one_of_others_is_not(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.view.on_unreadable_trade("ANOTHER", "price is null")
    assert scene.warnings == []
    scene.view.on_unreadable_trade("BTC-PERPETUAL", "price is null")
    assert scene.warnings == ["a trade that may be ours is unreadable: profit and loss lacks it: price is null"]


def test_a_margin_that_cannot_be_read_is_not_known_any_more(tmp_path: Path) -> None:
    # Given risk that knows the margin
    scene = Scene(tmp_path)
    account = scene.monitor.account
    room = account.margin.room(0.8, account.margin_rate(0.1))
    assert room > 0.0
    read = scene.gateway.margin

    async def unreadable() -> Any:
        raise ProtocolError("margin: unreadable")

    # If the venue tells it in a form that nobody knows, I expect nothing to be added on what was told before
    scene.gateway.margin = unreadable  # type: ignore[method-assign]
    scene.pass_time(AUDIT_INTERVAL_NS)
    assert math.isnan(account.margin.room(0.8, account.margin_rate(0.1)))
    scene.gateway.margin = read  # type: ignore[method-assign]
    scene.pass_time(AUDIT_INTERVAL_NS)
    assert account.margin.room(0.8, account.margin_rate(0.1)) == room
