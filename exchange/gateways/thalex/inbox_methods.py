"""The inbox by request."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from exchange.gateways.thalex import wire
from exchange.gateways.thalex.inbox_channel import notification_object
from exchange.gateways.thalex.session import Method, Methods, Session

LIMIT_MAX = 1_000


class InboxParams(Struct):
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT_MAX


class MarkParams(Struct):
    notification_id: str
    read: bool = True


def inbox(session: Session, params: InboxParams) -> bytes:
    """Answer the newest notifications, newest first."""
    assert session.account is not None
    found = session.context.engine.inbox.of(session.account)[: params.limit]
    return wire.encode({"notifications": [notification_object(session.account, each) for each in found]})


def mark(session: Session, params: MarkParams) -> bytes:
    assert session.account is not None
    session.context.engine.inbox.mark(session.account, params.notification_id, is_read=params.read)
    return wire.encode(None)


METHODS: Methods = {
    "private/notifications_inbox": Method(inbox, msgspec.json.Decoder(InboxParams), needs_login=True),
    "private/mark_inbox_notification_as_read": Method(mark, msgspec.json.Decoder(MarkParams), needs_login=True),
}
