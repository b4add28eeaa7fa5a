"""Asking the venue what its daily settlements have paid: when one is awaited, until its line has come."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Protocol

from domain.clock import NS_PER_S
from domain.errors import ProtocolError, VenueError
from domain.reports import SettlementReport
from trading.daily_funding import SETTLING_NS, settlement_before

REFUSED_PAUSE_NS = 10 * NS_PER_S
WARN_INTERVAL_NS = 600 * NS_PER_S
STEP_MIN, STEP_RATIO_MIN = Decimal(1), Decimal("0.1")  # quote currency, and part of what was seen last: worth a look


class TellsSettlements(Protocol):
    """The part of a gateway that is asked."""

    async def settlements(self, since_realtime_ns: int) -> list[SettlementReport]: ...


class Log(Protocol):
    def info(self, event: str, **values: Any) -> Any: ...

    def warning(self, event: str, **values: Any) -> Any: ...


class Settlements:
    """Asks one venue for one ledger, and says what came of it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._warn_due_ns = 0
        self._ask_due_ns = 0  # by the venue's clock, which may be set

    async def ask(self, gateway: TellsSettlements, since_ns: int | None, now_ns: int) -> list[SettlementReport] | None:
        """Return what the venue tells of settlements since a time; None when it is not asked, or refuses to tell.

        Positions that are asked for after it show what is unrealised since then.

        Args:
            since_ns: the venue's clock; None = nothing is awaited, and the venue is not asked.
            now_ns: the venue's clock.

        Raises:
            ConnectivityError: the answer is lost.
        """
        if since_ns is None or 0 <= self._ask_due_ns - now_ns <= REFUSED_PAUSE_NS:
            return None
        late_s = (now_ns - settlement_before(now_ns)) // NS_PER_S
        try:
            reports = await gateway.settlements(since_ns)
        except (VenueError, ProtocolError, TimeoutError) as error:
            reason = str(error) or "it does not answer"
            self._warn("the venue refuses to tell what its daily settlement has paid", now_ns, reason=reason)
            self._ask_due_ns = now_ns + REFUSED_PAUSE_NS
            return None
        if not reports and late_s >= SETTLING_NS // NS_PER_S:
            self._warn("the venue has not told yet what its daily settlement has paid", now_ns, late_s=late_s)
        return reports

    def tell(self, booked: Iterable[tuple[SettlementReport, Decimal]]) -> None:
        """Say which settlements count now, loudly where one is not what was expected.

        Args:
            booked: with the unrealised funding that was held in its place.
        """
        for report, held in booked:
            is_step = abs(report.funding_pnl - held) > max(STEP_MIN, STEP_RATIO_MIN * abs(held))
            say = self._log.warning if is_step else self._log.info
            say(
                "the funding of a daily settlement is booked" + (": not what was seen before it" if is_step else ""),
                instrument=report.instrument_name, funding=str(report.funding_pnl), seen_before=str(held),
                position=str(report.position),
            )  # fmt: skip

    def _warn(self, text: str, now_ns: int, **values: object) -> None:
        if now_ns >= self._warn_due_ns:
            self._warn_due_ns = now_ns + WARN_INTERVAL_NS
            self._log.warning(text, **values)
