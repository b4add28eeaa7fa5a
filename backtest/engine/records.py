"""The engine's records: orders at the exchange, requests on the way to it, what it answers, its own state.

All words are int64 but for the two queue numbers of an order. Prices in ticks, sizes in lots, times in ns on the
recording's clocks: `exchange_*` the venue's, `local_*` ours.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from backtest.book import WINDOW

NEVER = 2**62
ORDERS_MAX = 256  # open at one time
NO_ORDER = -1

# Price levels at the exchange, by side (BIDS, ASKS of weave.py) and place: what the recording shows there, and 1 + the
# slot of the first of our orders at this place; 0 = none, so that a market which is all zeros is empty and costs no
# memory where nothing trades. Apart, so that sizes are set without a look at anything else.
LEVELS = np.dtype([("lots", "<i8", (2, WINDOW)), ("first", "<i2", (2, WINDOW))])
PLACE_MASK = WINDOW - 1

# -- requests
INSERT, AMEND, CANCEL, CANCEL_ALL = 1, 2, 3, 4
REQUEST_KINDS = 5

# -- flags of a request
POST_ONLY = 1  # a price that crosses is moved to one tick before the other side
REJECT_POST_ONLY = 2  # with POST_ONLY: cancelled instead
IMMEDIATE_OR_CANCEL = 4

LATENCY_STEPS = 256  # quantiles of a latency that was measured
MICRO = 10**6
BUCKETS = 2  # of messages: inserts and amends; cancels

REQUEST = np.dtype(
    [
        (name, "<i8")
        for name in (
            "local_time_ns", "arrival_time_ns", "kind", "order_id", "side", "price_ticks", "size_lots", "flags",
        )
    ]
)  # fmt: skip

# What the exchange tells. `kind` is an OrderEventKind (accepted, amended, cancelled, filled, rejected); of a fill
# price and size are its own, else the order's; `fee` in ticks · lots · 1e-8 (paid, rebates negative).
ANSWER = np.dtype(
    [
        (name, "<i8")
        for name in (
            "exchange_time_ns", "local_time_ns", "kind", "order_id", "side", "price_ticks", "size_lots",
            "remaining_lots", "position_lots", "liquidity_side", "reason", "fee", "market_bid_ticks",
            "market_ask_ticks",
        )
    ]
)  # fmt: skip


class Reason(IntEnum):
    """Why an order was rejected or ended."""

    NONE = 0
    UNKNOWN_ORDER = 1
    DUPLICATE_ID = 2
    BAD_SIZE = 3
    TOO_MANY_ORDERS = 4
    WOULD_TAKE = 5  # post-only with REJECT_POST_ONLY
    IMMEDIATE_OR_CANCEL = 6
    SELF_TRADE = 7
    CLIENT = 8  # cancelled, or amended to no more than was filled
    RATE_LIMIT = 9  # more messages than the venue takes
    LIQUIDATION = 10  # the account's margin is used up: the venue cancels, and closes the position


class FillRule(IntEnum):
    """What filled an order: kept in `reason` of a fill."""

    QUEUE = 101  # trades at its price came through the queue ahead
    TRADE_THROUGH = 102  # the market traded beyond its price
    IMPROVED = 103  # it stood alone before the market: the trade met it first
    CROSSED = 104  # the other side of the book came to its price
    TAKEN = 105  # it took


ORDER = np.dtype(
    [
        *((name, "<i8") for name in (
            "is_open", "order_id", "side", "price_ticks", "size_lots", "filled_lots", "flags", "rank", "seen_lots",
            "next",  # slot of the order behind it at its place, NO_ORDER = none
            "arrivals",  # orders of the recording that had joined any queue before it: the numbers up to here
        )),
        ("ahead", "<f8"),  # lots before it in the queue
        ("traded", "<f8"),  # lots traded at its price since the level was last recorded
    ]
)  # fmt: skip

VENUE = np.dtype(
    [
        *((name, "<i8") for name in (
            "slots",  # order slots used so far: free ones below are used again
            "open_orders",
            "best_bid_ticks",  # of our own open orders; EMPTY_BID and EMPTY_ASK = none
            "best_ask_ticks",
            "ranks",
            "arrivals",  # the last number of an order that joined a queue, where the recording tells them
            "position_lots",
            "cash",  # −Σ side · ticks · lots of all fills
            "fees",  # ticks · lots · 1e-8
            "volume_lots",
            "fills",
            "answers",  # written into the present block
            "answer_local_ns",  # when the last answer reaches us: answers keep their order
            "maker_fee",  # rate · 1e8
            "taker_fee",
            "queue_model",
            "taken_lots",
            "moved_orders",  # post-only prices moved back
            "market_bid_ticks",  # of the recorded book; EMPTY_BID and EMPTY_ASK = none
            "market_ask_ticks",
            "whole_bid_ticks",  # as the last whole message left them
            "whole_ask_ticks",
            "is_used_up",  # we have taken a whole level: the recorded best prices may be gone
            "funding",  # ticks · lots · 1e-8, paid
            "bid_since_ns",  # since when a bid of ours is open; 0 = none is
            "ask_since_ns",
            "bid_quoted_ns",  # time in which one was, up to then
            "ask_quoted_ns",
            "funding_time_ns",  # up to which funding is reckoned; 0 = not begun
            "funding_interval_ns",  # paid at its multiples; 0 = second by second
            "is_liquidated",  # margin was used up: nothing is accepted any more
            "bucket_time_ns",  # up to which the buckets are filled
            "is_latency_sampled",
            "seed",  # of the latencies drawn
        )),
        ("queue_power", "<f8"),
        ("funding_rate", "<f8"),  # per ns: part of the notional that longs pay
        ("balance", "<f8"),  # ticks · lots with which the account began
        ("maintenance", "<f8"),  # margin that a position needs, part of its notional; 0 = no margin is kept
        ("rate_per_s", "<i8", (BUCKETS,)),  # messages; 0 = as many as you like
        ("burst", "<i8", (BUCKETS,)),
        ("bucket", "<i8", (BUCKETS,)),  # messages that may come now, · 1e9
        ("answer_steps", "<i8", (LATENCY_STEPS,)),
        ("answer_ns", "<i8", (REQUEST_KINDS,)),  # latency back to us by kind of request; 0 = of a fill
    ]
)  # fmt: skip

# Our side's state.
RUN = np.dtype(
    [
        *((name, "<i8") for name in (
            "next_exchange", "next_local",  # rows of the blocks
            "is_last_exchange", "is_last_local",  # no block comes after this one
            "heard",  # answers of the block
            "first_request", "requests",  # ring: oldest on the way, all sent so far
            "last_arrival_ns",
            "until_ns",  # play no further than this
            "end_ns",  # the recording's
            "step_ns",  # between two decisions; 0 = at every message
            "next_step_ns",
            "data_time_ns",  # last row that we have seen
            "market_bid_ticks", "market_ask_ticks",  # as we see them; EMPTY_BID and EMPTY_ASK = none
            "bid_levels", "ask_levels",  # in our book
            "is_book_new",  # it has changed since the strategy last looked
            "books",
            "position_lots",  # as we know it
            "reach_lots",  # no order may lead to a larger |position|
            "order_ids",
            "flags",  # of every insert
            "second_ns", "sent_this_second",
            "decisions", "inserts", "amends", "cancels", "denied", "unsent",
            "fills_heard",
            "is_watched",  # risk looks at all instruments: it writes the position that the limits are for
            "is_ladder_old",  # it was made before the last fill that we heard of
            "sample_ns", "next_sample_ns", "samples",
        )),
        ("tick_size", "<f8"), ("lot_size", "<f8"), ("lot_base", "<f8"),
        ("other_gross", "<f8"),  # $ that the orders of other instruments may add, as risk last saw them
        ("other_long", "<f8"),
        ("other_short", "<f8"),
        ("entry_ns", "<i8", (REQUEST_KINDS,)),
        ("is_latency_sampled", "<i8"),
        ("seed", "<i8"),
        ("entry_steps", "<i8", (LATENCY_STEPS,)),
    ]
)  # fmt: skip
