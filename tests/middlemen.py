"""What stands between a client and a venue in tests: a SOCKS5 proxy, an HTTP CONNECT proxy, a TLS terminator.

Each is a server of its own on loopback that counts what it carries. They speak as much of their protocols as a
client of one connection needs, and check what they are told.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

Address = tuple[str, int]
Greet = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Address]]
CHUNK_BYTES = 65536


class RefusedError(Exception):
    """The middleman does not carry this connection."""


class Middleman:
    """A server that learns from its client where to, then carries bytes both ways.

    Attributes:
        carried_bytes: in both directions, after the greeting.
        targets: what clients asked for, in order.
    """

    def __init__(self, greet: Greet) -> None:
        self._greet = greet
        self._tasks: set[asyncio.Task[None]] = set()
        self.carried_bytes = 0
        self.targets: list[Address] = []
        self.refused = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._carry(reader, writer)
        except RefusedError:
            self.refused += 1
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # an end is an end
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = await self._greet(reader, writer)
        self.targets.append(target)
        far_reader, far_writer = await asyncio.open_connection(*target)
        ways = [
            asyncio.create_task(self._pump(reader, far_writer)),
            asyncio.create_task(self._pump(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            self.carried_bytes += len(chunk)
            sink.write(chunk)
            await sink.drain()

    def cut(self) -> None:
        """End every connection at once."""
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def serving(greet: Greet, tls: ssl.SSLContext | None = None) -> AsyncIterator[Middleman]:
    """Run a middleman on a free port of loopback."""
    middleman = Middleman(greet)
    server = await asyncio.start_server(middleman.serve, "127.0.0.1", 0, ssl=tls)
    middleman.port = server.sockets[0].getsockname()[1]
    try:
        yield middleman
    finally:
        server.close()
        middleman.cut()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await server.wait_closed()


def socks5(user: str = "", password: str = "") -> Greet:
    """Return the greeting of RFC 1928, with a user and password of RFC 1929 where they are given."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Address:
        version, count = await reader.readexactly(2)
        assert version == 5
        methods = await reader.readexactly(count)
        method = 2 if user else 0
        if method not in methods:
            writer.write(b"\x05\xff")
            raise RefusedError
        writer.write(bytes([5, method]))
        if user and await _read_login(reader) != (user, password):
            writer.write(b"\x01\x01")
            raise RefusedError
        if user:
            writer.write(b"\x01\x00")
        version, command, _, kind = await reader.readexactly(4)
        assert (version, command) == (5, 1)
        if kind == 1:
            host = str(IPv4Address(await reader.readexactly(4)))
        else:
            assert kind == 3
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        return host, port

    return greet


async def _read_login(reader: asyncio.StreamReader) -> tuple[str, str]:
    assert await reader.readexactly(1) == b"\x01"
    user = await reader.readexactly((await reader.readexactly(1))[0])
    password = await reader.readexactly((await reader.readexactly(1))[0])
    return user.decode(), password.decode()


def http_connect(user: str = "", password: str = "") -> Greet:
    """Return the greeting of an HTTP proxy, with basic authentication where user and password are given."""
    expected = b"Basic " + base64.b64encode(f"{user}:{password}".encode())

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Address:
        line, *headers = (await reader.readuntil(b"\r\n\r\n")).rstrip().split(b"\r\n")
        verb, target, _ = line.split(b" ")
        assert verb == b"CONNECT"
        told = {name.lower(): value.strip() for name, _, value in (header.partition(b":") for header in headers)}
        if user and told.get(b"proxy-authorization") != expected:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            raise RefusedError
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host, _, port = target.decode().rpartition(":")
        return host, int(port)

    return greet


def straight_to(target: Address) -> Greet:
    """Return a greeting that asks nothing: with TLS in front, a terminator for a server that speaks none."""

    async def greet(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> Address:
        return target

    return greet


def loopback_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Return the path of a self-signed certificate for 127.0.0.1, and a server's context with it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, key_path = folder / "certificate.pem", folder / "key.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return path, context
