"""One message to the owner of an account."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class DisplayType(enum.Enum):
    SUCCESS = "success"
    FAILURE = "failure"
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(slots=True)
class InboxNotification:
    notification_id: str
    time_ns: int
    category: str
    title: str
    message: str
    display_type: DisplayType
    is_read: bool = False
