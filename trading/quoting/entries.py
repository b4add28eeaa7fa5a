"""What Python calls: each entry takes a whole QUOTER record in an array of one, so that a call is cheap.

They call the strategy's functions, and decide whether there is a wish to write. For a user's strategy this module is
written anew with another import in the place of the standard one (trading/quoting/user/code.py).
"""

from __future__ import annotations

from domain.jit import Array, Record, kernel, kernel_with_arrays
from trading.quoting.estimators import forget_times
from trading.quoting.hashing import hash_words
from trading.quoting.models.selection import solve_if_moved
from trading.quoting.records import KEPT_FIRST_WORD, KEPT_WORDS
from trading.quoting.standard import on_book, on_candle, on_fill, on_trade, quote
from trading.quoting.touch import remember_ladder


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
def take_book(quoter: Array) -> None:
    """`on_book` for the book now in the QUOTER record, array of shape (1,)."""
    q = quoter[0]
    candles = q["signals"]["candles"]
    on_book(q)
    if q["signals"]["candles"] != candles:
        on_candle(q)


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
