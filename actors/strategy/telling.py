"""What the log is told of the desks: each thing once, and not more often than once a second."""

from __future__ import annotations

from collections.abc import Sequence

from actors.strategy.desk import Desk
from domain.clock import NS_PER_S
from domain.codes import OffReason
from runtime.logs import Logger

REASONS_INTERVAL_NS = NS_PER_S


class Telling:
    """Remembers what was said of each desk."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._reasons_due_ns = 0
        self._reasons: dict[str, tuple[OffReason, OffReason]] = {}
        self._faults: dict[str, str] = {}

    def tell_instrument(self, desk: Desk) -> None:
        """Say that an instrument is known, and whether its orders would be too small."""
        units = desk.units
        assert units is not None
        self._log.info("instrument known", instrument=desk.name, **units._asdict())
        lot_base = units.lot_size * units.contract_multiplier
        if desk.config.order_size_base < units.order_lots_min * lot_base:
            self._log.warning(
                "order size below the venue's minimum: nothing will be quoted",
                instrument=desk.name,
                order_size_base=desk.config.order_size_base,
                order_size_base_min=units.order_lots_min * lot_base,
            )

    def tell_lost(self, desk: Desk) -> None:
        """Say how many records were overwritten before they were read."""
        lost = desk.sight.lost
        books, order_events = (now - before for now, before in zip(lost, desk.lost, strict=True))
        desk.lost = lost
        if books:
            self._log.warning("books overtaken", lost=books, instrument=desk.name)
        if order_events:
            # Position and open orders are a table's: they are right. What fills say of the market's pressure is not.
            self._log.warning(
                "order events overtaken: the position is the account's", lost=order_events, instrument=desk.name
            )

    def tell_reasons(self, desks: Sequence[Desk], now_ns: int) -> None:
        """Say which sides are quoted and why one is not, when that has changed."""
        if now_ns < self._reasons_due_ns:
            return
        self._reasons_due_ns = now_ns + REASONS_INTERVAL_NS
        for desk in desks:
            self._tell_fault(desk)
            reasons = desk.quoter.off_reasons
            if desk.is_quoted and desk.units is not None and self._reasons.get(desk.name) != reasons:
                self._reasons[desk.name] = reasons
                bid, ask = (reason.name.lower() for reason in reasons)
                self._log.info("sides", instrument=desk.name, bid=bid, ask=ask)

    def _tell_fault(self, desk: Desk) -> None:
        """Say what went wrong in the user's code, once; a resume may bring it about again."""
        fault = desk.quoter.fault
        if fault and self._faults.get(desk.name) != fault:
            self._log.error("the user's code failed: both sides are off until `resume`", instrument=desk.name,
                            fault=fault)  # fmt: skip
        self._faults[desk.name] = fault
