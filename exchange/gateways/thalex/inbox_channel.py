"""The inbox as a stream, and its notifications as the protocol's objects."""

from __future__ import annotations

from typing import Any

from exchange.core.accounts import Account
from exchange.core.inbox_notification import InboxNotification
from exchange.gateways.thalex import wire
from exchange.gateways.thalex.channel import Channel
from exchange.gateways.thalex.payloads import seconds


class InboxChannel(Channel):
    """`user.inbox_notifications`: what is posted or marked from now on."""

    def __init__(self, name: str, account: Account) -> None:
        super().__init__(name)
        self._account = account

    def on_change(self, notification: InboxNotification) -> None:
        self.publish(wire.encode({"notifications": [notification_object(self._account, notification)]}))


def notification_object(account: Account, notification: InboxNotification) -> dict[str, Any]:
    return {
        "id": notification.notification_id,
        "time": seconds(notification.time_ns),
        "category": notification.category,
        "title": notification.title,
        "message": notification.message,
        "display_type": notification.display_type.value,
        "read": notification.is_read,
        "account_name": account.number,
        "account_number": account.number,
        "popup": True,
    }
