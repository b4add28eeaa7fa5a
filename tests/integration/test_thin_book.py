"""A book so thin that our own orders are most of it: the fair price stays with the others and does not chase us.

A running session quotes an option of which one maker keeps a bid and an ask, wide apart and small. Our orders are
the best prices and nearly all of the size. Then the maker is stopped, so that nothing but ourselves can move.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from websockets.sync.client import connect

import shm
from messages.commands import SetParameter
from tests.sessions import RunningSession, StandaloneExchange

NAME = "BTC-25DEC26-100000-C"
HALF_SPREADS_USD = (10.0, 35.0, 15.0, 40.0)  # the others stand some 60 $ off the middle
CONFIG = """
[venue]
kind = "thalex"

[instruments."BTC-25DEC26-100000-C"]

[strategy]
order_size_base = 2.0
levels = 2
fair_price = "mid"
level_spacing_ticks = 1
requote_ticks_min = 1
fee_floor = false
half_spread_min_usd = 25.0
half_spread_max_usd = 45.0
position_soft_base = 40.0
position_hard_base = 50.0

[risk]
position_max_base = 100.0
order_size_max_base = 10.0
order_notional_max_usd = 1e6
gross_notional_max_usd = 1e8
loss_from_peak_max_usd = 1e8
"""


def _ask(exchange: StandaloneExchange, method: str, **params: Any) -> Any:
    with connect(exchange.url, proxy=None) as socket:
        socket.send(json.dumps({"method": method, "id": 1, "params": params}))
        return json.loads(socket.recv())["result"]


def _sizes(exchange: StandaloneExchange) -> tuple[float, float]:
    """Return our size and everybody's, over both sides of the book."""
    book = _ask(exchange, "public/book", instrument_name=NAME)
    ours = sum(order["remaining"] for order in exchange.open_orders().values())
    return ours, sum(level[1] for side in ("bids", "asks") for level in book[side])


def _explained(session: RunningSession, seconds: float) -> npt.NDArray[Any]:
    """Return the explanations of the next `seconds`."""
    explanations = shm.attach(session.name).explanations
    start = explanations.head
    time.sleep(seconds)
    return explanations.to_numpy(last=explanations.head - start)


def test_the_fair_price_of_a_book_that_is_mostly_ours_does_not_chase_us(tmp_path: Path) -> None:
    with (
        StandaloneExchange(tmp_path, "--admin", "--balance", "1e9") as exchange,
        RunningSession(tmp_path, CONFIG, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes(instruments=(NAME,))
        # Given a market in which nobody moves but us, and hardly anything is not ours
        _ask(exchange, "admin/stop_flow")
        time.sleep(1.0)
        ours, everybodys = _sizes(exchange)
        assert ours > 0.8 * everybodys, f"{ours} of {everybodys} are ours"
        # If our quotes go to and fro for a while
        told = [_explained(session, 0.5)]
        for half_spread_usd in HALF_SPREADS_USD * 2:
            reply = session.send(SetParameter(name="half_spread_min_usd", value=str(half_spread_usd)))
            assert reply.ok, reply.text
            told.append(_explained(session, 0.5))
        explained = np.concatenate(told)
        # I expect that they did, on both sides, and that the fair price has not moved at all
        quoted = explained[(explained["quote_bid_ticks"] > 0) & (explained["quote_ask_ticks"] > 0)]
        assert len(quoted) > 8
        assert np.ptp(quoted["quote_bid_ticks"]) >= 4, "our bids moved by 20 $ at least"
        assert np.ptp(quoted["quote_ask_ticks"]) >= 4
        for price in ("mid_price", "micro_price", "fair_price"):
            lowest, highest = explained[price].min(), explained[price].max()
            assert lowest == highest, f"{price} went from {lowest} to {highest}"
        # and that it is the others', inside of whom all our orders stand
        assert (quoted["best_bid_ticks"] < quoted["quote_bid_ticks"]).all()
        assert (quoted["best_ask_ticks"] > quoted["quote_ask_ticks"]).all()
