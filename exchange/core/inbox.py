"""Notifications to the owner of an account: what the venue thinks worth a message."""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING

from exchange.core.accounts import Account
from exchange.core.events import InboxChanged
from exchange.core.inbox_notification import DisplayType, InboxNotification
from exchange.core.orders import OrderRejected, Reject

if TYPE_CHECKING:
    from exchange.core.engine import Engine

KEPT_MAX = 200
NOTIFICATION_ID_BASE = 0xA0


class Inbox:
    """The notifications of all accounts, newest last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)
        self._kept: dict[str, deque[InboxNotification]] = {}

    def post(self, account: Account, category: str, title: str, message: str, display_type: DisplayType) -> None:
        notification_id = f"{NOTIFICATION_ID_BASE + next(self._numbers):016X}"
        now_ns = self._engine.scheduler.realtime_ns()
        posted = InboxNotification(notification_id, now_ns, category, title, message, display_type)
        self._kept.setdefault(account.number, deque(maxlen=KEPT_MAX)).append(posted)
        self._engine.note(InboxChanged(account, posted))

    def of(self, account: Account) -> list[InboxNotification]:
        """Return an account's notifications, newest first."""
        return list(reversed(self._kept.get(account.number, ())))

    def mark(self, account: Account, notification_id: str, *, is_read: bool) -> None:
        """Mark a notification as read, or as not read.

        Raises:
            OrderRejected: when the account has no such notification.
        """
        for notification in self._kept.get(account.number, ()):
            if notification.notification_id == notification_id:
                notification.is_read = is_read
                self._engine.note(InboxChanged(account, notification))
                return
        raise OrderRejected(Reject.INVALID_REQUEST, f"no notification {notification_id[:40]!r}")
