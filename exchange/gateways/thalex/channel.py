"""A channel: a named stream that is built and encoded once, whoever listens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from exchange.core.scheduler import Handle, Scheduler
from exchange.gateways.thalex import wire


class Subscriber(Protocol):
    def send(self, frame: bytes) -> None: ...


class Channel:
    """A stream that sends when told to. `name` is the exact string that clients subscribe to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._subscribers: dict[Subscriber, None] = {}

    @property
    def is_idle(self) -> bool:
        return not self._subscribers

    def add(self, subscriber: Subscriber) -> None:
        """Let `subscriber` listen from now on, after the first message, if this channel has one."""
        first = self.first_message()
        self._subscribers[subscriber] = None
        if first is not None:
            subscriber.send(first)

    def remove(self, subscriber: Subscriber) -> None:
        self._subscribers.pop(subscriber, None)

    def close(self) -> None:
        """Stop what the channel does by itself; called when nobody listens any more."""

    def first_message(self) -> bytes | None:
        """Return the frame that a new subscriber gets first."""
        return None

    def publish(self, payload: bytes) -> None:
        frame = wire.notification(self.name, payload)
        for subscriber in list(self._subscribers):
            subscriber.send(frame)


class PacedChannel(Channel, ABC):
    """A channel that sends at most once in `delay_ns`; what comes meanwhile goes out together.

    With a delay of 0 it sends on every change.
    """

    def __init__(self, name: str, scheduler: Scheduler, delay_ns: int) -> None:
        super().__init__(name)
        self._scheduler = scheduler
        self._delay_ns = delay_ns
        self._sent_ns = scheduler.monotonic_ns()
        self._timer: Handle | None = None

    def changed(self) -> None:
        """Note that there is something new: send it now, or when the delay is over."""
        if not self._delay_ns:
            self._send()
            return
        if self._timer is None:
            due_ns = self._sent_ns + self._delay_ns
            if due_ns <= self._scheduler.monotonic_ns():
                self._send()
            else:
                self._timer = self._scheduler.call_at(due_ns, self._on_due)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @abstractmethod
    def build(self) -> bytes | None:
        """Return what is new since the last call, encoded, or None when there is nothing to say."""

    def _on_due(self) -> None:
        self._timer = None
        self._send()

    def _send(self) -> None:
        payload = self.build()
        if payload is not None:
            self._sent_ns = self._scheduler.monotonic_ns()
            self.publish(payload)
