"""Faults on demand or by a schedule: what networks and venues do on a bad day.

A fault is a JSON object with a `kind` and what that kind needs; by a schedule also `at_s`, seconds after the
start. Everything random is drawn from one seeded generator. Faults work on the frames between a session and
its socket, so that the venue itself stays correct: what it did is in its order log, whatever the client saw.

    disconnect          cut connections, with a close frame
    reset               cut connections as a dying peer does: a TCP reset, no close frame
    half_open           the venue lets go of the session, its orders fall, and the client is not told
    blackhole           nothing passes either way for `duration_s`
    delay               every frame to the client waits `delay_ms`, for `duration_s`
    reorder             a response is sent after the next one, with `probability`, for `duration_s`
    duplicate           a notification is sent twice, with `probability`, for `duration_s`
    drop                a notification is not sent, with `probability`, for `duration_s`
    malformed           one frame that is no JSON
    crossed_book        a listener to a book is told of a bid above the best ask, which there is not
    error               the next `count` requests of `method` are answered with `code` and not carried out
    lost_answer         the next `count` requests of `method` are carried out, and their answers lost
    rate_limit          every order and cancel is answered with code 4 for `duration_s`
    clock_skew          the venue's clock is off by `skew_s` from now on
    reconnect           the system channel announces a reconnect; connections are cut after `notice_s`

`account`, `session` (its id in the order log) and `channel` (a prefix) narrow down where a fault applies;
without them it applies to all.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from exchange.core.scheduler import NS_PER_MS, NS_PER_S, Scheduler
from exchange.gateways.thalex import wire
from exchange.gateways.thalex.book_channel import BookChannel
from exchange.gateways.thalex.errors import ErrorCode

if TYPE_CHECKING:
    from exchange.gateways.thalex.session import Session

Kind = Literal[
    "disconnect",
    "reset",
    "half_open",
    "blackhole",
    "delay",
    "reorder",
    "duplicate",
    "drop",
    "malformed",
    "crossed_book",
    "error",
    "lost_answer",
    "rate_limit",
    "clock_skew",
    "reconnect",
]
LASTING = frozenset({"blackhole", "delay", "reorder", "duplicate", "drop", "rate_limit"})
MALFORMED_FRAMES = (b'{"id":7,"result":', b'{"channel_name":"', b"\x00\x01\x02", b"nonsense", b"[]", b"{}")
RECONNECT = wire.encode({"event": "reconnect"})
NOTIFICATION = b'{"channel_name":"'


class Fault(Struct, frozen=True):
    kind: Kind
    at_s: Annotated[float, Meta(ge=0)] = 0.0
    duration_s: Annotated[float, Meta(ge=0, le=86_400)] = 1.0
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    delay_ms: Annotated[float, Meta(ge=0, le=60_000)] = 100.0
    notice_s: Annotated[float, Meta(ge=0, le=3_600)] = 10.0
    skew_s: float = 0.0
    method: str = ""
    code: int = int(ErrorCode.TEMPORARY_FAILURE)
    count: Annotated[int, Meta(ge=1)] = 1
    account: str | None = None
    session: str | None = None
    channel: str = ""


schedule_decoder = msgspec.json.Decoder(list[Fault])


@dataclass(slots=True)
class Lasting:
    """A fault that goes on until `until_ns`."""

    fault: Fault
    until_ns: int


@dataclass(slots=True)
class Requests:
    """Requests of one method that a fault is still to meet."""

    fault: Fault
    left: int


@dataclass(slots=True)
class Counters:
    """What the faults have done so far, by kind."""

    done: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str) -> None:
        self.done[kind] = self.done.get(kind, 0) + 1


class Faults:
    """The faults in force. `sessions` is the front-end's own table of live sessions."""

    def __init__(self, scheduler: Scheduler, sessions: dict[str, Session], seed: int = 0) -> None:
        self.scheduler = scheduler
        self.counters = Counters()
        self._sessions = sessions
        self._random = random.Random(seed)
        self._lasting: list[Lasting] = []
        self._requests: list[Requests] = []

    # -- starting and ending -------------------------------------------------------------------

    def schedule(self, faults: list[Fault]) -> None:
        """Let each fault begin at its time from now."""
        start_ns = self.scheduler.monotonic_ns()
        for fault in faults:
            self.scheduler.call_at(start_ns + round(fault.at_s * NS_PER_S), lambda of=fault: self.begin(of))  # type: ignore[misc]

    def begin(self, fault: Fault, *, spare: Session | None = None) -> None:
        """Begin a fault now; a connection that asked for it is spared where connections are cut."""
        now_ns = self.scheduler.monotonic_ns()
        if fault.kind in LASTING:
            self._lasting = [each for each in self._lasting if each.until_ns > now_ns]
            self._lasting.append(Lasting(fault, now_ns + round(fault.duration_s * NS_PER_S)))
            return
        self.counters.add(fault.kind)
        if fault.kind in ("error", "lost_answer"):
            self._requests.append(Requests(fault, fault.count))
        elif fault.kind == "clock_skew":
            self.scheduler.skew(round(fault.skew_s * NS_PER_S))
        else:
            self._strike(fault, spare)

    def clear(self) -> None:
        """End all faults; the clock is right again."""
        self._lasting.clear()
        self._requests.clear()
        self.scheduler.skew(0)

    def _strike(self, fault: Fault, spare: Session | None) -> None:
        for session in list(self._sessions.values()):
            if session is spare or not _applies(fault, session):
                continue
            if fault.kind == "disconnect":
                session.hang_up("cut by a fault")
            elif fault.kind == "reset":
                session.reset()
            elif fault.kind == "half_open":
                session.on_closed()
            elif fault.kind == "malformed":
                session.link.put(self._random.choice(MALFORMED_FRAMES))
            elif fault.kind == "crossed_book":
                _cross_books(session)
            else:
                self._announce_reconnect(session, fault)

    def _announce_reconnect(self, session: Session, fault: Fault) -> None:
        if "system" in session.channels:
            session.send(wire.notification("system", RECONNECT))
        due_ns = self.scheduler.monotonic_ns() + round(fault.notice_s * NS_PER_S)
        self.scheduler.call_at(due_ns, lambda: session.hang_up("planned reconnect"))

    # -- acting --------------------------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Whether no lasting fault is in force."""
        if not self._lasting:
            return True
        now_ns = self.scheduler.monotonic_ns()
        self._lasting = [each for each in self._lasting if each.until_ns > now_ns]
        return not self._lasting

    def find(self, kind: Kind, session: Session, frame: bytes = b"") -> Fault | None:
        """Return a fault of that kind that applies now and, by chance, to this frame."""
        now_ns = self.scheduler.monotonic_ns()
        for each in self._lasting:
            fault = each.fault
            if fault.kind != kind or each.until_ns <= now_ns or not _applies(fault, session):
                continue
            if fault.channel and not frame.startswith(NOTIFICATION + fault.channel.encode()):
                continue
            if self._random.random() < fault.probability:
                self.counters.add(kind)
                return fault
        return None

    def error_for(self, session: Session, method: str, is_limited: bool) -> int | None:
        """Return the code that a request is to fail with, or None when it may go on."""
        failing = self._take_request("error", session, method)
        if failing is not None:
            return failing.code
        if is_limited and self._lasting and self.find("rate_limit", session):
            return int(ErrorCode.THROTTLE_EXCEEDED)
        return None

    def loses_answer(self, session: Session, method: str) -> bool:
        """Return whether the answer to this request gets lost."""
        return bool(self._requests) and self._take_request("lost_answer", session, method) is not None

    def _take_request(self, kind: Kind, session: Session, method: str) -> Fault | None:
        """Return the fault of that kind that meets this request, and count it off."""
        for each in self._requests:
            fault = each.fault
            if fault.kind == kind and fault.method in ("", method) and _applies(fault, session):
                each.left -= 1
                if not each.left:
                    self._requests.remove(each)
                return fault
        return None


class Link:
    """The way between one session and its socket. `put` writes a frame at once, whatever the faults."""

    def __init__(self, faults: Faults, session: Session, put: object) -> None:
        assert callable(put)
        self.put = put
        self._faults = faults
        self._session = session
        self._held: bytes | None = None  # a response that waits to be overtaken
        self._late: deque[bytes] = deque()
        self._late_due_ns = 0

    def send(self, frame: bytes) -> None:
        """Send a frame to the client, or what the faults make of it."""
        faults, session = self._faults, self._session
        if faults.is_quiet and not self._late and self._held is None:
            self.put(frame)
            return
        if faults.find("blackhole", session):
            return
        if frame.startswith(NOTIFICATION):
            if faults.find("drop", session, frame):
                return
            if faults.find("duplicate", session, frame):
                self._deliver(frame)
        elif self._held is None and faults.find("reorder", session):
            self._held = frame
            faults.scheduler.call_at(faults.scheduler.monotonic_ns() + NS_PER_S, self._release)
            return
        self._deliver(frame)
        if not frame.startswith(NOTIFICATION):
            self._release()

    def takes(self) -> bool:
        """Return whether a frame or ping from the client gets through."""
        return self._faults.is_quiet or not self._faults.find("blackhole", self._session)

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._deliver(held)

    def _deliver(self, frame: bytes) -> None:
        fault = self._faults.find("delay", self._session)
        if fault is None and not self._late:
            self.put(frame)
            return
        # What follows a late frame must not overtake it: the wire keeps the order.
        self._late.append(frame)
        delay_ns = round((fault.delay_ms if fault else 0.0) * NS_PER_MS)
        self._late_due_ns = max(self._late_due_ns, self._faults.scheduler.monotonic_ns() + delay_ns)
        self._faults.scheduler.call_at(self._late_due_ns, self._put_late)

    def _put_late(self) -> None:
        if self._late:
            self.put(self._late.popleft())


def _cross_books(session: Session) -> None:
    for channel in session.channels.values():
        frame = channel.crossed_message() if isinstance(channel, BookChannel) else None
        if frame is not None:
            session.link.put(frame)


def _applies(fault: Fault, session: Session) -> bool:
    if fault.session is not None and fault.session != session.session_id:
        return False
    return fault.account is None or (session.account is not None and session.account.number == fault.account)
