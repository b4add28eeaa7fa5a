"""Mass quotes, conditional orders and order options of the gateway against the local exchange."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import structlog

from domain.order import Side, TimeInForce
from runtime.clock import SystemClock
from tests.thalex_desk import Desk, Exchange, connected, run, until
from venues.conditional import ConditionalOrderReport, NewConditionalOrder
from venues.config import VenueConfig
from venues.credentials import read_key_file
from venues.gateway import SelfTradePrevention
from venues.quoting import MassQuote, ProtectionReport, QuotedSide, QuoteFailure
from venues.thalex.order_gateway import ThalexOrderGateway

NAME = "BTC-PERPETUAL"
PRODUCT = "FBTCUSD"


class Ears:
    """A quote listener and a conditional listener that keep what they are told."""

    def __init__(self) -> None:
        self.quoted: dict[int, list[QuoteFailure]] = {}
        self.rejected: list[tuple[int, int]] = []
        self.protections: list[ProtectionReport] = []
        self.conditional: list[list[ConditionalOrderReport]] = []

    def on_quoted(self, quote_id: int, failures: list[QuoteFailure]) -> None:
        self.quoted[quote_id] = failures

    def on_quote_rejected(self, quote_id: int, error: Any) -> None:
        self.rejected.append((quote_id, error.code))

    def on_protection(self, reports: list[ProtectionReport]) -> None:
        self.protections += reports

    def on_conditional_orders(self, reports: list[ConditionalOrderReport]) -> None:
        self.conditional.append(reports)


@asynccontextmanager
async def _full_desk(exchange: Exchange, folder: Path) -> AsyncIterator[tuple[Desk, Ears]]:
    """A desk whose gateway listens to everything."""
    ears = Ears()
    key = read_key_file(exchange.key_file)
    desk = Desk(VenueConfig(), exchange.url, key, folder)
    desk.gateway = ThalexOrderGateway(
        VenueConfig(), exchange.url, key, folder, desk.heard, SystemClock(), structlog.stdlib.get_logger(),
        quote_listener=ears, conditional_listener=ears,
    )  # fmt: skip
    desk.gateway.start()
    await desk.gateway.wait_ready(20)
    work = asyncio.create_task(desk.work())
    try:
        yield desk, ears
    finally:
        work.cancel()
        await desk.gateway.cancel_all_conditional_orders()
        await desk.gateway.close()


def quote(quote_id: int, side: Side, *levels: tuple[str, str]) -> MassQuote:
    sides = (QuotedSide(NAME, side, tuple((Decimal(price), Decimal(size)) for price, size in levels)),)
    return MassQuote(quote_id=quote_id, sides=sides, post_only=True, label="rm-test")


def test_a_quote_needs_protection_rests_under_our_label_and_is_taken_back(exchange: Exchange, tmp_path: Path) -> None:
    async def main() -> None:
        async with _full_desk(exchange, tmp_path) as (desk, ears):
            gateway = desk.gateway
            gateway.mass_quote(quote(1, Side.BUY, ("99400", "0.1")))
            await until(lambda: 1 in ears.quoted, "the first answer")
            assert [(one.error.code, one.side, one.price) for one in ears.quoted[1]] == [(23, Side.BUY, Decimal(99400))]
            await gateway.set_protection(PRODUCT, Decimal("0.2"), Decimal("0.3"))
            gateway.mass_quote(quote(2, Side.BUY, ("99400", "0.1"), ("99390", "0.2")))
            gateway.mass_quote(quote(3, Side.BUY, ("99400", "0.1"), ("99390", "0.4")))
            await until(lambda: 3 in ears.quoted, "the third answer")
            assert (ears.quoted[2], [one.error.code for one in ears.quoted[3]]) == ([], [44])
            resting = [(one.price, one.size, one.client_order_id, one.label) for one in await gateway.open_orders()]
            assert sorted(resting, key=lambda one: str(one[0])) == [
                (Decimal(99390), Decimal("0.2"), None, "rm-test"),
                (Decimal(99400), Decimal("0.1"), None, "rm-test"),
            ]
            gateway.cancel_mass_quotes(PRODUCT)
            await until(lambda: ears.protections[-1].reason == "client_cancel", "the group is deleted")
            assert await gateway.open_orders() == []
            assert [one.reason for one in ears.protections] == ["refill", "client_cancel"]
            assert ears.rejected == []

    run(main())


def test_a_mass_quote_that_is_malformed_is_refused_as_a_whole(exchange: Exchange, tmp_path: Path) -> None:
    async def main() -> None:
        async with _full_desk(exchange, tmp_path) as (desk, ears):
            desk.gateway.mass_quote(MassQuote(quote_id=9, sides=quote(9, Side.BUY).sides, label="no spaces"))
            await until(lambda: bool(ears.rejected), "the refusal")
            assert ears.rejected[0][0] == 9

    run(main())


def test_every_kind_of_conditional_order_is_created_listed_told_and_cancelled(
    exchange: Exchange, tmp_path: Path
) -> None:
    async def main() -> None:
        async with _full_desk(exchange, tmp_path) as (desk, ears):
            gateway = desk.gateway
            kinds: list[dict[str, Any]] = [
                {}, {"limit_price": Decimal(89000)}, {"bracket_price": Decimal(120000)},
                {"callback_rate": Decimal("0.05"), "target": "mark"},
            ]  # fmt: skip
            created = [
                await gateway.create_conditional_order(
                    NewConditionalOrder(
                        instrument_name=NAME,
                        side=Side.SELL,
                        size=Decimal("0.1"),
                        stop_price=Decimal(90000),
                        label="rm|stop",
                        **kind,
                    )
                )
                for kind in kinds
            ]
            assert [(one.limit_price, one.bracket_price, one.callback_rate) for one in created] == [
                (kind.get("limit_price"), kind.get("bracket_price"), kind.get("callback_rate")) for kind in kinds
            ]
            listed = await gateway.conditional_orders()
            assert {one.order_id for one in listed} == {one.order_id for one in created}
            assert await gateway.open_conditional_orders() == 4
            await until(lambda: len(ears.conditional[-1]) >= 4, "the channel tells all four")
            await gateway.cancel_conditional_order(created[0].order_id)
            assert await gateway.open_conditional_orders() == 3
            await gateway.cancel_all_conditional_orders()
            assert await gateway.conditional_orders() == []

    run(main())


def test_an_order_that_closes_at_once_is_clamped_into_the_collar_and_never_opens(
    exchange: Exchange, tmp_path: Path
) -> None:
    async def main() -> None:
        async with connected(exchange, tmp_path) as desk:
            gateway, heard = desk.gateway, desk.heard
            held = sum((line.position for line in await gateway.positions()), Decimal(0))
            ioc = TimeInForce.IMMEDIATE_OR_CANCEL
            stp = SelfTradePrevention(action="cancel_aggressive_no_fill")
            clamped = desk.order("150000", "0.01", time_in_force=ioc, collar="clamp", stp=stp)
            gateway.insert(clamped)
            await until(lambda: bool(heard.statuses(clamped.client_order_id)), "the answer")
            assert [one for one in heard.rejected if one[1] == clamped.client_order_id] == []
            opening = desk.order("150000", "0.01", time_in_force=ioc, collar="clamp", reduce_only=True)
            gateway.insert(opening)
            await until(lambda: any(one[1] == opening.client_order_id for one in heard.rejected), "it is refused")
            now = sum((line.position for line in await gateway.positions()), Decimal(0))
            assert now - held == Decimal("0.01")

    run(main())
