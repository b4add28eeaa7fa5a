"""A strategy of one's own: the standard one, leaning with the book and resting for a moment after a fill.

    [strategy]
    file = "docs/my_strategy.py"
    user = { lean_half_spreads = 0.3 }

`q` holds everything there is (docs/extending.md). These functions are compiled: numbers and records, no objects.
"""

from trading.quoting import standard

# Name: default, or (default, least, largest). [strategy.user] changes them, `./cli.py set` while running.
parameters = {
    "lean_half_spreads": (0.3, 0.0, 1.0),
    "rest_s": (2.0, 0.0, 60.0),
}
# What it remembers, and where that begins.
state = {"imbalance": 0.0, "bought_at_ns": 0.0, "sold_at_ns": 0.0}


def on_book(q):
    standard.on_book(q)
    if q["state"]["is_book_usable"] == 1:
        bid_size, ask_size = q["state"]["best_bid_size"], q["state"]["best_ask_size"]
        now = (bid_size - ask_size) / (bid_size + ask_size)
        q["user"]["imbalance"] += (now - q["user"]["imbalance"]) / 20.0


def on_trade(q, trade):
    standard.on_trade(q, trade)


def on_fill(q, side, size_lots, time_ns):
    standard.on_fill(q, side, size_lots, time_ns)
    if side > 0:
        q["user"]["bought_at_ns"] = time_ns
    else:
        q["user"]["sold_at_ns"] = time_ns


def quote(q):
    standard.prices(q)  # fair price, half-spread and all the rest, into q["explanation"]
    terms = q["explanation"]
    lean = q["user"]["imbalance"] * q["user"]["lean_half_spreads"] * terms["half_spread"]
    standard.place(q, terms["bid_price"] + lean, terms["ask_price"] + lean)
    rests_until_ns = q["moment"]["now_ns"] - q["user"]["rest_s"] * 1e9
    if q["user"]["bought_at_ns"] > rests_until_ns:
        q["ladder"]["bid_count"] = 0
    if q["user"]["sold_at_ns"] > rests_until_ns:
        q["ladder"]["ask_count"] = 0
