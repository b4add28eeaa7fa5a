"""What Python calls: each entry takes a whole QUOTER record in an array of one, so that a call is cheap.

They call the strategy's functions, and decide whether there is a wish to write. For a user's strategy this module is
written anew with another import in the place of the standard one (trading/quoting/user/code.py).
"""

from __future__ import annotations

from domain.codes import OffReason
from domain.jit import Array, Record, kernel, kernel_with_arrays
from domain.records import ORDER_EVENT
from trading.quoting.estimators import forget_times
from trading.quoting.hashing import hash_words
from trading.quoting.models.selection import solve_if_moved
from trading.quoting.news import News
from trading.quoting.records import KEPT_FIRST_WORD, KEPT_WORDS
from trading.quoting.sight import books_end, next_book, next_fill, skip_rings, take_rows
from trading.quoting.standard import on_book, on_candle, on_fill, on_trade, quote
from trading.quoting.touch import remember_ladder

_BOOK, _CANDLE, _FILL, _LOST = int(News.BOOK), int(News.CANDLE), int(News.FILL), int(News.LOST)
_NO_BOOK, _BOOK_STALE = int(OffReason.NO_BOOK), int(OffReason.BOOK_STALE)
_SIDE, _SIZE, _TIME = ORDER_EVENT.word("side"), ORDER_EVENT.word("size_lots"), ORDER_EVENT.word("local_time_ns")


@kernel
def _is_changed(ladder: Record, wish: Record, position_lots: int) -> bool:
    """Return whether levels, off reasons or the position differ from the wish written last."""
    if (
        position_lots != wish["position_lots"]
        or ladder["bid_count"] != wish["bid_count"]
        or ladder["ask_count"] != wish["ask_count"]
        or ladder["bid_off_reason"] != wish["bid_off_reason"]
        or ladder["ask_off_reason"] != wish["ask_off_reason"]
    ):
        return True
    for i in range(ladder["bid_count"]):
        if ladder["bid_price_ticks"][i] != wish["bid_price_ticks"][i]:
            return True
        if ladder["bid_size_lots"][i] != wish["bid_size_lots"][i]:
            return True
    for i in range(ladder["ask_count"]):
        if ladder["ask_price_ticks"][i] != wish["ask_price_ticks"][i]:
            return True
        if ladder["ask_size_lots"][i] != wish["ask_size_lots"][i]:
            return True
    return False


@kernel_with_arrays
def _write_wish(
    moment: Record, book: Record, ladder: Record, wish: Record, explanation: Record, position_lots: int
) -> None:
    wish["instrument"] = moment["instrument"]
    wish["wish_id"] += 1
    wish["strategy_epoch"] = moment["strategy_epoch"]
    wish["book_position"] = moment["book_position"]
    wish["source_time_ns"] = book["receive_time_ns"]
    wish["computed_time_ns"] = moment["now_ns"]
    wish["position_lots"] = position_lots
    wish["bid_off_reason"] = ladder["bid_off_reason"]
    wish["ask_off_reason"] = ladder["ask_off_reason"]
    wish["bid_count"] = ladder["bid_count"]
    wish["ask_count"] = ladder["ask_count"]
    wish["bid_price_ticks"][:] = ladder["bid_price_ticks"]
    wish["bid_size_lots"][:] = ladder["bid_size_lots"]
    wish["ask_price_ticks"][:] = ladder["ask_price_ticks"]
    wish["ask_size_lots"][:] = ladder["ask_size_lots"]
    explanation["instrument"] = moment["instrument"]
    explanation["wish_id"] = wish["wish_id"]
    explanation["computed_time_ns"] = moment["now_ns"]
    explanation["computed_realtime_ns"] = moment["realtime_ns"]
    explanation["book_position"] = moment["book_position"]
    explanation["trade_position"] = moment["trade_position"]
    explanation["params_hash"] = moment["params_hash"]


@kernel
def _write_market(q: Record) -> None:
    """Write what the newest book shows without us for simple readers, and whether it is live."""
    params, state, ladder, row = q["params"], q["state"], q["ladder"], q["market"]
    is_seen = ladder["bid_off_reason"] != _NO_BOOK and ladder["bid_off_reason"] != _BOOK_STALE
    row["timestamp_ns"] = q["book"]["receive_realtime_ns"]
    row["status"] = 1 if is_seen and state["is_book_usable"] == 1 else 0
    row["mid"] = state["mid"]
    row["bid"] = state["best_bid_ticks"] * params["tick_size"]
    row["ask"] = state["best_ask_ticks"] * params["tick_size"]
    row["bid_size"] = state["best_bid_size"]
    row["ask_size"] = state["best_ask_size"]
    row["volatility"] = q["explanation"]["sigma"]


@kernel
def take_book(quoter: Array) -> None:
    """`on_book` for the book now in the QUOTER record, array of shape (1,)."""
    q = quoter[0]
    candles = q["signals"]["candles"]
    on_book(q)
    if q["signals"]["candles"] != candles:
        on_candle(q)


@kernel
def take_news(quoter: Array, words: Array, sight: Array) -> int:
    """Take what has come for the instrument since the last look: rows, fills, books; return the News of it.

    `words` are those of the QUOTER record, `sight` is a SIGHT record, both in arrays of shape (1,). It stops after a
    book that closes a candle, so that the caller can look at the candle before the next one, and at the last book that
    was there when it began: however slow `on_book` is, a burst does not keep it for ever.
    """
    q = quoter[0]
    s = sight[0]
    end = books_end(s)
    signals = q["signals"]
    lost = s["books_lost"] + s["events_lost"]
    news = take_rows(q["moment"], words, s)
    while next_fill(s):
        news |= _FILL
        fill = s["copied"]
        on_fill(q, fill[_SIDE], fill[_SIZE], fill[_TIME])
    candles = signals["candles"]
    while signals["candles"] == candles and next_book(q["moment"], words, s, end):
        news |= _BOOK
        on_book(q)
    if signals["candles"] != candles:
        news |= _CANDLE
        on_candle(q)
    if s["books_lost"] + s["events_lost"] != lost:
        news |= _LOST
    return news


@kernel
def skip_news(quoter: Array, words: Array, sight: Array) -> int:
    """Take the rows, and pass over fills and books: for user's code that has failed; return the News of the rows."""
    s = sight[0]
    news = take_rows(quoter[0]["moment"], words, s)
    skip_rings(s)
    return news


@kernel
def take_trades(quoter: Array, trades: Array, first: int) -> int:
    """`on_trade` for those of `trades[first:]` (TRADE records, oldest first) that are of the quoter's instrument.

    Returns the index of the first one not taken yet: it stops after a trade that closes a candle, so that the caller
    can look at the candle before the next one.
    """
    q = quoter[0]
    candles = q["signals"]["candles"]
    for i in range(first, len(trades)):
        if trades[i]["instrument"] == q["moment"]["instrument"]:
            on_trade(q, trades[i])
            if q["signals"]["candles"] != candles:
                on_candle(q)
                return i + 1
    return len(trades)


@kernel
def take_fill(quoter: Array, side: int, size_lots: int, time_ns: int) -> None:
    """`on_fill` for one fill of the quoter's instrument; `side` +1 buy, -1 sell."""
    q = quoter[0]
    on_fill(q, side, size_lots, time_ns)


@kernel
def take_outage(quoter: Array) -> None:
    """Tell the estimators that time passed unseen, as after a restart."""
    forget_times(quoter[0]["state"])


@kernel
def solve(quoter: Array) -> bool:
    """Solve the grid of the model in use, if it has one and its inputs moved; return whether there is a new one."""
    q = quoter[0]
    return bool(solve_if_moved(q["params"], q["table"]))


@kernel
def hash_state(words: Array) -> int:
    """Return the hash of all that a restart keeps, in the words of a QUOTER record."""
    return hash_words(words, KEPT_FIRST_WORD, KEPT_WORDS)


@kernel
def decide(quoter: Array, words: Array) -> bool:
    """Quote; return whether there is a wish to write: it changed, is due again, or `write_now` is set.

    Then `wish` (all but its explanation's position) and `explanation` of the QUOTER record are complete.
    """
    q = quoter[0]
    moment = q["moment"]
    wish = q["wish"]
    ladder = q["ladder"]
    explanation = q["explanation"]
    quote(q)
    _write_market(q)
    is_due = moment["now_ns"] - wish["computed_time_ns"] >= q["params"]["wish_refresh_ns"]
    position_lots = q["account"]["position_lots"]
    if _is_changed(ladder, wish, position_lots):
        remember_ladder(q["params"], q["state"], ladder, moment["now_ns"])
    elif not (is_due or moment["write_now"] == 1):
        return False
    _write_wish(moment, q["book"], ladder, wish, explanation, position_lots)
    explanation["state_hash"] = hash_words(words, KEPT_FIRST_WORD, KEPT_WORDS)
    moment["write_now"] = 0
    return True
