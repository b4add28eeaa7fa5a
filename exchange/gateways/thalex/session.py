"""One client's session, without the socket: frames in, frames out.

frame -> envelope -> method -> login? rate? -> typed params -> core -> commit -> response
                                                                        |
                                                    notifications go out here (or after, by setting)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from exchange.core.accounts import Account
from exchange.core.engine import Engine
from exchange.core.orders import DeleteReason, Order, OrderRejected
from exchange.core.scheduler import NS_PER_MS, NS_PER_S, Handle
from exchange.gateways.thalex import wire
from exchange.gateways.thalex.auth import Authenticator
from exchange.gateways.thalex.channel import Channel
from exchange.gateways.thalex.errors import ErrorCode, RequestError, request_error
from exchange.gateways.thalex.faults import Faults, Link
from exchange.gateways.thalex.hub import Hub
from exchange.gateways.thalex.rate_limit import TokenBucket
from exchange.order_log import OrderLog

LOOK_AGAIN_NS = 50 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Settings:
    """How this front-end behaves where the venue's own behaviour is configurable or unknown."""

    order_rate_per_s: int = 10
    order_rate_with_cod_per_s: int = 50
    cancel_rate_per_s: int = 1000
    notifications_first: bool = True
    latency_ns: int = 0
    admin: bool = False
    fault_seed: int = 0
    connections_max: int = 0  # of one account; 0 = any
    channels_max: int = 2_000  # of one connection
    backlog_bytes_max: int = 16 * 1024 * 1024  # what may wait for a client that does not read


class Controls(Protocol):
    """What the admin methods may do to the background."""

    def jump(self, change: Decimal, underlying: str) -> bool: ...

    def set_running(self, running: bool) -> None: ...


@dataclass(slots=True)
class Context:
    """What all sessions share. `sessions` are the live ones by id."""

    engine: Engine
    hub: Hub
    authenticator: Authenticator
    order_log: OrderLog
    settings: Settings
    controls: Controls | None
    sessions: dict[str, Session]
    faults: Faults = field(init=False)
    requests_total: int = 0
    frames_sent_total: int = 0
    errors_by_code: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.faults = Faults(self.engine.scheduler, self.sessions, self.settings.fault_seed)


@dataclass(frozen=True, slots=True)
class Method:
    """How a method is called: its params' type, who may call it, which bucket it counts in, and whether each call is
    written into the order log."""

    handler: Callable[[Session, Any], bytes]
    decoder: msgspec.json.Decoder[Any]
    needs_login: bool = False
    bucket: str | None = None
    needs_admin: bool = False
    is_logged: bool = False


Methods = dict[str, Method]


class Session:
    """`send` puts a frame on the wire, `hang_up` closes the connection, `reset` cuts it; all return at once.

    `peer` is the client's address, for the order log.
    """

    def __init__(
        self,
        context: Context,
        methods: Methods,
        session_id: str,
        send: Callable[[bytes], None],
        hang_up: Callable[[str], None],
        reset: Callable[[], None],
        peer: str = "",
    ) -> None:
        self.context = context
        self.session_id = session_id
        self.account: Account | None = None
        self.cod_timeout_ns = 0  # 0: not armed, orders outlive the session
        self.channels: dict[str, Channel] = {}
        self.first_messages: list[Channel] = []  # joined by this request; they speak after its response
        self._methods = methods
        self.link = Link(context.faults, self, send)
        self._hang_up = hang_up
        self._reset = reset
        self._open = True
        self._heard_ns = context.engine.scheduler.monotonic_ns()
        self._cod_timer: Handle | None = None
        self._delayed: deque[bytes] = deque()
        settings, now_ns = context.settings, self._heard_ns
        self.buckets = {
            "order": TokenBucket(settings.order_rate_per_s, now_ns),
            "cancel": TokenBucket(settings.cancel_rate_per_s, now_ns),
        }
        context.sessions[session_id] = self
        context.order_log.write("connect", session_id, peer=peer)

    # -- what the socket tells -----------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        if self._open:
            self.context.frames_sent_total += 1
            self.link.send(frame)

    def on_activity(self) -> None:
        """Something arrived, a ping frame at least: the client is alive."""
        if self.link.takes():
            self._heard_ns = self.context.engine.scheduler.monotonic_ns()

    def on_frame(self, frame: bytes) -> None:
        """Take one message; answer it now, or after the configured latency, in order."""
        if not self._open or not self.link.takes():
            return
        latency_ns = self.context.settings.latency_ns
        if not latency_ns:
            self._answer(frame)
            return
        self._delayed.append(frame)
        scheduler = self.context.engine.scheduler
        scheduler.call_at(scheduler.monotonic_ns() + latency_ns, self._answer_delayed)

    def on_socket_closed(self) -> None:
        """The socket is closed; the end of a connection is a message too, and a black hole swallows it."""
        if self._open and not self.link.takes():
            scheduler = self.context.engine.scheduler
            scheduler.call_at(scheduler.monotonic_ns() + LOOK_AGAIN_NS, self.on_socket_closed)
        else:
            self.on_closed()

    def on_closed(self) -> None:
        """The connection is gone: leave all channels, and let go of orders that must not outlive it."""
        if not self._open:
            return
        self._open = False
        self._delayed.clear()
        if self._cod_timer is not None:
            self._cod_timer.cancel()
        for channel in self.channels.values():
            channel.remove(self)
            self.context.hub.release(channel)
        self.context.sessions.pop(self.session_id, None)
        self.context.order_log.write("disconnect", self.session_id)
        self.cancel_own_orders()

    def hang_up(self, reason: str) -> None:
        """End the session from the venue's side."""
        self.on_closed()
        self._hang_up(reason)

    def reset(self) -> None:
        """End the session by a TCP reset: the client gets no close frame."""
        self.on_closed()
        self._reset()

    # -- cancel on disconnect ------------------------------------------------------------------

    def arm_cancel_on_disconnect(self, timeout_s: int) -> None:
        scheduler, settings = self.context.engine.scheduler, self.context.settings
        self.cod_timeout_ns = timeout_s * NS_PER_S
        self.buckets["order"].set_rate(settings.order_rate_with_cod_per_s, scheduler.monotonic_ns())
        if self._cod_timer is not None:
            self._cod_timer.cancel()
        self._cod_timer = scheduler.call_at(self._heard_ns + self.cod_timeout_ns, self._check_heard)
        self.context.order_log.write("cancel_on_disconnect", self.session_id, timeout_s=timeout_s)

    def own_orders(self) -> list[Order]:
        """Return this session's working orders that die with it."""
        if self.account is None:
            return []
        orders = self.account.open_orders.values()
        return [order for order in orders if order.session_id == self.session_id and not order.persistent]

    def cancel_own_orders(self) -> None:
        """Cancel what must not outlive the session, and forget its protection groups."""
        self.context.engine.cancel_orders(self.own_orders(), DeleteReason.SESSION_END)
        self.context.engine.quotes.end_session(self.session_id)
        self.context.engine.rfqs.end_session(self.session_id)
        self.context.engine.commit()

    def _check_heard(self) -> None:
        scheduler = self.context.engine.scheduler
        due_ns = self._heard_ns + self.cod_timeout_ns
        if scheduler.monotonic_ns() < due_ns:
            self._cod_timer = scheduler.call_at(due_ns, self._check_heard)
            return
        self._cod_timer = None
        self.hang_up(f"nothing received for {self.cod_timeout_ns // NS_PER_MS} ms")

    # -- requests ------------------------------------------------------------------------------

    def _answer_delayed(self) -> None:
        if self._delayed:
            self._answer(self._delayed.popleft())

    def _answer(self, frame: bytes) -> None:
        self.context.requests_total += 1
        try:
            request = wire.decode_request(frame)
        except RequestError as error:
            self.send(wire.error_response(wire.salvage_id(frame), error.code, str(error)))
            return
        try:
            reply = wire.response(request.id, self._call(request))
        except RequestError as error:
            self._log_reject(request, error)
            reply = wire.error_response(request.id, error.code, str(error))
        is_lost = self.context.faults.loses_answer(self, request.method)
        if self.context.settings.notifications_first:
            self.context.engine.commit()
        if not is_lost:
            self.send(reply)
        if not self.context.settings.notifications_first:
            self.context.engine.commit()
        self._join_channels()

    def _call(self, request: wire.Request) -> bytes:
        method = self._methods.get(request.method)
        if method is None or (method.needs_admin and not self.context.settings.admin):
            raise RequestError(ErrorCode.UNKNOWN_METHOD, f"unknown method {request.method!r}")
        if method.needs_login and self.account is None:
            raise RequestError(ErrorCode.NOT_LOGGED_IN, "not logged in: call public/login first")
        code = self.context.faults.error_for(self, request.method, method.bucket is not None)
        if code is not None:
            is_storm = code == ErrorCode.THROTTLE_EXCEEDED
            raise RequestError(code, "throttle exceeded" if is_storm else "temporary failure")
        if method.bucket is not None:
            now_ns = self.context.engine.scheduler.monotonic_ns()
            if not self.buckets[method.bucket].try_take(now_ns):
                raise RequestError(ErrorCode.THROTTLE_EXCEEDED, "throttle exceeded")
        try:
            params = method.decoder.decode(request.params)
        except msgspec.ValidationError as error:
            raise RequestError(ErrorCode.INVALID_REQUEST, f"invalid request: {error}") from None
        if method.is_logged:
            told = msgspec.to_builtins(params)
            self.context.order_log.write("request", self.session_id, method=request.method, params=told)
        try:
            return method.handler(self, params)
        except OrderRejected as rejected:
            raise request_error(rejected) from None

    def _log_reject(self, request: wire.Request, error: RequestError) -> None:
        code = int(error.code)
        self.context.errors_by_code[code] = self.context.errors_by_code.get(code, 0) + 1
        fields = {"method": request.method, "code": int(error.code), "message": str(error)}
        self.context.order_log.write("reject", self.session_id, **fields)

    def _join_channels(self) -> None:
        for channel in self.first_messages:
            channel.add(self)
        self.first_messages.clear()
