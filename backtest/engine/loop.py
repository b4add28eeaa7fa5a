"""The event loop: exchange and our side on one clock, rows, requests and answers in the order of their times.

At equal times: rows before requests at the exchange, the exchange before us, rows before answers before decisions on
our side. No event heap: up to the next request, answer, decision or sample neither side can touch the other, so the
rows up to there are played at a stretch, first the exchange's, then ours.

The strategy is called from this module alone. For one of the user's own it is written anew, with another import in the
place of the standard one (backtest/engine/code.py).
"""

from __future__ import annotations

from backtest.data.events import FINAL, KIND_MASK, LEVEL, TRADE
from backtest.engine.account import is_margin_used_up, reckon_funding
from backtest.engine.desk import REQUESTS_MAX, bring, is_brought, note_answer
from backtest.engine.feed import fill_book, is_usable, take_sample
from backtest.engine.market import play_market
from backtest.engine.records import NEVER, ORDERS_MAX, PLACE_MASK, Reason
from backtest.engine.requests import liquidate, serve
from backtest.engine.weave import BIDS, CHANGES, TOUCH, is_cut
from domain.codes import OrderEventKind
from domain.jit import Array, Record, inlined_kernel, kernel
from domain.order import TradingState
from trading.quoting.models.selection import solve_if_moved
from trading.quoting.standard import on_book, on_candle, on_fill, on_trade, quote

ANSWERS_OF_A_ROW_MAX = 2 * ORDERS_MAX + 8
_FILLED = int(OrderEventKind.FILLED)
_LIQUIDATION = int(Reason.LIQUIDATION)
_HALTED = int(TradingState.HALTED)


@kernel
def play(
    run: Record, venue: Record, orders: Array, their_levels: Record, their_rows: Array, our_levels: Array,
    our_rows: Array, requests: Array, answers: Array, desk: Record, q: Record,
    limits_ints: Array, limits_floats: Array, trade: Record, samples: Array,
) -> bool:  # fmt: skip
    """Play on until the rows of a side, the answers or the samples need another block; return whether all is over."""
    answers_max = answers.shape[0] - ANSWERS_OF_A_ROW_MAX
    while venue["answers"] < answers_max and run["samples"] < samples.shape[0]:
        request_ns = NEVER
        if run["first_request"] < run["requests"]:
            request_ns = requests[run["first_request"] & (REQUESTS_MAX - 1)]["arrival_time_ns"]
        answer_ns = answers[run["heard"]]["local_time_ns"] if run["heard"] < venue["answers"] else NEVER
        row_ns = NEVER
        if run["step_ns"] == 0 or run["next_sample_ns"] == NEVER:
            if not is_cut(our_rows, run["next_local"]):
                row_ns = our_rows[run["next_local"]]["time_ns"]
            elif run["is_last_local"] == 0:
                return False  # its next row may ask for a decision before anything else
        end_ns = min(run["until_ns"], run["end_ns"])
        ours_ns = min(row_ns, answer_ns, run["next_step_ns"])
        until_ns = min(request_ns, ours_ns, run["next_sample_ns"], end_ns)

        told = venue["answers"]
        run["next_exchange"] = play_market(
            venue, orders, their_levels, their_rows, run["next_exchange"], until_ns, answers
        )
        if venue["answers"] != told:
            continue  # one of them may reach us before that
        if run["is_last_exchange"] == 0 and is_cut(their_rows, run["next_exchange"]):
            return False
        if run["next_sample_ns"] <= until_ns:
            reckon_funding(venue, run["next_sample_ns"])
            if is_margin_used_up(venue) and venue["is_liquidated"] == 0:
                liquidate(venue, orders, their_levels, run["next_sample_ns"], answers)
            take_sample(run, venue, q["explanation"], samples)
            continue
        if request_ns <= until_ns:
            request = requests[run["first_request"] & (REQUESTS_MAX - 1)]
            serve(venue, orders, their_levels, request, answers)
            run["first_request"] += 1
            continue

        decision_ns = NEVER
        if _play_feed(run, q, our_levels, our_rows, until_ns, trade):
            if run["step_ns"] > 0:
                continue
            decision_ns = run["data_time_ns"]
        elif run["is_last_local"] == 0 and is_cut(our_rows, run["next_local"]):
            return False
        elif answer_ns <= until_ns:
            hear(run, desk, q, limits_ints, limits_floats, answers, venue["answers"], requests)
        elif run["next_step_ns"] <= until_ns:
            decision_ns = run["next_step_ns"]
            run["next_step_ns"] += run["step_ns"]
        elif until_ns == end_ns:
            return True
        if decision_ns != NEVER:
            decide(run, desk, q, limits_ints, limits_floats, our_levels, decision_ns, requests)
    return False


@inlined_kernel
def _play_feed(run: Record, q: Record, levels: Array, rows: Array, until_ns: int, trade: Record) -> bool:
    """Take our rows up to and with `until_ns`; stops behind a whole message that asks for a decision.

    Returns whether it did. Messages ask where no clock says when to decide; the first one starts the clock.
    """
    i = run["next_local"]
    seen_ns = run["data_time_ns"]
    is_asking_each = run["step_ns"] == 0 or run["next_sample_ns"] == NEVER
    whole = -1  # head that left the book whole last
    last = -1
    is_asking = False
    while not (is_asking or is_cut(rows, i)):
        head = rows[i]
        if head["time_ns"] > until_ns:
            break
        flags = head["flags"]
        kind = flags & KIND_MASK
        end = i + CHANGES + head["count"]
        if kind == LEVEL:
            for k in range(i + CHANGES, end):
                change = rows[k]
                levels[change["side"], change["ticks"] & PLACE_MASK] = change["lots"]
        elif kind == TRADE:
            seen_ns = head["time_ns"]
            _take_trade(run, q, seen_ns, rows[i + CHANGES], trade)
        if flags & FINAL != 0 and kind != TRADE:
            is_asking = is_asking_each
            seen_ns = head["time_ns"]
            whole = i
        last = i
        i = end
    run["next_local"] = i
    if last >= 0:
        run["bid_levels"] = rows[last + TOUCH]["bid_levels"]
        run["ask_levels"] = rows[last + TOUCH]["ask_levels"]
    _note_whole(run, rows, whole, seen_ns)
    return is_asking


@kernel
def _note_whole(run: Record, rows: Array, whole: int, seen_ns: int) -> None:
    """Note what the rows of a stretch left: when we saw the last, and the best prices of the last whole message."""
    run["data_time_ns"] = seen_ns
    if whole >= 0:
        run["market_bid_ticks"] = rows[whole + TOUCH]["best_bid"]
        run["market_ask_ticks"] = rows[whole + TOUCH]["best_ask"]
        run["is_book_new"] = 1
        if run["next_sample_ns"] == NEVER:
            _start_clocks(run)


@kernel
def _start_clocks(run: Record) -> None:
    now_ns = run["data_time_ns"]
    run["next_sample_ns"] = now_ns
    if run["step_ns"] > 0:
        run["next_step_ns"] = now_ns - now_ns % run["step_ns"] + run["step_ns"]


@kernel
def _take_trade(run: Record, q: Record, time_ns: int, change: Record, trade: Record) -> None:
    trade["exchange_time_ns"] = time_ns
    trade["receive_time_ns"] = time_ns
    trade["receive_realtime_ns"] = time_ns
    trade["price"] = change["ticks"] * run["tick_size"]
    trade["size"] = change["lots"] * run["lot_size"]
    trade["aggressor_side"] = 1 if change["side"] == BIDS else -1
    candles = q["signals"]["candles"]
    on_trade(q, trade)
    if q["signals"]["candles"] != candles:
        on_candle(q)


@inlined_kernel
def decide(
    run: Record, desk: Record, q: Record, limits_ints: Array, limits_floats: Array, levels: Array, now_ns: int,
    requests: Array,
) -> None:  # fmt: skip
    """Show the strategy a book that is new, quote, and send what brings our orders to it."""
    run["decisions"] += 1
    if run["is_book_new"] == 1:
        run["is_book_new"] = 0
        run["books"] += 1
        fill_book(run, levels, q["book"])
        if is_usable(run):
            q["limits"]["mark_price"] = 0.5 * (run["market_bid_ticks"] + run["market_ask_ticks"]) * run["tick_size"]
        candles = q["signals"]["candles"]
        on_book(q)
        # Nothing in the recorded book is ours: seen once, its touch stays as it is until the next book.
        q["moment"]["is_touch_known"] = 1 if q["state"]["book_time_ns"] == q["book"]["receive_time_ns"] else 0
        if q["signals"]["candles"] != candles:
            on_candle(q)
    requote(run, desk, q, limits_ints, limits_floats, now_ns, requests)


@kernel
def requote(
    run: Record, desk: Record, q: Record, limits_ints: Array, limits_floats: Array, now_ns: int, requests: Array
) -> None:
    """Quote on what is known now, and send what brings our orders to it."""
    q["account"]["position_lots"] = run["position_lots"]
    q["limits"]["written_time_ns"] = now_ns
    if run["is_watched"] == 0:
        q["limits"]["position_lots"] = run["position_lots"]
    moment = q["moment"]
    moment["now_ns"] = now_ns
    moment["realtime_ns"] = now_ns
    moment["alive_time_ns"] = run["data_time_ns"]
    quote(q)
    run["is_ladder_old"] = 0
    if not is_brought(desk, q["ladder"]):
        bring(run, desk, q, limits_ints, limits_floats, now_ns, requests)
    if q["table"]["is_wanted"] == 1:
        solve_if_moved(q["params"], q["table"])


@kernel
def hear(
    run: Record, desk: Record, q: Record, limits_ints: Array, limits_floats: Array, answers: Array, told: int,
    requests: Array,
) -> None:  # fmt: skip
    """Take all answers of one moment in. After a fill the ladder wanted is no longer for the position we have."""
    now_ns = answers[run["heard"]]["local_time_ns"]
    while run["heard"] < told and answers[run["heard"]]["local_time_ns"] == now_ns:
        answer = answers[run["heard"]]
        run["heard"] += 1
        note_answer(desk, answer)
        if answer["reason"] == _LIQUIDATION:
            q["limits"]["state"] = _HALTED
        if answer["kind"] == _FILLED:
            run["position_lots"] += answer["side"] * answer["size_lots"]
            run["fills_heard"] += 1
            run["is_ladder_old"] = 1
            on_fill(q, answer["side"], answer["size_lots"], now_ns)
    if run["is_ladder_old"] == 1:
        requote(run, desk, q, limits_ints, limits_floats, now_ns, requests)
    elif not is_brought(desk, q["ladder"]):
        bring(run, desk, q, limits_ints, limits_floats, now_ns, requests)
