from __future__ import annotations

import math

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import ClampFlag, OffReason
from domain.order import TradingState
from tests.quoting_case import BARE, START_NS, Case, quote, words
from trading.quoting.config import QuotingConfig
from trading.quoting.models.glft import glft
from trading.quoting.params import Units


def reasons(view: dict[str, object]) -> tuple[object, object]:
    return view["bid_off_reason"], view["ask_off_reason"]


def test_a_flat_quoter_centres_on_the_micro_price() -> None:
    # Given a book with three times as much on the bid
    case = Case()
    case.set_book(100_000.0, 100_010.0, bid_size=3.0, ask_size=1.0)
    view = case.quote()
    # I expect the micro-price nearer to the ask, and quotes at the model's distance, rounded away from it
    assert view["mid_price"] == 100_005.0
    assert view["micro_price"] == pytest.approx(100_007.5)
    half, _ = glft(5.0, 1.0, 0.5, 0.01, 0.01, 0.01)
    assert view["half_spread"] == pytest.approx(half)
    assert view["bids"][0] == math.floor(100_007.5 - half)
    assert view["asks"][0] == math.ceil(100_007.5 + half)


def test_a_quote_names_what_it_came_from() -> None:
    case = Case()
    case.tick()
    case.trade(100_001.0, 1)
    view = case.quote(after_ns=5 * NS_PER_MS)
    assert view["is_written"]
    assert view["book_position"] == 1
    assert view["trade_position"] == 1
    assert view["computed_time_ns"] == START_NS + 5 * NS_PER_MS
    assert view["wish_id"] == 1
    assert view["params_hash"] == case.quoter.configure(BARE, case.units)
    assert view["state_hash"] == case.quoter.state_hash() > 0


def test_the_state_hash_sees_every_word() -> None:
    case = Case()
    case.quote()
    seen = {case.quoter.state_hash()}
    for i in range(len(case.quoter.state)):
        case.quoter.state[i] ^= 1 << (i % 63)
        seen.add(case.quoter.state_hash())
    assert len(seen) == len(case.quoter.state) + 1


def test_an_unchanged_wish_is_written_again_only_when_it_is_due() -> None:
    # Given a wish just written
    case = Case()
    assert case.quote()["is_written"]
    # If nothing changes, I expect silence until the refresh time
    assert not case.quote(after_ns=50 * NS_PER_MS)["is_written"]
    assert case.quote(after_ns=50 * NS_PER_MS)["is_written"]
    # If the price changes, I expect it at once
    case.set_book(100_020.0, 100_021.0)
    assert case.quote(after_ns=NS_PER_MS)["is_written"]


def test_wish_ids_go_on_where_the_predecessor_stopped() -> None:
    old, new = Case(), Case()
    for _ in range(3):
        old.quote(after_ns=NS_PER_S)
    new.quoter.continue_wish(memoryview(bytes(8) + bytes(old.quoter.wish)).cast("q"))
    assert new.quote()["wish_id"] == 4


# ---- our own orders --------------------------------------------------------------------------------------


def test_our_own_size_is_not_part_of_the_book() -> None:
    # Given a book whose best bid is ours alone, and whose best ask is half ours
    case = Case()
    case.set_book(100_000.0, 100_001.0)
    case.book["bid_size"][0, 0] = 0.01
    case.book["ask_size"][0, 0] = 1.5
    case.work("bid", (100_000, 10))
    case.work("ask", (100_001, 500))
    view = case.quote()
    # I expect the touch of the others
    assert (view["best_bid_ticks"], view["best_ask_ticks"]) == (99_999, 100_001)
    assert view["mid_price"] == 100_000.0
    assert case.quoter.record["market"]["ask_size"][0] == pytest.approx(1.0)


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_a_side_that_is_only_ours_is_no_book(side: str) -> None:
    case = Case()
    case.set_book(100_000.0, 100_001.0, bid_size=0.01, ask_size=0.01, levels=3)
    price, step = (100_000, -1) if side == "bid" else (100_001, 1)
    case.work(side, *((price + i * step, 10) for i in range(3)))
    assert reasons(case.quote()) == (OffReason.NO_BOOK, OffReason.NO_BOOK)


def test_quoting_off_our_own_orders_does_not_walk_away() -> None:
    # Given a thin book in which our last quotes are the best prices
    case = Case()
    case.set_book(99_980.0, 100_020.0, levels=1)
    first = case.quote()
    case.book["bid_count"] = case.book["ask_count"] = 2
    case.book["bid_price"][0, :2] = first["bids"][0], 99_980.0
    case.book["ask_price"][0, :2] = first["asks"][0], 100_020.0
    case.book["bid_size"][0, :2] = 0.01, 1.0
    case.book["ask_size"][0, :2] = 0.01, 1.0
    case.work("bid", (first["bids"][0], 10))
    case.work("ask", (first["asks"][0], 10))
    # I expect the same quotes again
    second = case.quote()
    assert (second["bids"], second["asks"]) == (first["bids"], first["asks"])
    assert second["mid_price"] == first["mid_price"]


@pytest.mark.parametrize("first_to_know", ["book", "account"])
def test_an_amend_does_not_move_the_mid_whoever_knows_of_it_first(first_to_know: str) -> None:
    # Given a thin book in which our bid is the best
    case = Case()
    case.set_book(99_980.0, 100_020.0, levels=1)
    case.quote()
    wished = case.seen()["bids"][0]
    case.book["bid_count"] = 2
    case.book["bid_price"][0, :2] = wished - 3, 99_980.0
    case.book["bid_size"][0, :2] = 0.01, 1.0
    case.work("bid", (wished - 3, 10))
    assert case.quote(after_ns=300 * NS_PER_MS)["mid_price"] == 100_000.0
    # If strategy wishes another price, and book or account shows it first
    case.set_book(99_982.0, 100_022.0, levels=1)
    case.book["bid_count"] = 2
    case.book["bid_price"][0, :2] = wished - 3, 99_982.0
    case.book["bid_size"][0, :2] = 0.01, 1.0
    amended = case.quote(after_ns=300 * NS_PER_MS)
    assert amended["mid_price"] == 100_002.0
    if first_to_know == "book":
        case.book["bid_price"][0, 0] = amended["bids"][0]
    else:
        case.work("bid", (amended["bids"][0], 10))
    # I expect the same mid and no other wish
    after = case.quote(after_ns=20 * NS_PER_MS)
    assert after["mid_price"] == 100_002.0
    assert not after["is_written"]


# ---- why there is no quote -------------------------------------------------------------------------------


def test_an_invalid_crossed_or_empty_book_gives_no_quote() -> None:
    case = Case()
    case.book["is_valid"] = 0
    assert reasons(case.quote()) == (OffReason.NO_BOOK, OffReason.NO_BOOK)
    case.book["is_valid"] = 1
    case.set_book(100_001.0, 100_001.0)
    assert reasons(case.quote()) == (OffReason.NO_BOOK, OffReason.NO_BOOK)
    case.set_book(100_000.0, 100_001.0)
    case.book["ask_count"] = 0
    assert reasons(case.quote()) == (OffReason.NO_BOOK, OffReason.NO_BOOK)
    case.book["ask_count"] = 10
    assert reasons(case.quote()) == (OffReason.QUOTED, OffReason.QUOTED)


@pytest.mark.parametrize("reason", [OffReason.INSTRUMENT_CHANGED, OffReason.INSTRUMENT_REMOVED])
def test_an_instrument_that_the_venue_changed_or_removed_gives_no_quote(reason: OffReason) -> None:
    case = Case()
    assert reasons(case.quote()) == (OffReason.QUOTED, OffReason.QUOTED)
    case.quoter.switch_instrument_off(reason)
    off = case.quote()
    assert reasons(off) == (reason, reason)
    assert off["is_written"]
    case.quoter.switch_instrument_off(OffReason.QUOTED)
    assert reasons(case.quote()) == (OffReason.QUOTED, OffReason.QUOTED)


def test_a_quiet_market_is_not_a_stale_one() -> None:
    # Given a book that has not changed for an hour
    case = Case()
    case.quote()
    # If the feed shows signs of life, I expect quotes
    assert reasons(case.decide(after_ns=3600 * NS_PER_S)) == (OffReason.QUOTED, OffReason.QUOTED)
    # If it does not, I expect none
    case.alive_time_ns = case.now_ns
    assert reasons(case.decide(after_ns=3 * NS_PER_S)) == (OffReason.BOOK_STALE, OffReason.BOOK_STALE)


def test_a_disconnected_feed_gives_no_quote() -> None:
    case = Case()
    case.is_connected = False
    assert reasons(case.quote()) == (OffReason.BOOK_STALE, OffReason.BOOK_STALE)


def test_an_unknown_position_gives_no_quote() -> None:
    case = Case()
    case.account["is_known"] = 0
    assert reasons(case.quote()) == (OffReason.POSITION_UNKNOWN, OffReason.POSITION_UNKNOWN)


def test_a_pause_and_a_stop_take_both_sides_away() -> None:
    case = Case()
    case.quoter.pause(True)
    assert reasons(case.quote()) == (OffReason.PAUSED, OffReason.PAUSED)
    case.quoter.pause(False)
    assert reasons(case.quote()) == (OffReason.QUOTED, OffReason.QUOTED)
    case.quoter.stop()
    view = case.quote()
    assert reasons(view) == (OffReason.STOPPING, OffReason.STOPPING)
    assert view["is_written"]
    assert view["bids"] == view["asks"] == []


def test_without_prior_nothing_is_quoted_until_sigma_is_measured() -> None:
    case = Case(BARE.with_values({"sigma_prior_usd_per_sqrt_s": None, "sigma_samples_min": 3}))
    seen = []
    for i in range(5):
        case.set_book(100_000.0 + i % 2, 100_001.0 + i % 2)
        seen.append(case.quote(after_ns=250 * NS_PER_MS)["bid_off_reason"])
    assert seen == [OffReason.NOT_WARM] * 3 + [OffReason.QUOTED] * 2


def test_an_order_below_the_smallest_of_the_venue_is_not_quoted() -> None:
    view = quote(BARE, units=Units(1.0, 0.001, 1.0, order_lots_min=20))
    assert reasons(view) == (OffReason.SIZE_MIN, OffReason.SIZE_MIN)


# ---- inventory and risk ----------------------------------------------------------------------------------

TIGHT = BARE.with_values({"position_soft_base": 0.03, "position_hard_base": 0.05})


def test_the_side_that_adds_shrinks_above_the_soft_limit_and_goes_off_at_the_hard_one() -> None:
    below, between, at = quote(TIGHT, 30), quote(TIGHT, 40), quote(TIGHT, 50)
    assert below["bid_lots"][0] == 10
    assert between["bid_lots"][0] == 5
    assert between["clamp_flags"] & ClampFlag.SIZE_TAPERED
    assert reasons(at) == (OffReason.POSITION_LIMIT, OffReason.QUOTED)
    assert at["ask_lots"][0] == 10
    assert reasons(quote(TIGHT, -50)) == (OffReason.QUOTED, OffReason.POSITION_LIMIT)


@pytest.mark.parametrize("position", range(-60, 61, 5))
def test_a_ladder_that_fills_whole_stays_within_the_hard_limit(position: int) -> None:
    view = quote(TIGHT, position)
    assert position + sum(view["bid_lots"]) <= max(50, position)
    assert position - sum(view["ask_lots"]) >= min(-50, position)


def test_a_halt_and_silence_of_risk_take_both_sides_away() -> None:
    case = Case()
    case.limits["state"] = TradingState.HALTED
    assert reasons(case.quote()) == (OffReason.RISK, OffReason.RISK)
    case.limits["state"] = TradingState.ACTIVE
    assert reasons(case.quote()) == (OffReason.QUOTED, OffReason.QUOTED)
    case.limits["written_time_ns"] = case.now_ns - 600 * NS_PER_MS
    case.quoter.take_limits(words(case.limits))
    case.quoter.decide(case.now_ns, case.now_ns)
    assert reasons(case.seen()) == (OffReason.RISK, OffReason.RISK)


def test_limits_that_nobody_has_written_give_no_quote() -> None:
    case = Case()
    case.limits[:] = 0
    assert reasons(case.quote()) == (OffReason.RISK, OffReason.RISK)


@pytest.mark.parametrize(("position", "quoted"), [(25, "ask"), (-25, "bid"), (0, "")])
def test_reducing_quotes_only_what_reduces_and_no_more_than_the_position(position: int, quoted: str) -> None:
    case = Case()
    case.limits["state"] = TradingState.REDUCING
    case.hold(position)
    view = case.quote()
    for side in ("bid", "ask"):
        if side == quoted:
            assert view[f"{side}_lots"] == [10, 10, 5]
        else:
            assert view[f"{side}_off_reason"] == OffReason.RISK
            assert view[f"{side}s"] == []


def test_the_limits_of_risk_cut_sizes() -> None:
    case = Case()
    case.limits["order_lots_max"] = 7
    assert case.quote()["bid_lots"] == [7, 7, 7]
    case.limits["order_notional_max"] = 450.0
    assert case.quote()["bid_lots"] == [4, 4, 4]
    case.limits["position_lots_max"] = 6
    assert case.quote()["bid_lots"] == [4, 2]
    case.limits["order_notional_max"] = 50.0
    assert reasons(case.quote()) == (OffReason.RISK, OffReason.RISK)


def test_gross_notional_cuts_what_adds_but_not_what_reduces() -> None:
    case = Case()
    case.hold(20)
    case.limits["gross_notional_room"] = 500.0
    view = case.quote()
    assert view["bid_lots"] == [5]
    assert view["ask_lots"] == [10, 10, 10]


@pytest.mark.parametrize("name", ["mark_price", "gross_notional_room", "order_notional_max"])
def test_a_limit_that_is_no_number_refuses(name: str) -> None:
    case = Case()
    case.limits[name] = math.nan
    assert reasons(case.quote()) == (OffReason.RISK, OffReason.RISK)


def test_prices_outside_the_collar_are_not_quoted() -> None:
    case = Case()
    case.limits["collar_low"] = 99_995.0
    assert case.quote()["bids"] == [99_998]
    case.limits["collar_high"] = 100_000.0
    assert reasons(case.quote()) == (OffReason.QUOTED, OffReason.RISK)


# ---- rounding and the book -------------------------------------------------------------------------------


def test_a_quote_never_reaches_the_other_side_of_the_book() -> None:
    # Given a short position so large that the model wants to bid through the ask
    case = Case(BARE.with_values({"risk_aversion_per_usd": 10.0, "position_hard_base": 1000.0}))
    case.hold(-5000)
    view = case.quote()
    assert view["reservation_price"] > 100_100.0
    assert view["bids"][0] == 100_000
    assert view["clamp_flags"] & ClampFlag.BID_POST_ONLY
    case.hold(5000)
    view = case.quote()
    assert view["asks"][0] == 100_001
    assert view["clamp_flags"] & ClampFlag.ASK_POST_ONLY


def test_a_side_stays_where_it_is_until_it_would_move_far_enough() -> None:
    # Given a quote, and a requote of three ticks
    case = Case(BARE.with_values({"requote_ticks_min": 3}))
    first = case.quote()
    # If the market drifts a tick at a time, I expect the same quote, and then all of the way at once
    moved = []
    for drift in (1, 2, 3):
        case.set_book(100_000.0 + drift, 100_001.0 + drift)
        moved.append(case.quote(after_ns=NS_PER_MS)["bids"][0] - first["bids"][0])
    assert moved == [0, 0, 3]
    # If the book comes too near, I expect no holding
    case = Case(BARE.with_values({"requote_ticks_min": 1000}))
    first = case.quote()
    case.set_book(first["bids"][0] - 20.0, first["bids"][0] - 10.0)
    assert case.quote(after_ns=NS_PER_MS)["bids"][0] < first["bids"][0] - 10


def test_a_spread_of_nothing_still_keeps_bid_below_ask() -> None:
    case = Case(BARE.with_values({"half_spread_max_usd": 1e-9}))
    case.set_book(99_990.0, 100_010.0)
    view = case.quote()
    assert view["bids"][0] < view["asks"][0]


def test_ticks_that_are_no_whole_numbers_round_by_side() -> None:
    units = Units(tick_size=0.05, lot_size=0.001)
    case = Case(BARE.with_values({"half_spread_min_usd": 0.3, "half_spread_max_usd": 0.3}), units)
    case.set_book(100.0, 100.2)
    case.limits["mark_price"] = 100.0
    view = case.quote()
    assert view["bids"][0] == round(99.8 / 0.05)
    assert view["asks"][0] == round(100.4 / 0.05)


def test_the_fee_floor_covers_maker_fee_and_half_the_margin() -> None:
    fees = {"fee_floor": True, "fee_maker_bps": 1.0, "fee_margin_bps": 2.0}
    view = quote(BARE.with_values(fees))
    assert view["half_spread"] == pytest.approx(100_000.5 * 2e-4)
    assert view["clamp_flags"] & ClampFlag.FEE_FLOOR
    rebate = quote(BARE.with_values({"fee_floor": True, "fee_maker_bps": -1.0}))
    assert not rebate["clamp_flags"] & ClampFlag.FEE_FLOOR


def test_bounds_of_the_half_spread_and_of_sigma_are_flagged() -> None:
    assert quote(BARE.with_values({"half_spread_min_usd": 9.0}))["clamp_flags"] & ClampFlag.HALF_SPREAD_MIN
    assert quote(BARE.with_values({"half_spread_max_usd": 1.0}))["clamp_flags"] & ClampFlag.HALF_SPREAD_MAX
    assert quote(BARE.with_values({"sigma_min_usd_per_sqrt_s": 9.0}))["clamp_flags"] & ClampFlag.SIGMA_MIN
    assert quote(BARE.with_values({"sigma_max_usd_per_sqrt_s": 1.0}))["clamp_flags"] & ClampFlag.SIGMA_MAX


def test_the_defaults_are_small() -> None:
    config = QuotingConfig()
    assert config.position_hard_base * 100_000 <= 5000
    assert quote(config)["bids"][0] <= 100_000 - 10
