"""Frames that are wrong in every way that we could think of, thrown at everything that reads what the venue sends.

The corpus is what the local exchange sent a minute ago, the samples of the documentation, and a few wrong ones.
50,000 frames in `make test`, 1,000,000 in `make test-all`: no crash, no hang, memory flat, refusals counted by kind.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest
import structlog
from websockets.sync.client import ClientConnection, connect

from domain.errors import Refusal
from runtime.clock import SystemClock
from runtime.session import SessionSegments
from tests.frame_mutations import FrameSource
from tests.frame_targets import DecoderTarget, PrivateTarget, PublicTarget, Target
from tests.market_rig import NAMES
from venues.credentials import TokenSigner, read_key_file

SEED = 20261121
FRAMES = 50_000
FRAMES_SLOW = 1_000_000
FRAME_S_MAX = 10.0  # of the slowest frame, 10 MB of them: this machine is shared
GROWTH_BYTES_MAX = 64 * 1024 * 1024
SHARES_MIN = {
    Refusal.JSON: 0.1, Refusal.TYPE: 0.1, Refusal.ENVELOPE: 0.01, Refusal.DEPTH: 0.005, Refusal.VALUE: 0.0001,
}  # fmt: skip
assert set(SHARES_MIN) == set(Refusal)
DATA = Path(__file__).parents[1] / "data"
KINDS = ("public", "private", "wrong")
DOCUMENTED = {kind: (DATA / f"thalex_{kind}.jsonl").read_bytes().splitlines() for kind in KINDS}


class Exchange(Protocol):
    """What the fixture of conftest.py gives."""

    url: str
    key_file: Path


def _ask(socket: ClientConnection, frames: list[bytes], method: str, **params: Any) -> None:
    socket.send(json.dumps({"method": method, "id": 0, "params": params}))
    while not (frame := _received(socket, frames)).startswith(b'{"id":0'):
        pass
    assert b'"error"' not in frame[:20], frame


def _received(socket: ClientConnection, frames: list[bytes]) -> bytes:
    frame = socket.recv(timeout=60, decode=False)
    frames.append(frame)
    return frame


def _capture_public(url: str) -> list[bytes]:
    """Return frames of every public channel that market_data knows, and of its requests."""
    frames: list[bytes] = []
    channels = ["system", "instruments", "base_price.BTCUSD.2026-12-25", "price_index.BTCUSD"]
    for name in NAMES:
        channels += [
            f"book.{name}.none.20.raw",
            f"ticker.{name}.raw",
            f"lwt.{name}.raw",
            f"recent_trades.{name}.single",
        ]
    with connect(url, proxy=None) as socket:
        _ask(socket, frames, "public/instruments")
        _ask(socket, frames, "public/system_info")
        _ask(socket, frames, "public/subscribe", channels=channels)
        for _ in range(300):
            _received(socket, frames)
        _ask(socket, frames, "unsubscribe", channels=channels)
    return frames


def _capture_private(exchange: Exchange, state_dir: Path) -> list[bytes]:
    """Return frames of a session that trades: answers, orders, fills, positions, histories, errors."""
    frames: list[bytes] = []
    channels = ["session.orders", "account.portfolio", "account.trade_history", "session.mm_protection"]
    token = TokenSigner(read_key_file(exchange.key_file), state_dir, SystemClock()).token()
    order = {"instrument_name": NAMES[0], "direction": "buy", "amount": 0.002}
    with connect(exchange.url, proxy=None) as socket:
        _ask(socket, frames, "public/login", token=token)
        _ask(socket, frames, "private/set_cancel_on_disconnect", timeout_secs=3)
        _ask(socket, frames, "private/subscribe", channels=channels)
        _ask(socket, frames, "private/insert", **order, order_type="market")
        _ask(socket, frames, "private/insert", **order, price=90_000, client_order_id=5)
        _ask(socket, frames, "private/amend", client_order_id=5, price=90_001, amount=0.003)
        _ask(socket, frames, "private/open_orders")
        _ask(socket, frames, "private/cancel", client_order_id=5)
        for question in ("portfolio", "trade_history", "cancel_all", "cancel_session"):
            _ask(socket, frames, f"private/{question}")
        socket.send('{"method":"private/cancel","id":0,"params":{"client_order_id":4242}}')
        while b'"error"' not in _received(socket, frames):
            pass
    return [frame for frame in frames if len(frame) < 50_000]


def _with_as_many(captured: list[bytes], documented: list[bytes]) -> list[bytes]:
    """Return both, in equal parts: what is frequent on the wire must not hide what is rare."""
    return captured + documented * max(1, len(captured) // len(documented))


@pytest.fixture
def silent() -> Iterator[None]:
    """Log nothing: a million warnings are another test's affair."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture
def targets(exchange: Exchange, tmp_path: Path, silent: None) -> Iterator[list[tuple[Target, FrameSource]]]:
    """Give each target with frames of its side: captured, documented, and of the other side too."""
    public = _with_as_many(_capture_public(exchange.url), [*DOCUMENTED["public"], *DOCUMENTED["wrong"]])
    private = _with_as_many(_capture_private(exchange, tmp_path), [*DOCUMENTED["private"], *DOCUMENTED["wrong"]])
    segments = SessionSegments(f"fuzz{os.getpid()}", NAMES)
    segments.create()
    try:
        yield [
            (PublicTarget(segments, SEED), FrameSource([*public, *private[:20]], SEED)),
            (
                PrivateTarget(read_key_file(exchange.key_file), tmp_path, SEED),
                FrameSource([*private, *public[:20]], SEED + 1),
            ),
            (DecoderTarget(SEED), FrameSource([*public, *private], SEED + 2)),
        ]
    finally:
        segments.unlink()


def _private_bytes() -> int:
    """Return the resident memory that is this process's own: pages of rings count as they are first touched."""
    gc.collect()
    info = psutil.Process().memory_info()
    return int(info.rss - info.shared)


def _throw(target: Target, source: FrameSource, count: int) -> float:
    """Throw `count` frames and return the time of the slowest, s."""
    slowest_s = 0.0
    for number in range(count):
        frame = source.next()
        started = time.perf_counter()
        try:
            target.take(frame)
        except Exception as error:
            pytest.fail(f"frame {number} of seed {SEED} got through: {error!r}: {frame[:2000]!r}")
        slowest_s = max(slowest_s, time.perf_counter() - started)
    return slowest_s


def _fuzz(targets: list[tuple[Target, FrameSource]], count: int) -> None:
    per_target = count // len(targets) + 1
    for target, source in targets:
        name = type(target).__name__
        # given a warm target, so that what it keeps by design is there
        slowest_s = _throw(target, source, per_target // 5)
        before_bytes = _private_bytes()
        # if the rest is thrown
        slowest_s = max(slowest_s, _throw(target, source, per_target - per_target // 5))
        grown_bytes = _private_bytes() - before_bytes
        # I expect it counted, none of it slow, and nothing kept
        print(
            f"{name}: {target.understood} understood, refused {dict(target.refused)}, "
            f"slowest {slowest_s * 1e3:.0f} ms, grown {grown_bytes / 1e6:.1f} MB"
        )
        assert target.understood + target.refused.total() == per_target
        assert target.understood > per_target / 20
        for refusal, share_min in SHARES_MIN.items():
            assert target.refused[refusal] > share_min * per_target, f"{name} met too few of {refusal}"
        assert slowest_s < FRAME_S_MAX
        assert grown_bytes < GROWTH_BYTES_MAX


def test_fifty_thousand_wrong_frames_are_refused_by_kind(targets: list[tuple[Target, FrameSource]]):
    _fuzz(targets, FRAMES)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_million_wrong_frames_are_refused_by_kind(targets: list[tuple[Target, FrameSource]]):
    _fuzz(targets, FRAMES_SLOW)


def test_the_same_seed_gives_the_same_frames():
    one, other = (FrameSource(DOCUMENTED["public"], 7) for _ in range(2))
    assert [one.next() for _ in range(200)] == [other.next() for _ in range(200)]
