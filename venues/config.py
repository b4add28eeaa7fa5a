"""The [venue] section of the configuration: which venue, how to reach it, how long to wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from domain.clock import NS_PER_MS
from domain.errors import ConfigError
from venues.proxy import proxy_fault, proxy_url

THALEX_TESTNET_URL = "wss://testnet.thalex.com/ws/api/v2"
LOCAL_URL_VARIABLE = "RINGMAKER_VENUE_URL"  # set by the supervisor when it starts the local exchange
THALEX_URL_VARIABLE = "THALEX_WS_URL"

Delay = Literal["raw", "100ms", "200ms", "500ms", "1000ms", "5000ms", "60000ms"]
_Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=600_000)]


class VenueConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the actors reach the venue.

    Attributes:
        kind: `local` is the exchange that the supervisor starts on loopback, `thalex` the real one.
        url: WebSocket address; empty = from the environment, else the testnet.
        transport: which WebSocket library carries the connection.
        proxy: e.g. `socks5://127.0.0.1:1080` or `http://user:password@host:port`; empty = none. RINGMAKER_VENUE_PROXY
            goes before it at the real venue, so that a password can lie in .env; other proxy variables are ignored.
        ca_file: certificates that a wss:// venue is checked against, PEM; empty = those of the system.
        account: account number to log in to; empty = the key's default.
        book_levels: depth of the book channel on each side; 0 = all levels.
        book_grouping: step to which the venue rounds the book's prices, quote currency; 0 = every price. A grouped book
            hides the touch: only for instruments with quote = false.
        ticker_channel: `ticker`, or `lwt`, its light form without funding, collars, forward and open interest.
        book_delay, ticker_delay: smallest interval between messages, in the venue's words.
        forward_prices: follow the forward price of each configured instrument that expires (base_price).
        extra_underlyings: indices to follow beside those of the instruments, e.g. ["ETHUSD"].
        connect_timeout_ms: from the first packet until logged in and subscribed.
        connect_tries_max: failed connections before the first success after which we give up.
        backoff_ms_min, backoff_ms_max: bounds of the jittered, doubling pause between connections.
        request_timeout_ms: an answer that takes longer is lost.
        ping_interval_ms: pause between our pings.
        feed_probe_ms: a feed that has said nothing for so long is asked something, which a quiet market answers.
        feed_dead_ms: a feed without any message for so long is dead; pongs do not count.
        orders_dead_ms: an orders connection without any frame for so long is dead.
        instrument_probe_ms: an instrument whose ticker and book have both said nothing for so long (and for their
            delays) is asked for its ticker, which is held against its book; 0 = never.
        book_contradiction_ms: a book that stands still for so long (and its delay), the last half of it while tickers
            name another touch, has lost its channel: it is thrown away and asked for again.
        channel_silent_ms: while the connection lives, an instrument whose ticker and book have both said nothing for so
            long is subscribed to anew, without quotes until data is back; 0 = never. A venue sends tickers about every
            second, so this does not touch a quiet market.
        cancel_on_disconnect_s: the venue cancels our orders when it hears nothing from us for so long.
        book_resync_ms: how long to wait for the snapshot of a book, and between two resyncs of one book.
    """

    kind: Literal["local", "thalex"] = "local"
    url: str = ""
    transport: Literal["picows", "websockets"] = "picows"
    proxy: str = ""
    ca_file: str = ""
    account: str = ""
    book_levels: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 10
    book_grouping: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0
    ticker_channel: Literal["ticker", "lwt"] = "ticker"
    book_delay: Delay = "raw"
    ticker_delay: Delay = "raw"
    forward_prices: bool = False
    extra_underlyings: list[Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{1,40}$")]] = []
    connect_timeout_ms: _Milliseconds = 5_000
    connect_tries_max: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    backoff_ms_min: _Milliseconds = 100
    backoff_ms_max: _Milliseconds = 10_000
    request_timeout_ms: _Milliseconds = 3_000
    ping_interval_ms: _Milliseconds = 1_000
    feed_probe_ms: _Milliseconds = 250
    feed_dead_ms: _Milliseconds = 1_250
    orders_dead_ms: _Milliseconds = 3_000
    instrument_probe_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 250
    book_contradiction_ms: _Milliseconds = 400
    channel_silent_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 10_000
    cancel_on_disconnect_s: Annotated[int, msgspec.Meta(ge=1, le=60)] = 3
    book_resync_ms: _Milliseconds = 1_000

    def __post_init__(self) -> None:
        if self.backoff_ms_max < self.backoff_ms_min:
            raise ValueError(
                f"backoff_ms_max = {self.backoff_ms_max} ms is below backoff_ms_min = {self.backoff_ms_min} ms"
            )
        for name, asked in (("feed_dead_ms", "feed_probe_ms"), ("orders_dead_ms", "ping_interval_ms")):
            if getattr(self, name) <= getattr(self, asked):
                raise ValueError(
                    f"{name} = {getattr(self, name)} ms must exceed {asked} = {getattr(self, asked)} ms, or a quiet "
                    "market looks dead"
                )
        if self.cancel_on_disconnect_s * 1000 <= self.ping_interval_ms:
            raise ValueError(
                f"cancel_on_disconnect_s = {self.cancel_on_disconnect_s} s must exceed ping_interval_ms = "
                f"{self.ping_interval_ms} ms, or the venue cancels our orders between two pings"
            )

        if 0 < self.channel_silent_ms <= self.delay_ms_max:
            raise ValueError(
                f"channel_silent_ms = {self.channel_silent_ms} ms must exceed book_delay and ticker_delay = "
                f"{self.delay_ms_max} ms, or a slow channel looks silent; 0 = never"
            )
        fault = proxy_fault(self.proxy)
        if fault:
            raise ValueError(fault)

    @property
    def delay_ms_max(self) -> int:
        """How long a channel of an instrument may be silent although much happens, ms."""
        return max(delay_ms(self.book_delay), delay_ms(self.ticker_delay))

    @property
    def still_ns_max(self) -> int:
        """How long a book may stand still that tickers contradict."""
        return (self.book_contradiction_ms + delay_ms(self.book_delay)) * NS_PER_MS

    @property
    def against_ns_max(self) -> int:
        """How long tickers may contradict a book that stands still: it may be on its way."""
        return (self.book_contradiction_ms // 2 + delay_ms(self.book_delay)) * NS_PER_MS

    @property
    def request_timeout_ns(self) -> int:
        return self.request_timeout_ms * NS_PER_MS

    @property
    def ping_interval_ns(self) -> int:
        return self.ping_interval_ms * NS_PER_MS


def delay_ms(delay: Delay) -> int:
    """Return the smallest interval between messages of a channel with this delay, ms."""
    return 0 if delay == "raw" else int(delay.removesuffix("ms"))


def venue_url(config: VenueConfig, environ: Mapping[str, str]) -> str:
    """Return the WebSocket address to connect to.

    Raises:
        ConfigError: when there is none, or it is not a ws:// or wss:// address.
    """
    if config.kind == "local":
        url = environ.get(LOCAL_URL_VARIABLE, "") or config.url
        hint = f"set {LOCAL_URL_VARIABLE} or [venue] url to the exchange's address (the supervisor does it)"
    else:
        url = environ.get(THALEX_URL_VARIABLE, "") or config.url or THALEX_TESTNET_URL
        hint = f"set {THALEX_URL_VARIABLE} or [venue] url, e.g. {THALEX_TESTNET_URL}"
    if not url.startswith(("ws://", "wss://")):
        raise ConfigError(f"venue {config.kind!r}: no WebSocket address in {url!r}: {hint}")
    return url


def venue_proxy(config: VenueConfig, environ: Mapping[str, str]) -> str:
    """Return the proxy to connect through, empty for none.

    RINGMAKER_VENUE_PROXY is the way to the real venue: nothing leads the exchange on loopback through it.

    Raises:
        ConfigError: when it is no address of a proxy.
    """
    return proxy_url(config.proxy, {} if config.kind == "local" else environ)
