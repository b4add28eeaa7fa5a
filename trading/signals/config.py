"""The parameters of the signals: [strategy.signals]."""

from __future__ import annotations

from typing import Annotated

import msgspec


class SignalsConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What is read from public trades."""

    is_enabled: Annotated[bool, msgspec.Meta(description="build candles and signals from public trades")] = False
