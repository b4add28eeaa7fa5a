"""The private connection: orders out, reports in. One instance is one account on one connection at a time.

Order requests are written at once and their answers go to the listener. An answer that does not come in time is
a lost connection, whatever was asked: the state is then unknown, pongs do not say that the session behind the
socket lives, and only a new start from the venue's truth helps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from structlog.stdlib import BoundLogger

from domain.clock import NS_PER_MS, Clock
from domain.errors import ConnectivityError, CredentialsError, ProtocolError
from venues.conditional import ConditionalListener
from venues.config import VenueConfig
from venues.credentials import LOCK_WAIT_S_MAX, Credentials, TokenSigner
from venues.gateway import OrderListener
from venues.quoting import QuoteListener
from venues.thalex import account_wire
from venues.thalex.connection import Connection
from venues.thalex.money_lists import PositionLists, TradeLists
from venues.thalex.order_lists import OrderLists
from venues.thalex.order_replies import (
    CONDITIONAL_CHANNEL,
    ORDERS_CHANNEL,
    POSITIONS_CHANNEL,
    PROTECTION_CHANNEL,
    SYSTEM_CHANNEL,
    TRADES_CHANNEL,
    OrderReplies,
)
from venues.thalex.order_requests import OrderRequests
from venues.thalex.protocol import Answer, Decode, Failed, Pending, Ready, Requests, Session
from venues.thalex.wire import Envelope

ERRAND_LOCK_WAIT_S = 0.3  # an errand does not wait for long behind others that log in: it is tried again
LOCK_WAIT_SHARE_MAX = 0.25  # of the time for connecting: most of it is for the login itself
ERRAND_LOGIN_TRIES = 3  # beside others that log in as well
LOGIN_TRIES = 2  # another process of the same key may have overtaken our first token

Spawn = Callable[[Coroutine[Any, Any, None], str], object]


class ThalexOrderGateway(OrderRequests):
    """An `OrderGateway` for Thalex and for the local exchange.

    Args:
        state_dir: where the last token time of a key is kept; shared by all processes of the key; None = by nobody.
        spawn: runs the connection's task; its failure (refused keys, unreachable venue) must end the owner.
            Without it the failure is raised by `wait_ready`.
        orders_channel: `session.orders`, or `account.orders` for an owner that watches all connections.
        quote_listener: for an owner that sends mass quotes.
        conditional_listener: for an owner that keeps conditional orders.
        own_labels: mark all orders of the owner; then others' orders that cannot be read are left out of lists.
        own_instruments: those that the owner trades; then unreadable positions in others are left out of lists.
        is_errand: ready as soon as it has logged in, for an owner that places no orders and listens to no channel.
        gives_up: False for a later life of an owner that has been here before: an outage ends no session.

    Attributes:
        bad_frames: frames that could not be read; they were skipped.
        reconnects: sessions made ready after the first one.
    """

    def __init__(
        self,
        config: VenueConfig,
        url: str,
        credentials: Credentials,
        state_dir: Path | None,
        listener: OrderListener,
        clock: Clock,
        log: BoundLogger,
        spawn: Spawn | None = None,
        *,
        orders_channel: str = ORDERS_CHANNEL,
        quote_listener: QuoteListener | None = None,
        conditional_listener: ConditionalListener | None = None,
        own_labels: frozenset[str] = frozenset(),
        own_instruments: frozenset[str] = frozenset(),
        is_errand: bool = False,
        gives_up: bool = True,
    ) -> None:
        self._is_errand = is_errand
        self._config = config
        self._listener = listener
        self._clock = clock
        self._log = log
        self._spawn = spawn
        self._signer = TokenSigner(credentials, state_dir, clock)
        self._connection = Connection(config, url, self, clock, log, gives_up=gives_up)
        self._session: Session | None = None
        self._login_over = asyncio.Event()  # answered, one way or the other, or the connection is gone
        self._settled: asyncio.Future[None] | None = None
        self._ready = asyncio.Event()
        self.lists = OrderLists(own_labels, self._on_left_out)
        self.trade_lists = TradeLists(self._on_unreadable_trade)
        self.position_lists = PositionLists(own_instruments, self._on_position_left_out)
        self._replies = OrderReplies(
            listener, orders_channel, log, quote_listener, conditional_listener, self.lists, self.trade_lists,
            self.position_lists,
        )  # fmt: skip
        self._channels: tuple[str, ...] = (orders_channel, POSITIONS_CHANNEL, TRADES_CHANNEL)
        if quote_listener is not None:
            self._channels += (PROTECTION_CHANNEL,)
        if conditional_listener is not None:
            self._channels += (CONDITIONAL_CHANNEL,)
        self._login_refusals = 0
        self._task: asyncio.Task[None] | None = None
        self.is_ready = False
        self.bad_frames = 0

    # ---- life ----------------------------------------------------------------------------------------

    @property
    def message_rate(self) -> int:
        return self._session.message_rate if self._session is not None else 0

    @property
    def reconnects(self) -> int:
        return max(0, self._connection.connections - 1)

    def start(self) -> None:
        """Connect in the background and stay connected; `on_ready` follows."""
        if self._spawn is not None:
            self._spawn(self._connection.run(), "orders connection")
        else:
            self._task = asyncio.get_running_loop().create_task(self._connection.run(), name="orders connection")

    async def wait_ready(self, timeout_s: float) -> None:
        """Return once ready; for owners without a `spawn`.

        Raises:
            UserError: the connection was given up; the reason.
            ConnectivityError: not ready within `timeout_s`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not self.is_ready:
                    await self._ready_or_given_up()
        except TimeoutError:
            raise ConnectivityError(f"no session with the venue within {timeout_s} s") from None

    async def _ready_or_given_up(self) -> None:
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._task} if self._task else {ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task is not None and self._task.done():
            await self._task
            raise ConnectivityError("the gateway was closed")

    async def close(self) -> None:
        """Close the connection for good; the venue cancels what the session left."""
        self.is_ready = False
        self._ready.clear()
        await self._connection.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def keep_alive(self, now_ns: int) -> None:
        """Ping, and find answers that are overdue or a connection that is dead."""
        session = self._session
        if session is None:
            return
        self._connection.ping_when_due(now_ns)
        for pending in session.requests.expire(now_ns):
            self._on_overdue(pending)
        silence_ns = now_ns - self._connection.alive_time_ns
        if silence_ns > self._config.orders_dead_ms * NS_PER_MS:
            self._connection.drop(f"the venue is silent for {silence_ns // NS_PER_MS} ms")

    def _on_overdue(self, pending: Pending) -> None:
        text = f"no answer to {pending.method} within {self._config.request_timeout_ms} ms"
        self._connection.drop(text)
        future = pending.context
        if future is not None and not future.done():
            future.set_exception(ConnectivityError(text))

    # ---- writing -------------------------------------------------------------------------------------

    def _ready_session(self) -> Session:
        if self._session is None or not self.is_ready:
            raise ConnectivityError("not connected to the venue: no order can be sent")
        return self._session

    def _requests(self) -> Requests:
        return self._ready_session().requests

    def _send(
        self, requests: Requests, request_id: int, method: str, kind: str, number: int, decode: Decode, frame: bytes
    ) -> int:
        now_ns = self._clock.monotonic_ns()
        pending = requests.register(request_id, method, decode, now_ns, kind=kind, client_order_id=number)
        try:
            self._connection.send(frame)
        except ConnectivityError:
            requests.forget(pending)
            raise
        return self._clock.monotonic_ns()

    # ---- questions -----------------------------------------------------------------------------------

    async def _call(self, method: str, params: object, decode: Decode) -> Any:
        session = self._ready_session()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        pending = session.request(method, params, decode, self._clock.monotonic_ns(), context=future)
        try:
            self._flush(session)
            async with asyncio.timeout(self._config.request_timeout_ms / 1000):
                return await future
        except TimeoutError:
            text = f"no answer to {method} within {self._config.request_timeout_ms} ms"
            self._connection.drop(text)  # pongs prove nothing: the session behind the socket may be gone
            raise ConnectivityError(text) from None
        finally:
            session.requests.forget(pending)

    # ---- from the connection -------------------------------------------------------------------------

    async def open_session(self) -> None:
        """Log in, arm cancel-on-disconnect, subscribe; other processes of the key wait only for the login."""
        self._login_over.clear()
        self._settled = settled = asyncio.get_running_loop().create_future()
        try:
            async with self._signer.login_token(self._lock_wait_s) as token:
                if settled.done():
                    await settled  # the connection was lost while we waited
                self._begin_session(token)
                await self._login_over.wait()
                if settled.done():
                    await settled  # of an errand; or it failed, and the token was not taken
            await settled
        finally:
            if not settled.cancel() and not settled.cancelled():
                settled.exception()  # nobody waits for it any more: a loss that nobody heard of would count as a bug

    @property
    def _lock_wait_s(self) -> float:
        """How long to wait behind others that log in; time is left for our own login, whatever is configured."""
        share_s = LOCK_WAIT_SHARE_MAX * self._config.connect_timeout_ms / 1000
        return min(ERRAND_LOCK_WAIT_S if self._is_errand else LOCK_WAIT_S_MAX, share_s)

    def _begin_session(self, token: str) -> None:
        session, now_ns = self._new_session(token), self._clock.monotonic_ns()
        self._replies.hold()
        self._connection.alive_time_ns = now_ns  # while we waited for the lock nothing was asked: that is no silence
        self._session = session
        session.start(now_ns)
        self._flush(session)

    def _new_session(self, token: str) -> Session:
        requests, account = Requests(self._config.request_timeout_ns), self._config.account
        if self._is_errand:
            return Session.errand(requests, token=token, account=account)
        timeout_s = self._config.cancel_on_disconnect_s
        return Session.private(self._channels, requests, token=token, account=account, timeout_s=timeout_s)

    def on_frame(self, frame: bytes | memoryview) -> None:
        now_ns = self._on_sign_of_life()
        session = self._session
        if session is None:
            return
        try:
            event = session.receive(frame, now_ns)
            if type(event) is Envelope:
                if planned_close := self._replies.take_notification(event):
                    self._connection.drop(planned_close)
            elif type(event) is Answer:
                self._replies.take_answer(event)
            elif type(event) is Ready:
                self._on_ready(session, now_ns)
            elif type(event) is Failed:
                self._on_step_refused(event)
            elif session.is_logged_in:
                self._login_over.set()
        except ProtocolError as error:
            self.bad_frames += 1
            self._log.warning("unreadable frame of the venue", reason=str(error), count=self.bad_frames)
            self._listener.on_bad_frame(error)
        self._flush(session)

    def on_control(self) -> None:
        self._on_sign_of_life()

    def on_closed(self, reason: str) -> None:
        session, was_ready = self._session, self.is_ready
        self._session, self.is_ready = None, False
        self._ready.clear()
        self._replies.hold()
        lost = ConnectivityError(reason)
        if self._settled is not None and not self._settled.done():
            self._settled.set_exception(lost)
        self._login_over.set()
        for pending in session.requests.abandon() if session is not None else ():
            if pending.context is not None and not pending.context.done():
                pending.context.set_exception(lost)
        if was_ready:
            self._listener.on_disconnected(reason)

    def _on_sign_of_life(self) -> int:
        now_ns = self._clock.monotonic_ns()
        self._connection.alive_time_ns = now_ns
        self._listener.on_alive(now_ns)
        return now_ns

    def _on_left_out(self, reason: str) -> None:
        self._log.warning("an order that is not ours is unreadable, and left out", reason=reason)

    def _on_position_left_out(self, reason: str) -> None:
        self._log.warning("a position that is not ours is unreadable, and left out", reason=reason)

    def _on_unreadable_trade(self, instrument_name: str, reason: str) -> None:
        self._log.warning("a line of the trade history is unreadable, and left out", reason=reason)
        self._listener.on_unreadable_trade(instrument_name, reason)

    def _flush(self, session: Session) -> None:
        for frame in session.data_to_send():
            try:
                self._connection.send(frame)
            except ConnectivityError:
                return  # `on_closed` follows and tells everybody who waits

    def _on_ready(self, session: Session, now_ns: int) -> None:
        self.is_ready = True
        self._ready.set()
        self._login_over.set()
        self._connection.set_ready()
        self._login_refusals = 0
        if not self._is_errand:
            system = {"channels": [SYSTEM_CHANNEL]}
            session.request("public/subscribe", system, account_wire.decode_void, now_ns, kind=SYSTEM_CHANNEL)
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        self._log.info("orders connection ready", message_rate=session.message_rate)
        self._listener.on_ready()
        self._replies.release()

    def _on_step_refused(self, failed: Failed) -> None:
        if self._settled is None or self._settled.done():
            return
        error: Exception = ConnectivityError(failed.reason)
        if failed.is_login:
            self._login_refusals += 1
            self._signer.refused()
            if self._login_refusals >= (ERRAND_LOGIN_TRIES if self._is_errand else LOGIN_TRIES):
                error = CredentialsError(
                    f"the venue refused the API key ({failed.reason}): check that the key belongs to this venue, "
                    "is not expired, may trade, and that this machine's clock is within 30 s"
                )
        self._settled.set_exception(error)
        self._login_over.set()
