"""Frames from outside, mutated at random: every one is read or is a ProtocolError, never anything else."""

from __future__ import annotations

import contextlib
import random

from domain.errors import ProtocolError
from venues.thalex import account_wire, market_wire
from venues.thalex.account_wire import decode_order
from venues.thalex.protocol import Session
from venues.thalex.requests import Requests
from venues.thalex.wire import Envelope

SEED = 20261121
MUTATIONS = 6000
_LEVELS = b"[[100049,0.4,0.4],[100048,2,2]]"
_ORDER = (
    b'{"order_id":"001BF14D00000003","direction":"buy","price":99975,"amount":0.2,"status":"open","fills":'
    b'[{"trade_id":"T","price":1,"amount":0.05,"time":1795223049.2,"maker_taker":"maker","leg_index":0}],'
    b'"create_time":1795223048.15}'
)
FRAMES = {
    b'{"channel_name":"book.X.none.10.raw","notification":{"bid_changes":' + _LEVELS + b'},"snapshot":true}': (
        market_wire.decode_book
    ),
    b'{"channel_name":"ticker.X.raw","notification":{"mark_price":1.5,"best_bid_price":null,"index":2e3}}': (
        market_wire.decode_ticker
    ),
    b'{"channel_name":"recent_trades.X.single","notification":[[1,0.3,"buy",1795223039.01,"X",false]]}': (
        market_wire.decode_trades
    ),
    b'{"channel_name":"session.orders","notification":[' + _ORDER + b"]}": account_wire.decode_orders,
    b'{"channel_name":"account.portfolio","notification":[{"instrument_name":"X","position":-0.2}]}': (
        account_wire.decode_positions
    ),
    b'{"id":2,"result":' + _ORDER + b"}": decode_order,
    b'{"id":2,"error":{"code":1,"message":"order not found"}}': decode_order,
}


def _mutated(frame: bytes, rng: random.Random) -> bytes:
    content = bytearray(frame)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content))
        match rng.randrange(5):
            case 0:
                content[at] = rng.randrange(256)
            case 1:
                del content[at:]
                content += b"}"
            case 2:
                content[at:at] = rng.choice([b"[", b"{", b'"', b"1e999", b"null", b"-", b"\xff", b"\\ud800"])
            case 3:
                del content[at : at + rng.randint(1, 9)]
                content += b" "
            case 4:
                content[at : at + 1] = content[at : at + rng.randint(1, 30)] * 2
    return bytes(content)


def test_a_mutated_frame_is_read_or_is_a_protocol_error():
    rng = random.Random(SEED)
    frames = list(FRAMES)
    read = 0
    for _ in range(MUTATIONS):
        original = rng.choice(frames)
        session = Session.public([], Requests(1))
        session.start(0)
        session.request("private/insert", {}, decode_order, 0, kind="insert", client_order_id=1)
        with contextlib.suppress(ProtocolError):
            event = session.receive(memoryview(_mutated(original, rng)), 0)
            if isinstance(event, Envelope):
                FRAMES[original](event.notification)
            read += 1
    assert 0 < read < MUTATIONS  # both outcomes were met
