"""The [recorder] section of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Kind = Literal["books", "trades", "tickers", "indices", "candles", "explanations", "quote_inputs"]


def _every_kind() -> list[Kind]:
    return ["books", "trades", "tickers", "indices", "candles", "explanations", "quote_inputs"]


class RecorderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[recorder]: what a session leaves on disk: market data and quotes in Parquet, orders and money in SQLite."""

    enabled: Annotated[bool, Meta(description="run a recorder; the configurations that come with Ringmaker do")] = False
    kinds: Annotated[
        list[Kind],
        Meta(description="what goes to Parquet; the audit trail in SQLite is always kept"),
    ] = msgspec.field(default_factory=_every_kind)
    flush_ms: Annotated[int, Meta(ge=50, le=60_000, description="pause between two writes of what has come")] = 1000
    pnl_interval_s: Annotated[
        float, Meta(ge=0.1, le=3600, description="pause between two lines of profit and loss in the audit trail")
    ] = 5.0
    free_mb_min: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="recordings stop while the disk has less free, so that journals still go"),
    ] = 256
    nice: Annotated[
        int,
        Meta(
            ge=0,
            le=19,
            description="by how much the recorder's work, not its heartbeat, gives way to others; where the kernel "
            "groups processes by session (sched_autogroup_enabled), to its heartbeat alone. Hours are merged "
            "below all others",
        ),
    ] = 10
