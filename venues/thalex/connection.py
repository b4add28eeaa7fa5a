"""The thin shell with the socket: keeps one session alive, connection after connection.

Before the first success of a session a bounded number of tries is made; after it, and in a later life of the actor, we
never give up, for only a human or the supervisor may decide to stop a running market maker. Each pause doubles within
bounds, with jitter.
"""

from __future__ import annotations

import asyncio
import os
import random
from typing import Protocol

from structlog.stdlib import BoundLogger

from domain.clock import Clock
from domain.errors import ConnectivityError, UserError, VenueUnreachableError
from venues.backoff import Backoff
from venues.config import VenueConfig, venue_proxy
from venues.transport.contract import Transport
from venues.transport.opening import open_transport

CLOSE_TIMEOUT_S = 1.0


class SessionOwner(Protocol):
    """Whoever gives the frames a meaning: the feed or the order gateway."""

    async def open_session(self) -> None:
        """The socket is open: make the session ready, or raise ConnectivityError or a UserError."""
        ...

    def on_frame(self, frame: bytes | memoryview) -> None: ...

    def on_control(self) -> None: ...

    def on_closed(self, reason: str) -> None:
        """The socket is closed; called once for every connection that was open."""
        ...


class Connection:
    """Connects, hands frames over, reconnects.

    Args:
        gives_up: before the first success, after connect_tries_max tries; False = never.

    Attributes:
        alive_time_ns: monotonic, from when on silence counts; 0 = not connected yet. The connection writes it when the
            socket opens, the owner whenever it hears the venue, and when it asks for the first time.
        connections: sessions made ready so far.
    """

    def __init__(
        self,
        config: VenueConfig,
        url: str,
        owner: SessionOwner,
        clock: Clock,
        log: BoundLogger,
        *,
        gives_up: bool = True,
    ) -> None:
        self._config = config
        self._url = url
        self._proxy = venue_proxy(config, os.environ)
        self._owner = owner
        self._clock = clock
        self._log = log
        self._gives_up = gives_up
        self._transport: Transport | None = None
        self._closed: asyncio.Future[str] | None = None
        self._crash: Exception | None = None
        self._stopping = asyncio.Event()
        self._backoff = Backoff(config.backoff_ms_min, config.backoff_ms_max, random.Random())
        self._next_ping_ns = 0
        self.alive_time_ns = 0
        self.connections = 0

    # ---- for the owner -------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Write one frame. Raises ConnectivityError when there is no connection."""
        if self._transport is None:
            raise ConnectivityError("not connected to the venue")
        self._transport.send(frame)

    def ping_when_due(self, now_ns: int) -> None:
        """Ping if the interval has passed since the last one."""
        if self._transport is not None and now_ns >= self._next_ping_ns:
            self._next_ping_ns = now_ns + self._config.ping_interval_ns
            self._transport.ping()

    def set_ready(self) -> None:
        """Count a session made ready: the next pause is the shortest again, and we never give up any more."""
        self.connections += 1
        self._backoff.reset()

    def drop(self, reason: str) -> None:
        """End the present connection; the next one follows by itself."""
        if self._transport is not None:
            self._transport.close(reason)

    def stop(self, reason: str) -> None:
        """End for good, without waiting for the socket."""
        self._stopping.set()
        self.drop(reason)

    async def close(self) -> None:
        """End for good; returns when the socket is closed, or after CLOSE_TIMEOUT_S."""
        self.stop("closing")
        if self._closed is not None and not self._closed.done():
            await asyncio.wait([self._closed], timeout=CLOSE_TIMEOUT_S)

    async def run(self) -> None:
        """Keep the session alive until `close`.

        Raises:
            VenueUnreachableError: connect_tries_max connections failed and none ever succeeded.
            UserError: the owner's reason why starting cannot succeed (before the first success).
        """
        tries = 0
        while not self._stopping.is_set():
            error = await self._one_life()
            if self._crash is not None:
                raise self._crash
            if self._stopping.is_set():
                return
            if self.connections == 0 and self._gives_up:
                tries += 1
                self._give_up_if_hopeless(error, tries)
            await self._pause(error)

    # ---- from the transport --------------------------------------------------------------------------

    def on_frame(self, frame: bytes | memoryview) -> None:
        try:
            self._owner.on_frame(frame)
        except Exception as error:  # a bug of ours: `run` raises it, so that it crashes the actor
            self._crash = self._crash or error
            self.drop(f"{type(error).__name__} in our own code")

    def on_control(self) -> None:
        self._owner.on_control()

    def on_close(self, reason: str) -> None:
        self._transport = None
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(reason)
        self._owner.on_closed(reason)

    # ---- one connection ------------------------------------------------------------------------------

    async def _one_life(self) -> Exception:
        """Connect, serve until the connection ends, return why it ended."""
        self._closed = closed = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._config.connect_timeout_ms / 1000):
                transport = await open_transport(
                    self._config.transport,
                    self._url,
                    self,
                    timeout_s=self._config.connect_timeout_ms / 1000,
                    proxy=self._proxy,
                    ca_file=self._config.ca_file,
                )
                if not closed.done():
                    self._transport = transport
                    self.alive_time_ns = self._clock.monotonic_ns()
                    if self._stopping.is_set():  # meanwhile
                        raise ConnectivityError("closing")
                    await self._owner.open_session()
        except TimeoutError:
            return await self._failed(
                ConnectivityError(f"no session with {self._url} within {self._config.connect_timeout_ms} ms")
            )
        except (ConnectivityError, UserError) as error:
            return await self._failed(error)
        return ConnectivityError(await closed)

    async def _failed(self, error: Exception) -> Exception:
        self.drop(str(error))
        if self._transport is not None and self._closed is not None:
            await asyncio.wait([self._closed], timeout=CLOSE_TIMEOUT_S)
        return error

    def _give_up_if_hopeless(self, error: Exception, tries: int) -> None:
        if isinstance(error, UserError):
            raise error
        if tries >= self._config.connect_tries_max:
            raise VenueUnreachableError(
                f"venue unreachable after {tries} tries: {error}; check the address, the network and the "
                "venue's status page"
            ) from error

    async def _pause(self, error: Exception) -> None:
        pause_s = self._backoff.next_s()
        self._log.warning("venue connection lost", reason=str(error), retry_in_ms=round(pause_s * 1000))
        try:
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()
        except TimeoutError:
            return
