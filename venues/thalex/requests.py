"""Requests under way: numbered when written, matched with their answers by that number alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain.errors import ConnectivityError, ProtocolError, VenueError
from venues.thalex.wire import REASON_CHARS_MAX, Envelope, ErrorBody

PENDING_MAX = 8192  # 1000 cancels a second for the longest time that an answer may take

Decode = Callable[[Any], Any]


@dataclass(slots=True)
class Pending:
    """A request that waits for its answer. `context` belongs to the caller."""

    request_id: int
    method: str
    decode: Decode
    deadline_ns: int
    kind: str = ""
    client_order_id: int = 0
    context: Any = None


@dataclass(slots=True)
class Answer:
    """The answer to `pending`: a decoded value, or an error."""

    pending: Pending
    value: Any
    error: VenueError | None


class Requests:
    """Numbers requests and matches answers to them."""

    def __init__(self, timeout_ns: int) -> None:
        self._timeout_ns = timeout_ns
        self._last_id = 0
        self._pending: dict[int, Pending] = {}
        self.unmatched = 0  # answers to nothing that we asked, or to what was given up

    def __len__(self) -> int:
        return len(self._pending)

    def next_id(self) -> int:
        """Return a fresh request id."""
        self._last_id += 1
        return self._last_id

    def register(
        self,
        request_id: int,
        method: str,
        decode: Decode,
        now_ns: int,
        *,
        kind: str = "",
        client_order_id: int = 0,
        context: Any = None,
    ) -> Pending:
        """Remember a request that is about to be written.

        Raises:
            ConnectivityError: when PENDING_MAX requests are unanswered: the venue has stopped answering.
        """
        if len(self._pending) >= PENDING_MAX:
            raise ConnectivityError(f"{PENDING_MAX} requests are unanswered; {method} was not sent")
        pending = Pending(request_id, method, decode, now_ns + self._timeout_ns, kind, client_order_id, context)
        self._pending[request_id] = pending
        return pending

    def match(self, envelope: Envelope) -> Answer | None:
        """Return the answer in `envelope`, or None when nobody waits for it."""
        request_id = envelope.id
        pending = self._pending.get(request_id) if isinstance(request_id, int) else None
        if pending is None:
            self.unmatched += 1
            return None
        if envelope.error is not None:
            answer = Answer(pending, None, _venue_error(envelope.error, pending.method))
        else:
            try:
                answer = Answer(pending, pending.decode(envelope.result), None)
            except ProtocolError as error:
                # Unreadable is not refused, for it may have been carried out: the request goes on waiting.
                raise ProtocolError(f"answer to {pending.method}: {error}", error.refusal) from error
        del self._pending[pending.request_id]
        return answer

    def forget(self, pending: Pending) -> None:
        """Stop waiting for an answer."""
        self._pending.pop(pending.request_id, None)

    def expire(self, now_ns: int) -> list[Pending]:
        """Remove and return the requests whose answer is overdue, oldest first."""
        late = []
        for pending in self._pending.values():  # in the order of their deadlines
            if pending.deadline_ns > now_ns:
                break
            late.append(pending)
        for pending in late:
            del self._pending[pending.request_id]
        return late

    def abandon(self) -> list[Pending]:
        """Remove and return all waiting requests: the connection is gone."""
        waiting = list(self._pending.values())
        self._pending.clear()
        return waiting


def _venue_error(body: ErrorBody, method: str) -> VenueError:
    return VenueError(body.code, body.message[:REASON_CHARS_MAX], method)
