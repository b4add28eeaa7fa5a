"""Both transports on their way to the local exchange: direct, through proxies, with TLS, against a bad network."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
import structlog
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from domain.errors import ConfigError, ConnectivityError, VenueUnreachableError
from runtime.clock import SystemClock
from tests.middlemen import Greet, Middleman, http_connect, loopback_certificate, serving, socks5, straight_to
from venues.config import VenueConfig
from venues.proxy import PROXY_VARIABLE
from venues.thalex.connection import Connection
from venues.thalex.listing import fetch_instruments
from venues.transport.contract import FRAME_BYTES_MAX, TransportName
from venues.transport.opening import open_transport

TRANSPORTS: tuple[TransportName, ...] = ("picows", "websockets")
DEADLINE_S = 20.0
PASSWORD = "s3cret/with:signs"
ENCODED_PASSWORD = "s3cret%2Fwith%3Asigns"
INSTRUMENTS = b'{"method":"public/instruments","id":7,"params":{}}'
ENVIRONMENT = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY")


class Exchange(Protocol):
    """What the fixture of conftest.py gives."""

    url: str


class Heard:
    """A TransportListener that keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.controls = 0
        self.closed: list[str] = []

    def on_frame(self, frame: bytes | memoryview) -> None:
        self.frames.append(bytes(frame))

    def on_control(self) -> None:
        self.controls += 1

    def on_close(self, reason: str) -> None:
        self.closed.append(reason)


def _run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(main)


async def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        await asyncio.sleep(0.01)


async def _ask(name: TransportName, url: str, **route: Any) -> list[dict[str, Any]]:
    """Ask the venue for its instruments over a transport of its own; ping it, and close."""
    heard = Heard()
    transport = await open_transport(name, url, heard, timeout_s=DEADLINE_S, **route)
    transport.send(INSTRUMENTS)
    transport.ping()
    await _until(lambda: bool(heard.frames) and heard.controls > 0, "an answer and a pong")
    transport.close("done")
    await _until(lambda: heard.closed == ["done"], "the close")
    answer: list[dict[str, Any]] = json.loads(heard.frames[0])["result"]
    return answer


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


PROXIES: dict[str, Callable[[str, str], Greet]] = {"socks5": socks5, "socks5h": socks5, "http": http_connect}


@pytest.mark.parametrize("has_tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("has_login", [False, True], ids=["open", "login"])
@pytest.mark.parametrize("scheme", PROXIES)
@pytest.mark.parametrize("name", TRANSPORTS)
def test_the_connection_goes_through_the_configured_proxy(
    exchange: Exchange, tmp_path: Path, name: TransportName, scheme: str, has_login: bool, has_tls: bool
):
    user, password = ("trader", PASSWORD) if has_login else ("", "")
    login = f"{user}:{ENCODED_PASSWORD}@" if has_login else ""
    certificate, context = loopback_certificate(tmp_path)

    async def main() -> None:
        target = _address(exchange.url)
        async with (
            serving(PROXIES[scheme](user, password)) as proxy,
            serving(straight_to(target), context) as terminator,
        ):
            url = f"wss://127.0.0.1:{terminator.port}/ws/api/v2" if has_tls else exchange.url
            route = {"proxy": f"{scheme}://{login}127.0.0.1:{proxy.port}", "ca_file": str(certificate)}
            instruments = await _ask(name, url, **route)
            assert "BTC-PERPETUAL" in {each["instrument_name"] for each in instruments}
            # the proxy carried the whole answer, and only to where we wanted
            assert proxy.targets == [_address(url)]
            assert proxy.carried_bytes > 200 * len(instruments)

    _run(main())


@pytest.mark.parametrize("scheme", PROXIES)
@pytest.mark.parametrize("name", TRANSPORTS)
def test_the_venue_s_name_is_resolved_by_the_proxy(exchange: Exchange, name: TransportName, scheme: str):
    async def main() -> None:
        async with serving(PROXIES[scheme]("", "")) as proxy:
            url = exchange.url.replace("127.0.0.1", "localhost")
            assert await _ask(name, url, proxy=f"{scheme}://127.0.0.1:{proxy.port}")
            assert proxy.targets == [("localhost", _address(url)[1])]

    _run(main())


@pytest.mark.parametrize("scheme", PROXIES)
@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_proxy_that_refuses_us_is_named_without_its_password(exchange: Exchange, name: TransportName, scheme: str):
    async def main() -> None:
        async with serving(PROXIES[scheme]("trader", "another password")) as proxy:
            address = f"{scheme}://trader:{ENCODED_PASSWORD}@127.0.0.1:{proxy.port}"
            with pytest.raises(ConnectivityError, match=f"through {scheme}://127.0.0.1:{proxy.port}: ") as refused:
                await open_transport(name, exchange.url, Heard(), timeout_s=DEADLINE_S, proxy=address)
            assert proxy.refused == 1
            told = "".join(str(error) for error in (refused.value, refused.value.__cause__))
            assert "trader" not in told
            assert "s3cret" not in told

    _run(main())


@pytest.mark.parametrize("scheme", PROXIES)
@pytest.mark.parametrize("name", TRANSPORTS)
def test_no_line_of_a_session_behind_a_dead_proxy_names_the_password(
    exchange: Exchange, name: TransportName, scheme: str, capsys: pytest.CaptureFixture[str]
):
    class Owner:
        async def open_session(self) -> None:
            raise AssertionError("there is no connection")

        def on_frame(self, frame: bytes | memoryview) -> None: ...

        def on_control(self) -> None: ...

        def on_closed(self, reason: str) -> None: ...

    async def main() -> None:
        async with serving(socks5()) as gone:
            port = gone.port
        config = VenueConfig(
            transport=name, proxy=f"{scheme}://trader:{ENCODED_PASSWORD}@127.0.0.1:{port}",
            connect_tries_max=2, backoff_ms_min=1, backoff_ms_max=2,
        )  # fmt: skip
        connection = Connection(config, exchange.url, Owner(), SystemClock(), structlog.stdlib.get_logger())
        with pytest.raises(Exception, match="unreachable after 2 tries") as raised:
            await connection.run()
        print(raised.value)

    _run(main())
    told = capsys.readouterr()
    assert f"127.0.0.1:{_address(exchange.url)[1]}" in told.out
    for secret in ("s3cret", "trader"):
        assert secret not in told.out + told.err


@pytest.mark.parametrize("name", TRANSPORTS)
def test_proxies_of_the_environment_do_not_come_between_us_and_the_venue(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, name: TransportName
):
    async def main() -> None:
        async with serving(socks5()) as proxy:
            for variable in ENVIRONMENT:
                monkeypatch.setenv(variable, f"socks5://127.0.0.1:{proxy.port}")
            monkeypatch.delenv("NO_PROXY", raising=False)
            monkeypatch.delenv("no_proxy", raising=False)
            assert await _ask(name, exchange.url)
            assert proxy.targets == []

    _run(main())


@pytest.mark.parametrize("name", TRANSPORTS)
def test_the_list_of_instruments_is_fetched_the_same_way(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: TransportName
):
    certificate, context = loopback_certificate(tmp_path)
    served: list[Middleman] = []
    is_served, is_done = threading.Event(), threading.Event()

    async def serve_both() -> None:
        async with (
            serving(socks5("trader", PASSWORD)) as proxy,
            serving(straight_to(_address(exchange.url)), context) as terminator,
        ):
            served.extend((proxy, terminator))
            is_served.set()
            await asyncio.get_running_loop().run_in_executor(None, is_done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve_both(),))
    thread.start()
    try:
        assert is_served.wait(DEADLINE_S)
        proxy, terminator = served
        url = f"wss://127.0.0.1:{terminator.port}/ws/api/v2"
        address = f"socks5://trader:{ENCODED_PASSWORD}@127.0.0.1:{proxy.port}"
        config = VenueConfig(kind="thalex", transport=name, ca_file=str(certificate), connect_tries_max=1)
        monkeypatch.setenv(PROXY_VARIABLE, address)
        assert "BTC-PERPETUAL" in fetch_instruments(config, url)
        assert proxy.targets == [("127.0.0.1", terminator.port)]
        # the way to the real venue is not the way to the exchange on loopback
        assert "BTC-PERPETUAL" in fetch_instruments(VenueConfig(transport=name), exchange.url)
        assert len(proxy.targets) == 1
        monkeypatch.setenv(PROXY_VARIABLE, address.replace(ENCODED_PASSWORD, "wrong-s3cret"))
        with pytest.raises(VenueUnreachableError, match=f"through socks5://127.0.0.1:{proxy.port}") as refused:
            fetch_instruments(config, url)
        assert "s3cret" not in str(refused.value)
    finally:
        is_done.set()
        thread.join(DEADLINE_S)


@pytest.mark.parametrize("name", TRANSPORTS)
def test_tls_checks_the_venue_against_the_configured_certificates(
    exchange: Exchange, tmp_path: Path, name: TransportName
):
    certificate, context = loopback_certificate(tmp_path)

    async def main() -> None:
        async with serving(straight_to(_address(exchange.url)), context) as terminator:
            url = f"wss://127.0.0.1:{terminator.port}/ws/api/v2"
            assert await _ask(name, url, ca_file=str(certificate))
            with pytest.raises(ConnectivityError, match="certificate"):
                await _ask(name, url)
            # signed well, but for another name
            with pytest.raises(ConnectivityError, match=r"(?i)certificate|hostname"):
                await _ask(name, url.replace("127.0.0.1", "localhost"), ca_file=str(certificate))

    _run(main())


@pytest.mark.parametrize("content", [None, "no certificate\n"])
def test_a_file_that_holds_no_certificates_is_a_mistake_of_the_configuration(tmp_path: Path, content: str | None):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    async def main() -> None:
        with pytest.raises(ConfigError, match=r"venue\.ca_file = .*ca\.pem"):
            await open_transport("picows", "wss://127.0.0.1:1/", Heard(), timeout_s=1, ca_file=str(path))

    _run(main())


@pytest.mark.parametrize("name", TRANSPORTS)
def test_nothing_is_compressed(name: TransportName):
    offered: list[str | None] = []

    async def peer(socket: ServerConnection) -> None:
        assert socket.request is not None
        offered.append(socket.request.headers.get("Sec-WebSocket-Extensions"))
        async for frame in socket:
            await socket.send(frame)

    async def main() -> None:
        async with serve(peer, "127.0.0.1", 0) as server:
            heard = Heard()
            port = next(iter(server.sockets)).getsockname()[1]
            transport = await open_transport(name, f"ws://127.0.0.1:{port}/", heard, timeout_s=DEADLINE_S)
            transport.send(b'"echo"')
            await _until(lambda: heard.frames == [b'"echo"'], "the echo")
            transport.close("done")
            await _until(lambda: bool(heard.closed), "the close")

    _run(main())
    assert offered == [None]


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_large_message_is_taken_and_a_larger_one_ends_the_connection(name: TransportName):
    async def peer(socket: ServerConnection) -> None:
        await socket.send("x" * 10_000_000)
        await socket.recv()
        with suppress(ConnectionClosed):
            await socket.send("x" * (FRAME_BYTES_MAX + 1))
            await socket.wait_closed()

    async def main() -> None:
        async with serve(peer, "127.0.0.1", 0, max_size=None, compression=None) as server:
            heard = Heard()
            port = next(iter(server.sockets)).getsockname()[1]
            transport = await open_transport(name, f"ws://127.0.0.1:{port}/", heard, timeout_s=DEADLINE_S)
            await _until(lambda: len(heard.frames) == 1, "10 MB")
            assert len(heard.frames[0]) == 10_000_000
            transport.send(b"more")
            await _until(lambda: len(heard.closed) == 1, "the close")

    _run(main())


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_message_that_never_ends_ends_the_connection(name: TransportName):
    async def peer(socket: ServerConnection) -> None:
        async def endless() -> AsyncIterator[str]:
            while True:
                yield "x" * 1_000_000

        with suppress(ConnectionClosed):
            await socket.send(endless())

    async def main() -> None:
        async with serve(peer, "127.0.0.1", 0, max_size=None, compression=None) as server:
            heard = Heard()
            port = next(iter(server.sockets)).getsockname()[1]
            await open_transport(name, f"ws://127.0.0.1:{port}/", heard, timeout_s=DEADLINE_S)
            await _until(lambda: len(heard.closed) == 1, "the close")
            assert heard.frames == []

    _run(main())
