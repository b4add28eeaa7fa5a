"""The same seed and the same calls at the same times: the same frames, and the same order log to the last byte."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from exchange.background.simulation import Background
from exchange.core.listing import Listing, Products
from exchange.core.scheduler import NS_PER_MS

PRICES = {"BTCUSD": 100_000.0, "ETHUSD": 4_000.0}


def run(make_desk: Any, seed: int, *, latency_ns: int, speed: float) -> tuple[list[bytes], bytes]:
    """Let one client trade for ten seconds in a busy market; return what it heard, and the order log."""
    desk = make_desk(latency_ns=latency_ns)
    desk.engine.speed = speed
    desk.engine.markets.clear()
    desk.engine.listing = Listing(desk.engine, Products(), PRICES)
    desk.engine.listing.refresh()
    background = Background(desk.engine, seed=seed)
    desk.engine.add_listener(background)
    background.start()
    client = desk.client()
    client.session.account = desk.a  # logged in: tokens are not what this is about
    draw = random.Random(7)
    for turn in range(round(200 / speed)):
        price = round(float(desk.engine.market("BTC-PERPETUAL").mark.mark_price)) + draw.randint(-8, 8)
        order = {"direction": draw.choice(["buy", "sell"]), "instrument_name": "BTC-PERPETUAL", "amount": 0.01}
        request = {"method": "private/insert", "params": {**order, "price": price, "client_order_id": turn}, "id": turn}
        client.session.on_activity()
        client.session.on_frame(msgspec.json.encode(request))
        desk.scheduler.advance(50 * NS_PER_MS)
    desk.context.order_log.flush()
    return client.frames, desk.log_path.read_bytes()


@pytest.mark.parametrize(("latency_ns", "speed"), [(0, 1.0), (3 * NS_PER_MS, 1.0), (0, 10.0)])
def test_the_same_seed_and_script_give_the_same_order_log(make_desk: Any, latency_ns: int, speed: float) -> None:
    first, second, other = (run(make_desk, seed, latency_ns=latency_ns, speed=speed) for seed in (5, 5, 6))
    assert first[1].count(b"\n") >= 200 / speed
    assert b'"event":"fill"' in first[1]
    assert first == second
    assert first != other


def test_latency_delays_what_is_done_and_not_what_is_said(make_desk: Any) -> None:
    desk = make_desk(latency_ns=3 * NS_PER_MS)
    client = desk.client()
    client.session.on_frame(b'{"method":"public/system_info","params":{},"id":1}')
    desk.scheduler.advance(2 * NS_PER_MS)
    assert client.frames == []
    desk.scheduler.advance(NS_PER_MS)
    assert client.frames[0].startswith(b'{"id":1,')
