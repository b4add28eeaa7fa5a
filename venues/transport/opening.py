"""Opening a connection: direct or through a proxy, with or without TLS. Proxy variables of the environment are
ignored by both libraries, so that nothing comes between us and a venue on loopback."""

from __future__ import annotations

import ssl

import picows
from python_socks import ProxyError
from websockets.exceptions import InvalidHandshake, InvalidURI

from domain.errors import ConfigError, ConnectivityError
from venues import proxy as proxies
from venues.transport.contract import Route, Transport, TransportListener, TransportName
from venues.transport.over_picows import open_picows
from venues.transport.over_websockets import open_websockets

_REFUSALS = (OSError, TimeoutError, picows.WSError, ProxyError, InvalidHandshake, InvalidURI, EOFError)


async def open_transport(
    name: TransportName, url: str, listener: TransportListener, *, timeout_s: float, proxy: str = "", ca_file: str = ""
) -> Transport:
    """Connect and return the open transport.

    Args:
        proxy: e.g. socks5://127.0.0.1:1080 or http://user:password@host:3128; empty = none.
        ca_file: PEM file with the certificates that may sign the venue's; empty = those of the system.

    Raises:
        ConnectivityError: when the address does not answer with a WebSocket; never names the proxy's password.
        ConfigError: when `ca_file` cannot be used.
    """
    route = Route(url, timeout_s, proxy, tls_context(ca_file) if url.startswith("wss://") else None)
    opener = open_picows if name == "picows" else open_websockets
    try:
        return await opener(route, listener)
    except _REFUSALS as error:
        text = str(error) or type(error).__name__
        way = ""
        if proxy:
            text, way = proxies.without_credentials(text, proxy), f" through {proxies.shown(proxy)}"
        # `from None`: the library's error quotes the proxy's address as it was configured.
        raise ConnectivityError(f"cannot connect to {url}{way}: {text}") from (None if proxy else error)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return how a wss:// venue is checked: its certificate and its name.

    Raises:
        ConfigError: `ca_file` cannot be read or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"venue.ca_file = {ca_file!r}: no readable PEM file of certificates: {error}") from error
