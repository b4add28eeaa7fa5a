"""The proxy between us and the venue: where it is configured, and how to speak of it without its password."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from domain.errors import ConfigError

PROXY_VARIABLE = "RINGMAKER_VENUE_PROXY"  # for an address with a password, which belongs into .env
SCHEMES = ("http", "socks5", "socks5h")


def proxy_url(configured: str, environ: Mapping[str, str]) -> str:
    """Return the proxy to connect through, empty for none: RINGMAKER_VENUE_PROXY, else [venue] proxy.

    Raises:
        ConfigError: when it is no address of a proxy; the text does not repeat its user and password.
    """
    url = environ.get(PROXY_VARIABLE, "") or configured
    fault = proxy_fault(url)
    if fault:
        raise ConfigError(fault)
    return url


def proxy_fault(url: str) -> str:
    """Return what is wrong with the address of a proxy; empty when nothing is, or there is none."""
    if not url:
        return ""
    expected = "expected e.g. socks5://127.0.0.1:1080 or http://user:password@proxy.example:3128"
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None
    except ValueError:
        return f"proxy: no valid address; {expected}"
    if parts.scheme not in SCHEMES:
        return f"proxy: {parts.scheme!r} is none of {', '.join(SCHEMES)}; {expected}"
    if not parts.hostname or not has_port:
        return f"proxy: host or port is missing; {expected}"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return f"proxy: an address ends with the port; {expected}"
    if (parts.username is None) != (parts.password is None):
        return f"proxy: a user without a password, or a password without a user; {expected}"
    return ""


def shown(url: str) -> str:
    """Return the address without user and password, for logs."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def without_credentials(text: str, url: str) -> str:
    """Return `text`, an error of a library, with the proxy's user and password taken out."""
    parts = urlsplit(url)
    for secret in (parts.netloc.rpartition("@")[0], parts.password):
        if secret:
            text = text.replace(secret, "***")
    return text
