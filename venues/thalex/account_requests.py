"""What an account may ask the venue and have it do, each as one request and its decoded answer."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any, cast

from domain.errors import HistoryTooLongError, ProtocolError, VenueError
from domain.instrument import Instrument
from domain.reports import FillKey, MarginReport, OrderReport, PositionReport, SettlementReport, TradeReport
from venues.conditional import ConditionalOrderReport, NewConditionalOrder
from venues.thalex import account_wire, conditional_wire
from venues.thalex.market_wire import decode_instruments
from venues.thalex.money_lists import PositionLists, TradeLists
from venues.thalex.order_lists import OrderLists
from venues.thalex.protocol import Decode
from venues.thalex.quote_wire import protection_params

PAGE_SIZE = 1000
PAGES_MAX = 1000
CODE_UNKNOWN_METHOD = 31
SETTLEMENTS_TIMEOUT_S = 1.0


class AccountRequests(ABC):
    """The slow half of a gateway: it needs nothing but a way to `_call` a method of the venue.

    Attributes:
        lists, trade_lists, position_lists: read lists line by line.
    """

    lists = OrderLists()
    trade_lists = TradeLists()
    position_lists = PositionLists()

    @abstractmethod
    async def _call(self, method: str, params: object, decode: Decode) -> Any:
        """Send a request and return its decoded answer; VenueError or ConnectivityError otherwise."""

    async def cancel_session(self) -> None:
        await self._call("private/cancel_session", {}, account_wire.decode_void)

    async def cancel_all(self) -> int:
        return cast(int, await self._call("private/cancel_all", {}, account_wire.decode_count) or 0)

    async def cancel_all_conditional_orders(self) -> None:
        await self._call("private/cancel_all_conditional_orders", {}, account_wire.decode_void)

    async def create_conditional_order(self, order: NewConditionalOrder) -> ConditionalOrderReport:
        params = conditional_wire.create_params(order)
        answer = await self._call("private/create_conditional_order", params, conditional_wire.decode_conditional_order)
        return cast(ConditionalOrderReport, answer)

    async def cancel_conditional_order(self, order_id: str) -> None:
        await self._call("private/cancel_conditional_order", {"order_id": order_id}, account_wire.decode_void)

    async def conditional_orders(self) -> list[ConditionalOrderReport]:
        decode = self.lists.conditional_orders
        try:
            answer = await self._call("private/open_conditional_orders", {}, decode)
        except VenueError as error:
            if error.code != CODE_UNKNOWN_METHOD:
                raise
            answer = await self._call("private/conditional_orders", {}, decode)  # the older name
        return [order for order in cast(list[ConditionalOrderReport], answer) if order.is_open]

    async def open_conditional_orders(self) -> int:
        """Return how many conditional orders the account has."""
        return len(await self.conditional_orders())

    async def set_protection(self, product: str, trade_size: Decimal, quote_size: Decimal) -> None:
        params = protection_params(product, trade_size, quote_size)
        await self._call("private/set_mm_protection", params, account_wire.decode_void)

    async def open_orders(self) -> list[OrderReport]:
        return cast(list[OrderReport], await self._call("private/open_orders", {}, self.lists.open_orders))

    @property
    def unreadable_orders(self) -> int:
        """Orders of others that nobody here can read, and that may be open."""
        return len(self.lists.left_out)

    async def positions(self) -> list[PositionReport]:
        return cast(list[PositionReport], await self._ask("private/portfolio", {}, self.position_lists.all))

    @property
    def unreadable_positions(self) -> int:
        """Instruments that are not ours and whose position nobody here can read."""
        return len(self.position_lists.left_out)

    async def margin(self) -> MarginReport:
        return cast(MarginReport, await self._ask("private/account_summary", {}, account_wire.decode_margin))

    async def instruments(self) -> dict[str, Instrument]:
        return cast(dict[str, Instrument], await self._call("public/instruments", {}, decode_instruments))

    async def trade_history(self, since_realtime_ns: int) -> list[TradeReport]:
        # A page may begin with what the one before ended with.
        trades: dict[tuple[FillKey, bool], TradeReport] = {}
        order = {"sort": "ascending"}
        async for page in self._pages("private/trade_history", since_realtime_ns, order, self.trade_lists.page):
            trades.update(((trade.key, trade.is_correction), trade) for trade in page)
        return sorted(trades.values(), key=lambda trade: trade.time_ns)  # stable: the venue's order within a time

    async def settlements(self, since_realtime_ns: int) -> list[SettlementReport]:
        # It takes no `sort`. Nothing that trades needs it: an answer that does not come must not cost the connection.
        found: list[SettlementReport] = []
        decode = account_wire.decode_daily_mark_page
        async with asyncio.timeout(SETTLEMENTS_TIMEOUT_S):
            async for page in self._pages("private/daily_mark_history", since_realtime_ns, {}, decode):
                found += page
        return sorted(found, key=lambda report: report.time_ns)

    async def _ask(self, method: str, params: object, decode: Decode) -> Any:
        """Like `_call`; ProtocolError when the answer cannot be read: it has come, and need not cost the connection,
        over which cancels go."""
        answer = await self._call(method, params, _or_error(decode))
        if isinstance(answer, ProtocolError):
            raise answer
        return answer

    async def _pages(
        self, method: str, since_realtime_ns: int, more: Mapping[str, object], decode: Decode
    ) -> AsyncIterator[list[Any]]:
        """Yield the pages of a history since a time."""
        # Whole microseconds, rounded down: a line at the very moment is asked for rather than missed.
        time_low = Decimal(since_realtime_ns // 1000).scaleb(-6)
        params: dict[str, object] = {"limit": PAGE_SIZE, "time_low": time_low, **more}
        seen: set[str] = set()
        for _ in range(PAGES_MAX):
            page, bookmark = await self._ask(method, params, decode)
            yield page
            if not bookmark or bookmark in seen:
                return
            seen.add(bookmark)
            params = {**params, "bookmark": bookmark}
        raise HistoryTooLongError(f"{method} did not end after {PAGES_MAX} pages")


def _or_error(decode: Decode) -> Decode:
    """Return a decoder that gives back the ProtocolError of an answer that cannot be read."""

    def decoded(payload: Any) -> Any:
        try:
            return decode(payload)
        except ProtocolError as error:
            return error

    return decoded
