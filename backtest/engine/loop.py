"""The event loop: exchange and our side on one clock, rows, requests and answers in the order of their times.

At equal times: rows before requests at the exchange, rows before answers before decisions on our side, the exchange
before us. No event heap: five next times are compared.
"""

from __future__ import annotations

from backtest.book import apply_row, fill_trade, is_usable, recentre
from backtest.data.events import AT_EXCHANGE, AT_LOCAL, FINAL, KIND_MASK, TRADE
from backtest.engine.fills import note_market, note_row
from backtest.engine.our_side import REQUESTS_MAX, bring, decide, hear, requote
from backtest.engine.records import ORDERS_MAX
from backtest.engine.requests import serve
from domain.jit import Array, Record, kernel
from trading.quoting.standard import on_trade

ANSWERS_OF_A_ROW_MAX = 2 * ORDERS_MAX + 8
NEVER = 2**62


@kernel
def play(
    run: Record, venue: Record, orders: Array, their_book: Record, their_bids: Array, their_asks: Array,
    our_book: Record, our_bids: Array, our_asks: Array, rows: Array, requests: Array, answers: Array, desk: Record,
    q: Record, limits_ints: Array, limits_floats: Array, trade: Record, samples: Array,
) -> None:  # fmt: skip
    """Play on until the exchange's rows of this block end, or the answers or samples fill up.

    Of the last block our rows are played to their end too.
    """
    count = rows.shape[0]
    i = run["next_exchange"]
    k = run["next_local"]
    answers_max = answers.shape[0] - ANSWERS_OF_A_ROW_MAX
    while venue["answers"] < answers_max and run["samples"] < samples.shape[0]:
        while i < count and rows[i]["flags"] & AT_EXCHANGE == 0:
            i += 1
        if i == count and run["is_last_block"] == 0:
            break
        while k < count and rows[k]["flags"] & AT_LOCAL == 0:
            k += 1
        row_ns = rows[i]["exchange_time_ns"] if i < count else NEVER
        request_ns = NEVER
        if run["first_request"] < run["requests"]:
            request_ns = requests[run["first_request"] & (REQUESTS_MAX - 1)]["arrival_time_ns"]
        our_row_ns = rows[k]["local_time_ns"] if k < count else NEVER
        if our_row_ns == NEVER and row_ns == NEVER:
            break
        answer_ns = answers[run["heard"]]["local_time_ns"] if run["heard"] < venue["answers"] else NEVER
        ours_ns = min(our_row_ns, answer_ns, run["next_step_ns"])
        if row_ns <= request_ns and row_ns <= ours_ns:
            row = rows[i]
            apply_row(their_book, their_bids, their_asks, row, True)
            if venue["open_orders"] > 0:
                note_row(venue, orders, their_book, their_bids, their_asks, row, answers)
            if row["flags"] & FINAL != 0:
                recentre(their_book, their_bids, their_asks)
                note_market(venue, their_book)
            i += 1
        elif request_ns <= ours_ns:
            request = requests[run["first_request"] & (REQUESTS_MAX - 1)]
            serve(venue, orders, their_book, their_bids, their_asks, request, answers)
            run["first_request"] += 1
        elif our_row_ns <= ours_ns:
            row = rows[k]
            k += 1
            _take_row(run, desk, q, limits_ints, limits_floats, our_book, our_bids, our_asks, row, requests, trade)
        elif answer_ns <= ours_ns:
            hear(run, desk, q, answers[run["heard"]])
            run["heard"] += 1
            if run["heard"] == venue["answers"] or answers[run["heard"]]["local_time_ns"] > answer_ns:
                if run["is_ladder_old"] == 1:
                    requote(run, desk, q, limits_ints, limits_floats, answer_ns, requests)
                else:
                    bring(run, desk, q, limits_ints, limits_floats, answer_ns, requests)
        else:
            now_ns = run["next_step_ns"]
            run["next_step_ns"] += run["step_ns"]
            decide(
                run, desk, q, limits_ints, limits_floats, our_book, our_bids, our_asks, rows[max(k - 1, 0)], now_ns,
                requests,
            )  # fmt: skip
        if run["data_time_ns"] >= run["next_sample_ns"]:
            _sample(run, venue, their_book, q["explanation"], samples)
    run["next_exchange"] = i
    run["next_local"] = k


@kernel
def _take_row(
    run: Record, desk: Record, q: Record, limits_ints: Array, limits_floats: Array, book: Record, bids: Array,
    asks: Array, row: Record, requests: Array, trade: Record,
) -> None:  # fmt: skip
    """Take a row that reaches us: a trade into the strategy, a level into our book, a whole message to a decision."""
    now_ns = row["local_time_ns"]
    if run["data_time_ns"] == 0:
        run["next_sample_ns"] = now_ns
        if run["step_ns"] > 0:
            run["next_step_ns"] = now_ns - now_ns % run["step_ns"] + run["step_ns"]
    run["data_time_ns"] = now_ns
    flags = row["flags"]
    if flags & KIND_MASK == TRADE:
        fill_trade(row, run["tick_size"], run["lot_size"], trade)
        on_trade(q, trade)
        return
    apply_row(book, bids, asks, row, True)
    if flags & FINAL == 0:
        return
    recentre(book, bids, asks)
    if run["step_ns"] == 0:
        decide(run, desk, q, limits_ints, limits_floats, book, bids, asks, row, now_ns, requests)


@kernel
def _sample(run: Record, venue: Record, book: Record, explanation: Record, samples: Array) -> None:
    if is_usable(book):
        row = samples[run["samples"]]
        run["samples"] += 1
        now_ns = run["data_time_ns"]
        row["time_ns"] = now_ns
        row["market_bid_ticks"] = book["best_bid_ticks"]
        row["market_ask_ticks"] = book["best_ask_ticks"]
        row["mid"] = 0.5 * (book["best_bid_ticks"] + book["best_ask_ticks"]) * run["tick_size"]
        row["mark"] = row["mid"]
        row["own_bid_ticks"] = venue["best_bid_ticks"] if venue["bid_since_ns"] != 0 else 0
        row["own_ask_ticks"] = venue["best_ask_ticks"] if venue["ask_since_ns"] != 0 else 0
        row["position_lots"] = venue["position_lots"]
        row["cash"] = venue["cash"]
        row["fees"] = venue["fees"]
        row["funding"] = venue["funding"]
        row["fills"] = venue["fills"]
        row["volume_lots"] = venue["volume_lots"]
        row["bid_quoted_ns"] = quoted_ns(venue["bid_quoted_ns"], venue["bid_since_ns"], now_ns)
        row["ask_quoted_ns"] = quoted_ns(venue["ask_quoted_ns"], venue["ask_since_ns"], now_ns)
        row["fair_price"] = explanation["fair_price"]
        row["reservation_price"] = explanation["reservation_price"]
        row["half_spread"] = explanation["half_spread"]
        row["sigma"] = explanation["sigma"]
    behind = run["data_time_ns"] - run["next_sample_ns"]
    run["next_sample_ns"] += (behind // run["sample_ns"] + 1) * run["sample_ns"]


@kernel
def quoted_ns(before_ns: int, since_ns: int, now_ns: int) -> int:
    """Return the time in which a side was quoted: what is past, and what goes on."""
    return int(before_ns + max(0, now_ns - since_ns)) if since_ns != 0 else int(before_ns)
