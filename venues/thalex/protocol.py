"""The Thalex session, without a socket: frames in, events and frames out. Nothing here waits or reads a clock.

A private session logs in, arms cancel-on-disconnect and subscribes; an errand only logs in; a public session lists
the instruments and subscribes. Each step is one request whose answer leads to the next; the tables below are the whole
machine.

    private   NEW -> LOGGING_IN -> ARMING -> SUBSCRIBING -> READY
    errand    NEW -> LOGGING_IN -> READY
    public    NEW -> LISTING -> SUBSCRIBING -> READY         any refused step -> FAILED

The caller hands every frame to `receive`, acts on the event, then writes what `data_to_send` returns. Results
and notifications of the same fact come in either order: they are matched by id and by channel alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from domain.instrument import Instrument
from venues.thalex.account_wire import decode_armed, decode_channels, decode_login
from venues.thalex.market_wire import decode_instruments
from venues.thalex.requests import Answer, Decode, Pending, Requests
from venues.thalex.wire import Envelope, decode_envelope, encode_request

__all__ = ["Answer", "Decode", "Event", "Failed", "Listed", "Pending", "Phase", "Ready", "Requests", "Session"]

MESSAGE_RATE_DEFAULT = 10  # of a connection whose venue names no rate

# Answers after which another token of the same key cannot help.
CODE_NOT_LOGGED_IN = 7
CODE_ALREADY_SUBSCRIBED = 8
CODE_NOT_SUBSCRIBED = 9
CODE_AUTHENTICATION_FAILED = 19
CODE_UNAUTHORIZED = 28
LOGIN_REFUSED_CODES = frozenset({CODE_NOT_LOGGED_IN, CODE_AUTHENTICATION_FAILED, CODE_UNAUTHORIZED})

ChooseChannels = Callable[[dict[str, Instrument]], Sequence[str]]


class Phase(Enum):
    NEW = "new"
    LOGGING_IN = "logging in"
    ARMING = "arming cancel-on-disconnect"
    LISTING = "listing instruments"
    SUBSCRIBING = "subscribing"
    READY = "ready"
    FAILED = "failed"


# What follows when the step is accepted; a refused step always leads to FAILED.
PRIVATE_STEPS: dict[Phase, Phase] = {
    Phase.NEW: Phase.LOGGING_IN,
    Phase.LOGGING_IN: Phase.ARMING,
    Phase.ARMING: Phase.SUBSCRIBING,
    Phase.SUBSCRIBING: Phase.READY,
}
ERRAND_STEPS: dict[Phase, Phase] = {
    Phase.NEW: Phase.LOGGING_IN,
    Phase.LOGGING_IN: Phase.READY,
}
PUBLIC_STEPS: dict[Phase, Phase] = {
    Phase.NEW: Phase.LISTING,
    Phase.LISTING: Phase.SUBSCRIBING,
    Phase.SUBSCRIBING: Phase.READY,
}


@dataclass(slots=True)
class Ready:
    """The last step was accepted."""


@dataclass(slots=True)
class Listed:
    """The venue's active instruments; the subscription follows with the next `data_to_send`."""

    instruments: dict[str, Instrument]


@dataclass(slots=True)
class Failed:
    """A step was refused. `is_login` = the venue does not accept the key."""

    reason: str
    is_login: bool = False


Event = Envelope | Answer | Ready | Listed | Failed


class Session:
    """One connection's session.

    Attributes:
        phase: where the session stands.
        message_rate: inserts and amends a second that the venue takes, once armed.
    """

    def __init__(
        self,
        steps: dict[Phase, Phase],
        channels: Sequence[str],
        requests: Requests,
        choose_channels: ChooseChannels | None = None,
    ) -> None:
        self._steps = steps
        self._channels = list(channels)
        self._choose_channels = choose_channels
        self._step_request: Pending | None = None
        self._outgoing: list[bytes] = []
        self._login: dict[str, str] = {}
        self._cancel_on_disconnect_s = 0
        self.requests = requests
        self.phase = Phase.NEW
        self.message_rate = MESSAGE_RATE_DEFAULT

    @classmethod
    def private(
        cls, channels: Sequence[str], requests: Requests, *, token: str, account: str, timeout_s: int
    ) -> Session:
        """Return a session that will log in and have its orders cancelled `timeout_s` after silence."""
        session = cls(PRIVATE_STEPS, channels, requests)
        session._login = _login(token, account)
        session._cancel_on_disconnect_s = timeout_s
        return session

    @classmethod
    def errand(cls, requests: Requests, *, token: str, account: str) -> Session:
        """Return a session that is ready as soon as it has logged in: it has no orders and hears of nothing."""
        session = cls(ERRAND_STEPS, (), requests)
        session._login = _login(token, account)
        return session

    @classmethod
    def public(
        cls, channels: Sequence[str], requests: Requests, choose_channels: ChooseChannels | None = None
    ) -> Session:
        """Return a session without login; `choose_channels` names the channels once the instruments are listed."""
        return cls(PUBLIC_STEPS, channels, requests, choose_channels)

    def start(self, now_ns: int) -> None:
        """Begin, once the socket is open."""
        assert self.phase is Phase.NEW, f"a session starts once, not when {self.phase.value}"
        self._advance(now_ns)

    def request(self, method: str, params: object, decode: Decode, now_ns: int, **marks: Any) -> Pending:
        """Queue any request; its Answer comes from `receive` with the same `marks`."""
        request_id = self.requests.next_id()
        pending = self.requests.register(request_id, method, decode, now_ns, **marks)
        self._outgoing.append(encode_request(method, request_id, params))
        return pending

    @property
    def is_logged_in(self) -> bool:
        return self.phase in (Phase.ARMING, Phase.SUBSCRIBING, Phase.READY)

    @property
    def has_data_to_send(self) -> bool:
        return bool(self._outgoing)

    def data_to_send(self) -> list[bytes]:
        """Return and forget the frames to write now, in order."""
        frames, self._outgoing = self._outgoing, []
        return frames

    def receive(self, frame: bytes | memoryview, now_ns: int) -> Event | None:
        """Return what `frame` means; None when it answers nothing that we wait for.

        A returned Envelope is a notification; its payload points into `frame`.

        Raises:
            ProtocolError: the frame is malformed; the session goes on.
        """
        envelope = decode_envelope(frame)
        if envelope.channel_name:
            return envelope
        answer = self.requests.match(envelope)
        if answer is not None and answer.pending is self._step_request:
            return self._on_step_answer(answer, now_ns)
        return answer

    def _on_step_answer(self, answer: Answer, now_ns: int) -> Event | None:
        if answer.error is not None:
            return self._fail(str(answer.error), answer.error.code)
        if self.phase is Phase.SUBSCRIBING:
            missing = [channel for channel in self._channels if channel not in answer.value]
            if missing:
                return self._fail(f"the venue did not subscribe us to {', '.join(missing)}")
        elif self.phase is Phase.ARMING and answer.value is not None:
            self.message_rate = answer.value.message_rate or MESSAGE_RATE_DEFAULT
        event = Listed(answer.value) if self.phase is Phase.LISTING else None
        if event is not None and self._choose_channels is not None:
            self._channels = list(self._choose_channels(event.instruments))
        self._advance(now_ns)
        return Ready() if self.phase is Phase.READY else event

    def _fail(self, reason: str, code: int = 0) -> Failed:
        is_login = self.phase is Phase.LOGGING_IN and code in LOGIN_REFUSED_CODES
        failed = Failed(f"{self.phase.value}: {reason}", is_login)
        self.phase = Phase.FAILED
        self._step_request = None
        return failed

    def _advance(self, now_ns: int) -> None:
        self.phase = self._steps[self.phase]
        self._step_request = None
        step = self._step()
        if step is not None:
            method, params, decode = step
            self._step_request = self.request(method, params, decode, now_ns)

    def _step(self) -> tuple[str, object, Decode] | None:
        """Return the request that belongs to the present phase."""
        match self.phase:
            case Phase.LOGGING_IN:
                return "public/login", self._login, decode_login
            case Phase.ARMING:
                params = {"timeout_secs": self._cancel_on_disconnect_s}
                return "private/set_cancel_on_disconnect", params, decode_armed
            case Phase.LISTING:
                return "public/instruments", {}, decode_instruments
            case Phase.SUBSCRIBING:
                prefix = "private" if self._steps is PRIVATE_STEPS else "public"
                return f"{prefix}/subscribe", {"channels": self._channels}, decode_channels
        return None


def _login(token: str, account: str) -> dict[str, str]:
    return {"token": token, "account": account} if account else {"token": token}
