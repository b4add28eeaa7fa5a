"""Keeps one reduce-only stop at the venue for each position, by rounds: list what stands, cancel, create.

Every round begins with the venue's own list, and there is one at a time, so that nothing is created twice however an
answer gets lost; what a restart finds under our label it goes on with. The gate is not asked: a stop can only reduce,
by order of the venue, and it has to stand when risk is silent or has halted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal

from actors.execution.books import AccountBooks
from actors.execution.desk import Desk
from actors.execution.ports import Ports
from actors.execution.quotes import QuoteSender
from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ConnectivityError, VenueError
from domain.order import Side, TradingState
from domain.records import LIMITS
from domain.reports import PositionReport
from shm.errors import RecordBusyError
from trading.orders.config import ExecutionConfig, stop_label
from trading.orders.protective_stop import StandingStop, Stop, StopPlan, StopRule, plan_stop
from venues.conditional import ConditionalGateway, ConditionalOrderReport, NewConditionalOrder
from venues.gateway import OrderGateway

ROUND_PAUSE_NS = 100 * NS_PER_MS
RETRY_NS = 1 * NS_PER_S
ENDING_POLL_S = 0.02
_STATE = LIMITS.word("state")
CANCELLING = "cancel requested"


class ProtectiveStops:
    """The stops of all instruments. With `kind = "off"` it takes back what an earlier session left, and rests.

    Args:
        positions: by instrument, as the venue told them last.
        mark_price: newest mark of an instrument, None when there is none.
        is_settled: whether fills and the venue's position agree.
    """

    def __init__(
        self,
        config: ExecutionConfig,
        ports: Ports,
        gateway: OrderGateway,
        venue: ConditionalGateway,
        books: AccountBooks,
        quotes: QuoteSender,
        label: str,
        positions: Mapping[str, PositionReport],
        mark_price: Callable[[Desk], Decimal | None],
        is_settled: Callable[[], bool],
    ) -> None:
        self._config = config.protection
        self._answer_timeout_ns = config.answer_timeout_ms * NS_PER_MS
        self._ports = ports
        self._clock = ports.clock
        self._log = ports.log
        self._gateway = gateway
        self._venue = venue
        self._books = books
        self._quotes = quotes
        self._label = stop_label(label)
        self._positions = positions
        self._mark_price = mark_price
        self._is_settled = is_settled
        self._standing: dict[str, list[StandingStop]] = {}
        self._former: dict[str, StandingStop] = {}
        self._is_found = self._is_listed = False
        self._is_busy = self._is_overtaken = False
        self._due_ns = 0

    # ---- when ------------------------------------------------------------------------------------------

    def look(self, now_ns: int) -> None:
        """Begin a round when something is to be done, or when it is not known what stands."""
        if self._is_busy or now_ns < self._due_ns or not (self._gateway.is_ready and self._books.is_known):
            return
        if self._is_listed and not self._has_work():
            return
        self._is_busy = True
        self._ports.spawn(self._round(), "protective stops")

    def on_disconnected(self) -> None:
        """What stands is not known until it is listed again."""
        self._is_listed = False

    def on_conditional_orders(self, reports: list[ConditionalOrderReport]) -> None:
        """The venue tells what stands, and what has triggered."""
        known = {stop.order_id for stops in self._standing.values() for stop in stops}
        for report in reports:
            if report.order_id in known and report.status == "converted":
                self._ports.measures.counts.add("stops_triggered")
                self._log.warning(
                    "protective stop triggered", instrument=report.instrument_name, size=str(report.size),
                    stop_price=str(report.stop_price),
                )  # fmt: skip
            elif report.order_id in known and report.status == "rejected":
                self._log.warning(
                    "protective stop rejected", instrument=report.instrument_name, reason=report.reject_reason
                )
        if self._is_busy:
            self._is_overtaken = True  # a round goes by its own list; the next one begins with a new one
        elif self._is_listed:
            self._take(reports)

    async def end(self, timeout_s: float) -> None:
        """The session ends: what no position needs any more goes; a position that stays keeps its stop."""
        deadline_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        while self._clock.monotonic_ns() < deadline_ns and self._gateway.is_ready:
            if not self._is_busy:
                if self._is_listed and not self._has_work():
                    break
                self._is_busy = True
                await self._round()
            await asyncio.sleep(ENDING_POLL_S)
        for desk in self._books.desks.values():
            for stop in self._standing.get(desk.name, ()) if desk.position_lots else ():
                self._log.warning(
                    "the position stays, and so does its protective stop at the venue", instrument=desk.name,
                    size=str(desk.instrument.size(stop.size_lots)),
                    stop_price=str(desk.instrument.price(stop.stop_ticks)),
                )  # fmt: skip

    # ---- a round ---------------------------------------------------------------------------------------

    async def _round(self) -> None:
        pause_ns = ROUND_PAUSE_NS
        self._is_overtaken = False
        try:
            await self._list()
            if await self._cancel_unwanted():
                await self._list()  # a new one waits until the venue no longer shows the old one
            for desk in self._books.desks.values():
                plan = self._plan(desk)
                if plan.create is not None and not plan.cancel and self._may_create(desk):
                    await self._create(desk, plan.create)
        except VenueError as error:
            pause_ns = RETRY_NS
            self._is_listed |= self._config.kind == "off"  # a venue without conditional orders has none of ours
            self._log.warning("protective stop: refused by the venue", reason=str(error))
        except ConnectivityError as error:
            # What was sent may still be carried out: the next list is asked for when it has been.
            pause_ns = self._answer_timeout_ns
            self._is_listed = False
            self._log.warning("protective stop: no answer", reason=str(error))
        finally:
            self._is_busy = False
            self._is_listed &= not self._is_overtaken
            self._due_ns = self._clock.monotonic_ns() + pause_ns

    async def _list(self) -> None:
        self._take(await self._venue.conditional_orders())
        self._is_listed = True
        if not self._is_found:
            self._is_found = True
            for name, stops in self._standing.items():
                self._log.info("protective stop found at the venue", instrument=name, count=len(stops))

    async def _cancel_unwanted(self) -> int:
        """Cancel what does not serve, and what is of instruments that this session does not know; return how many."""
        unwanted = [stop for name in self._standing if name not in self._books.desks for stop in self._standing[name]]
        for desk in self._books.desks.values():
            cancel = self._plan(desk).cancel
            for stop in self._standing.get(desk.name, ()):
                if stop.order_id in cancel:
                    self._former[desk.name] = stop
                    unwanted.append(stop)
        for stop in unwanted:
            self._books.journal.message("CANCEL_STOP", venue_order_id=stop.order_id)
            await self._venue.cancel_conditional_order(stop.order_id)
        return len(unwanted)

    async def _create(self, desk: Desk, stop: Stop) -> None:
        throttle = self._quotes.throttle
        if throttle is None or not throttle.take_order(self._clock.monotonic_ns(), is_urgent=True):
            return
        new_order = self._new_order(desk, stop)
        self._books.journal.message(
            "STOP", instrument=desk.name, side=stop.side, price=new_order.stop_price, size=new_order.size
        )
        report = await self._venue.create_conditional_order(new_order)
        self._former.pop(desk.name, None)
        self._standing.setdefault(desk.name, []).append(_standing(report, desk))
        self._ports.measures.counts.add("stops_placed")
        self._log.info(
            "protective stop placed", instrument=desk.name, side=report.side.name, size=str(report.size),
            stop_price=str(report.stop_price), kind=self._config.kind,
        )  # fmt: skip

    def _new_order(self, desk: Desk, stop: Stop) -> NewConditionalOrder:
        assert stop.size_lots <= abs(desk.position_lots), f"a stop of {stop.size_lots} for {desk.position_lots} lots"
        return NewConditionalOrder(
            instrument_name=desk.name,
            side=stop.side,
            size=desk.instrument.size(stop.size_lots),
            stop_price=desk.instrument.price(stop.stop_ticks),
            callback_rate=stop.callback_rate,
            target=self._config.target,
            reduce_only=True,
            label=self._label,
            stp=self._quotes.stp,
        )

    # ---- what stands, what should ----------------------------------------------------------------------

    def _has_work(self) -> bool:
        """Whether anything is to be cancelled, or created that may be created now."""
        for desk in self._books.desks.values():
            plan = self._plan(desk)
            if plan.cancel or (plan.create is not None and self._may_create(desk)):
                return True
        return False

    def _may_create(self, desk: Desk) -> bool:
        """Whether a stop may be placed: what is held is certain, and nobody has taken the stop away for good.

        While trading is halted a stop is replaced when it must be, but none comes back that a kill, or somebody on the
        venue's web page, has cancelled.
        """
        return (desk.name in self._former or not self._is_halted(desk)) and self._is_settled()

    def _is_halted(self, desk: Desk) -> bool:
        limits = self._ports.shared.limits
        try:
            return not limits.load(desk.row) or limits.ints[_STATE] == TradingState.HALTED
        except RecordBusyError:
            return True  # asked again in a moment

    def _plan(self, desk: Desk) -> StopPlan:
        config, instrument = self._config, desk.instrument
        rule = None
        if config.kind != "off" and not desk.held_by:
            resize_lots = int(Decimal(repr(config.resize_base)) / instrument.lot_size)
            rule = StopRule(config.kind == "trailing", config.distance_bps, resize_lots)
        if not desk.position_lots:
            self._former.pop(desk.name, None)
        mark = self._mark_price(desk) or Decimal(0)
        return plan_stop(
            rule,
            desk.position_lots,
            float(self._entry(desk) / instrument.tick_size),
            float(mark / instrument.tick_size),
            self._standing.get(desk.name, ()),
            instrument.order_lots_min,
            self._former.get(desk.name),
        )

    def _entry(self, desk: Desk) -> Decimal:
        """Return what the position was bought or sold for, by the venue's word; 0 while it has not said.

        The ledger does not know: a position that a session begins with is there at the mark of that moment.
        """
        report = self._positions.get(desk.name)
        if report is None or report.position * desk.position_lots <= 0:
            return Decimal(0)
        return report.average_price

    def _take(self, reports: list[ConditionalOrderReport]) -> None:
        """Remember the open ones with our label."""
        standing: dict[str, list[StandingStop]] = {}
        for report in reports:
            if report.label == self._label and report.is_open and report.status != CANCELLING:
                stop = _standing(report, self._books.desks.get(report.instrument_name))
                standing.setdefault(report.instrument_name, []).append(stop)
        self._standing = standing


def _standing(report: ConditionalOrderReport, desk: Desk | None) -> StandingStop:
    size_lots = desk.instrument.covering_lots(report.size) if desk is not None else 0
    stop_ticks = desk.instrument.nearest_price_ticks(report.stop_price) if desk is not None else 0
    return StandingStop(report.order_id, Side(report.side), size_lots, stop_ticks, report.callback_rate)
