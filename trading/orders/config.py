"""[execution]: how the venue is brought to the wish, how long we wait, how fast we may talk."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

HOT = Meta(extra={"reload": True})  # a running session takes it over (runtime/reload.py)
LABEL_PATTERN = re.compile(r"[A-Za-z0-9<>|_-]{1,64}")  # what the venue takes as an order's label


class MassQuoteConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[execution.mass_quotes]: market-maker protection of each product, with `mode = "mass_quotes"` alone."""

    protection_trade_base: Annotated[
        float, Meta(gt=0, description="so much traded on quotes makes the venue take all quotes of the product back")
    ] = 0.1
    protection_quote_base: Annotated[
        float, Meta(gt=0, description="largest size of one quote that the venue takes; at least the trade amount")
    ] = 0.1
    protection_window_ms: Annotated[
        int, Meta(ge=0, le=86_400_000, description="the amounts are filled up again so long after use; 0 = never")
    ] = 5000
    cooldown_ms: Annotated[
        int, Meta(ge=0, le=3_600_000, description="pause before quoting anew after the venue has taken the quotes back")
    ] = 1000

    def __post_init__(self) -> None:
        if self.protection_quote_base < self.protection_trade_base:
            raise ValueError(
                f"protection_quote_base ({self.protection_quote_base}) must not be below protection_trade_base "
                f"({self.protection_trade_base}): the venue refuses it"
            )


class ProtectionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[execution.protection]: a reduce-only stop at the venue for each position; it outlives every process of ours."""

    kind: Annotated[
        Literal["off", "stop", "trailing"],
        Meta(description="stop: stands off the average entry price; trailing: follows the market"),
    ] = "off"
    distance_bps: Annotated[
        float, Meta(gt=0, le=5000, description="of the stop from the entry price, or that a trailing one keeps")
    ] = 200.0
    target: Annotated[
        Literal["mark", "last", "index"], Meta(description="price that triggers it; a trailing one follows it too")
    ] = "mark"
    resize_base: Annotated[
        float, Meta(ge=0, description="a stop is replaced when its size is further off the position than this")
    ] = 0.01


class JournalConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[execution.journal]: every message is written before it is sent; this is when the disk must have it too."""

    sync: Annotated[
        Literal["interval", "always", "never"],
        Meta(description="interval: by a thread; always: before each order leaves; never: when the system likes"),
    ] = "interval"
    sync_interval_ms: Annotated[
        int, Meta(ge=20, le=60_000, description="pause between two syncs: what a dead machine may lose")
    ] = 200
    file_mb_max: Annotated[
        int,
        Meta(ge=1, le=1024, description="a file of this size is left for a new one"),
    ] = 4
    files_kept: Annotated[int, Meta(ge=1, le=10_000, description="files before the present one; older ones go")] = 256


class ExecutionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[execution]: order handling. Defaults suit a venue that takes 10 to 50 messages a second."""

    mode: Annotated[
        Literal["orders", "mass_quotes"],
        Meta(description="one order a level, or one message for all levels: the venue must have enabled the account"),
    ] = "orders"
    mass_quotes: MassQuoteConfig = MassQuoteConfig()
    protection: ProtectionConfig = ProtectionConfig()
    journal: JournalConfig = JournalConfig()
    label: Annotated[str, Meta(max_length=64, description="marks our orders at the venue; empty = rm-<session>")] = ""
    post_only: Annotated[bool, Meta(description="quotes never take: the venue moves a crossing price back"), HOT] = True
    amend_threshold_ticks: Annotated[
        int, Meta(ge=1, le=100_000, description="a resting order this far from its wanted price is moved"), HOT
    ] = 1
    size_tolerance_ratio: Annotated[
        float,
        Meta(ge=0, lt=1, description="part by which a resting size may fall short of the wanted one"),
        HOT,
    ] = 0.2
    significant_fill_threshold_ratio: Annotated[
        float,
        Meta(ge=0, lt=1, description="a level is made whole at once when its fills go beyond this part; 0 = any"),
        HOT,
    ] = 0.2
    wish_age_max_ms: Annotated[int, Meta(ge=50, le=60_000, description="quotes of an older wish are pulled"), HOT] = (
        1000
    )
    suspect_ms: Annotated[
        int, Meta(ge=100, le=10_000, description="silence of strategy, market_data or risk that pulls quotes"), HOT
    ] = 400
    answer_timeout_ms: Annotated[
        int, Meta(ge=50, le=60_000, description="an unanswered message leaves its order unknown: the venue is asked")
    ] = 2000
    audit_interval_s: Annotated[
        float, Meta(gt=0, le=3600, description="pause between two comparisons with the venue's open orders"), HOT
    ] = 10.0
    position_mismatch_ms: Annotated[
        int,
        Meta(ge=50, le=60_000, description="fills and venue position may differ so long before history is asked"),
        HOT,
    ] = 1000
    throttle_margin_ratio: Annotated[
        float, Meta(ge=0, lt=1, description="part of the venue's message rate that is left unused")
    ] = 0.1
    throttle_burst: Annotated[
        int, Meta(ge=2, le=1000, description="inserts and amends that may leave at once, then the steady rate")
    ] = 12
    throttle_reserve: Annotated[
        int, Meta(ge=0, le=100, description="messages of each burst kept back for flattening, stops and hedges")
    ] = 4
    throttle_backoff_ms_min: Annotated[
        int, Meta(ge=1, le=60_000, description="first pause after the venue says `throttle exceeded`")
    ] = 250
    throttle_backoff_ms_max: Annotated[int, Meta(ge=1, le=600_000, description="longest such pause")] = 5000
    cancel_rate_per_s: Annotated[int, Meta(ge=1, le=100_000, description="cancels the venue takes in a second")] = 1000
    flatten_passive_s: Annotated[
        float, Meta(ge=0, le=600, description="flattening rests at the touch so long before it crosses"), HOT
    ] = 0.0
    flatten_collar_bps: Annotated[
        float, Meta(gt=0, le=2000, description="flattening crosses at most this far beyond the mark price"), HOT
    ] = 50.0
    flatten_timeout_s: Annotated[
        float, Meta(gt=0, le=600, description="flattening that is not done by then gives up and says so"), HOT
    ] = 5.0
    self_trade_prevention_level: Annotated[
        Literal["default", "customer", "account", "disabled"],
        Meta(description="whose orders count as our own; anything but the venue's default must be enabled there"),
    ] = "default"
    self_trade_prevention_action: Annotated[
        Literal["default", "cancel_aggressive_partial_fill", "cancel_aggressive_no_fill"],
        Meta(description="what becomes of an order of ours that meets another"),
    ] = "default"
    cancel_strangers: Annotated[
        bool, Meta(description="cancel others' open orders (by hand, another program) in our instruments"), HOT
    ] = False
    stop_timeout_s: Annotated[
        float, Meta(gt=0, le=600, description="a stop waits so long for the venue to confirm that nothing is open")
    ] = 5.0

    @property
    def flatten_s_max(self) -> float:
        """How long bringing a position to zero may last: resting at the touch, then crossing."""
        return self.flatten_passive_s + self.flatten_timeout_s

    def __post_init__(self) -> None:
        if self.label and not LABEL_PATTERN.fullmatch(self.label):
            raise ValueError(f"label {self.label!r} may only hold letters, digits and <>|_-")
        if self.throttle_reserve >= self.throttle_burst:
            raise ValueError(
                f"throttle_reserve ({self.throttle_reserve}) must be below throttle_burst ({self.throttle_burst}), or "
                "no quote could ever be sent"
            )
        if self.throttle_backoff_ms_max < self.throttle_backoff_ms_min:
            raise ValueError(
                f"throttle_backoff_ms_max ({self.throttle_backoff_ms_max}) must not be below "
                f"throttle_backoff_ms_min ({self.throttle_backoff_ms_min})"
            )


def stop_label(label: str) -> str:
    """Return the label of protective stops: they are found by it after a restart, and never taken for quotes."""
    return label[:59] + "|stop"


def order_label(config: ExecutionConfig, session: str) -> str:
    """Return the label that marks this session's orders at the venue."""
    return config.label or "rm-" + re.sub(r"[^A-Za-z0-9_-]", "-", session)[:61]
