"""Bots: what each strategy does, what it is told, and how it ends."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_S

PERPETUAL, FUTURE = "BTC-PERPETUAL", "BTC-25DEC26"
NOT_FOUND, INVALID, AMOUNT, OFF_TICK, TOO_MANY = 1, 6, 14, 15, 55


def end_time(desk: Any, seconds: float = 3_600) -> float:
    return float(desk.scheduler.realtime_ns() / NS_PER_S + seconds)


def start(desk: Any, trader: Any, strategy: str, **fields: Any) -> Any:
    fields = {"instrument_name": PERPETUAL, "end_time": end_time(desk), **fields}
    return trader.result("private/create_bot", strategy=strategy, **fields)


def grid(desk: Any, trader: Any, **fields: Any) -> Any:
    return start(desk, trader, "grid", **{"grid": [99_900, 99_950, 100_050, 100_100], "step_size": 0.01, **fields})


def resting(desk: Any) -> set[tuple[str, int, int]]:
    return {(o.side.value, o.price_ticks, o.remaining_lots) for o in desk.a.open_orders.values()}


def test_a_grid_answers_each_fill_one_level_away(desk: Any, trader: Any) -> None:
    trader.result("private/subscribe", channels=["account.bots", "session.orders", "account.orders"])
    bot = grid(desk, trader, label="gridbot")
    wanted = {
        "strategy": "grid",
        "status": "active",
        "instrument_name": PERPETUAL,
        "grid": [99_900, 99_950, 100_050, 100_100],
        "step_size": 0.01,
        "base_position": 0,
        "target_mean_price": 100_000,
        "realized_pnl": 0,
        "fee": 0,
        "label": "gridbot",
    }
    assert {key: bot[key] for key in wanted} == wanted
    assert list(bot)[:3] == ["strategy", "status", "bot_id"]
    outer = {("buy", 99_900, 10), ("sell", 100_100, 10)}
    assert resting(desk) == outer | {("buy", 99_950, 10), ("sell", 100_050, 10)}
    # If the near bid is hit, I expect an offer one level up, beside the one that stands there
    desk.take(Side.SELL, 10, 99_950)
    assert resting(desk) == outer | {("sell", 100_050, 10)}
    assert sum(order.price_ticks == 100_050 for order in desk.a.open_orders.values()) == 2
    # and once both are taken, two bids one level down: one closes the short, one starts again
    desk.take(Side.BUY, 20, 100_050)
    assert sum(order.price_ticks == 99_950 for order in desk.a.open_orders.values()) == 2
    # its orders say whose they are, belong to no session, and the list tells what it brought
    order = trader.notes("account.orders")[-1]["notification"][0]
    assert (order["insert_reason"], order["bot_id"], order["label"]) == ("bot", bot["bot_id"], "gridbot")
    assert order["persistent"] is True
    assert trader.notes("session.orders")[1:] == []
    (told,) = trader.notes("account.bots")[-1]["notification"]
    assert told["realized_pnl"] == 1  # 0.01 bought at 99,950 and sold at 100,050
    assert told["fee"] > 0
    trades = trader.result("private/trade_history", bot_ids=[bot["bot_id"]])["trades"]
    assert {trade["bot_id"] for trade in trades} == {bot["bot_id"]}
    assert trader.result("private/trade_history", bot_ids="00,01")["trades"] == []


def test_a_grid_beyond_its_exit_goes_back_to_the_base(desk: Any, trader: Any) -> None:
    desk.rest(Side.BUY, 99_200, 1_000)
    grid(desk, trader, downside_exit_price=99_800)
    desk.take(Side.SELL, 20, 99_900)
    assert desk.a.positions[PERPETUAL].lots == 20
    desk.index_price = Decimal(99_700)
    desk.scheduler.advance(60 * NS_PER_S)
    assert desk.a.positions[PERPETUAL].lots == 0
    assert resting(desk) == set()
    (bot,) = trader.result("private/bots")
    assert (bot["status"], bot["stop_reason"]) == ("stopped", "strategy")


def test_levels_close_at_the_mean_and_quote_again(desk: Any, trader: Any) -> None:
    start(desk, trader, "levels", bids=[99_950], asks=[100_050, 100_070], step_size=0.01)
    assert resting(desk) == {("buy", 99_950, 10), ("sell", 100_050, 10), ("sell", 100_070, 10)}
    desk.take(Side.SELL, 10, 99_950)
    assert ("sell", 100_000, 10) in resting(desk)
    assert not any(side == "buy" for side, _, _ in resting(desk))
    desk.take(Side.BUY, 10, 100_000)
    assert resting(desk) == {("buy", 99_950, 10), ("sell", 100_050, 10), ("sell", 100_070, 10)}


def test_a_quoter_follows_its_signal_and_stays_in_its_range(desk: Any, trader: Any) -> None:
    terms = {"signal": "index", "bid_offset": -20, "ask_offset": 30, "quote_size": 0.1}
    bot = start(desk, trader, "ocq", **terms, min_position=-0.1, max_position=0.15, exit_offset=5, target_position=0)
    assert resting(desk) == {("buy", 99_980, 100), ("sell", 100_030, 100)}
    desk.take(Side.SELL, 100, 99_980)
    desk.index_price = Decimal(100_100)
    desk.scheduler.advance(NS_PER_S)
    # long 0.1: a bid for the 0.05 that may still be bought, an ask for all, and the exit nearer
    assert resting(desk) == {("buy", 100_080, 50), ("sell", 100_130, 100), ("sell", 100_105, 100)}
    assert trader.result("private/cancel_bot", bot_id=bot["bot_id"]) is None
    assert resting(desk) == set()


def test_a_signal_bot_trades_to_its_positions(desk: Any, trader: Any) -> None:
    desk.rest(Side.SELL, 100_010, 1_000)
    desk.rest(Side.BUY, 99_990, 1_000)
    terms = {
        "signal": "index",
        "entry_price": 100_050,
        "target_position": 0.2,
        "exit_price": 99_950,
        "exit_position": -0.1,
    }
    start(desk, trader, "sgsl", **terms)
    assert desk.a.position_lots(desk.perpetual) == 0
    for index, lots in ((100_060, 200), (100_000, 200), (99_940, -100)):
        desk.index_price = Decimal(index)
        desk.scheduler.advance(NS_PER_S)
        assert desk.a.position_lots(desk.perpetual) == lots, index


def test_slippage_bounds_what_a_bot_pays(desk: Any, trader: Any) -> None:
    desk.rest(Side.SELL, 100_300, 1_000)
    terms = {"signal": "mark", "entry_price": 1, "target_position": 0.2, "exit_price": 1, "exit_position": 0}
    start(desk, trader, "sgsl", **terms, max_slippage=0.1)
    assert desk.a.position_lots(desk.perpetual) == 0
    assert resting(desk) == set()


def test_a_hedger_brings_the_delta_back_after_its_period(desk: Any, trader: Any) -> None:
    desk.engine.market(FUTURE).rest_anonymous(Side.SELL, 100_000, 1_000)
    desk.engine.commit()
    trader.result("private/buy", instrument_name=FUTURE, amount=0.3, price=100_000)
    desk.rest(Side.BUY, 99_990, 1_000)
    start(desk, trader, "dhedge", period=10, end_time=None)
    desk.scheduler.advance(9 * NS_PER_S)
    assert desk.a.position_lots(desk.perpetual) == 0
    desk.scheduler.advance(2 * NS_PER_S)
    assert desk.a.position_lots(desk.perpetual) == -300


def test_a_follower_holds_the_delta_of_its_target(desk: Any, trader: Any) -> None:
    desk.rest(Side.SELL, 100_010, 1_000)
    start(desk, trader, "dfollow", target_instrument=FUTURE, target_amount=0.25, period=1, tolerance=0.01)
    assert desk.a.position_lots(desk.perpetual) == 250  # at once: beyond the tolerance


def test_bots_end_by_time_by_request_and_with_their_instrument(desk: Any, trader: Any) -> None:
    grid(desk, trader, end_time=end_time(desk, 5))
    grid(desk, trader)
    grid(desk, trader, instrument_name=FUTURE, end_time=end_time(desk, 6 * 86_400))
    desk.scheduler.advance(6 * NS_PER_S)
    assert [bot.get("stop_reason") for bot in trader.result("private/bots")] == ["end_time", None, None]
    left_s = desk.future.expiry_time - desk.scheduler.realtime_ns() / NS_PER_S
    assert trader.result("private/cancel_all_bots") is None
    assert resting(desk) == set()
    grid(desk, trader, instrument_name=FUTURE)
    desk.engine.bots._active and desk.engine.bots.drop_instrument(FUTURE)
    reasons = [bot["stop_reason"] for bot in trader.result("private/bots")]
    assert reasons == ["end_time", "client_bulk_cancel", "client_bulk_cancel", "instrument_deactivated"]
    assert left_s > 0


@pytest.mark.parametrize(
    ("strategy", "fields", "code"),
    [
        ("nope", {}, INVALID),
        ("grid", {"grid": [99_900]}, INVALID),
        ("grid", {"grid": [99_900 + 10 * i for i in range(9)]}, INVALID),
        ("grid", {"grid": [99_900, 99_902]}, INVALID),
        ("grid", {"grid": [99_900, 99_910.5]}, OFF_TICK),
        ("grid", {"step_size": 0.2}, INVALID),
        ("grid", {"step_size": 0.0001}, AMOUNT),
        ("grid", {"instrument_name": "BTC-NOPE"}, 5),
        ("grid", {"end_time": 1}, INVALID),
        ("grid", {"max_slippage": 0}, INVALID),
        ("grid", {"upside_exit_price": -1}, INVALID),
        ("grid", {"grid": [-100, 100]}, 13),
        ("grid", {"label": "no spaces"}, INVALID),
        ("levels", {"bids": [100_000], "asks": [99_000], "step_size": 0.01}, INVALID),
        ("ocq", {"bid_offset": 5}, INVALID),
        ("dhedge", {"period": 0}, INVALID),
        ("dhedge", {"period": 10, "position": "BTC-NOPE"}, 5),
        ("dfollow", {"period": 10, "target_instrument": FUTURE, "target_amount": 0}, INVALID),
    ],
)
def test_terms_that_make_no_sense_are_refused(desk: Any, trader: Any, strategy: str, fields: Any, code: int) -> None:
    common = {"instrument_name": PERPETUAL, "end_time": end_time(desk)}
    common |= {"grid": {"grid": [99_900, 100_100], "step_size": 0.01}}.get(strategy, {})
    assert trader.error("private/create_bot", strategy=strategy, **{**common, **fields}) == code
    assert trader.result("private/bots") == []


def test_an_unknown_bot_is_not_found_and_an_account_runs_only_so_many(desk: Any, trader: Any) -> None:
    assert trader.error("private/cancel_bot", bot_id="00") == NOT_FOUND
    for turn in range(20):
        grid(desk, trader, grid=[99_000 + turn, 101_000 + turn])
        desk.scheduler.advance(NS_PER_S)
    params = {"grid": [99_900, 100_100], "step_size": 0.01, "instrument_name": PERPETUAL, "end_time": end_time(desk)}
    assert trader.error("private/create_bot", strategy="grid", **params) == TOO_MANY
