"""Risk's own profit and loss, from positions and trade history alone."""

from __future__ import annotations

import random
from decimal import Decimal

import msgspec

from domain.instrument import Instrument, InstrumentKind
from domain.order import LiquiditySide, Side
from domain.records import TEXT_BYTES
from domain.reports import PositionReport, TradeReport
from trading.risk.account import RunAccount, openings_of
from trading.risk.latch import Opening

BTC = "BTC-PERPETUAL"
INSTRUMENTS = {BTC: Instrument(BTC, InstrumentKind.PERPETUAL, "BTCUSD", Decimal(1), Decimal("0.001"), Decimal("0.001"))}


def trade(
    number: int, side: Side, price: str, size: str, after: str, *, fee: str = "0.5", name: str = BTC
) -> TradeReport:
    return TradeReport(
        f"T{number}", f"O{number}", 0, name, side, Decimal(price), Decimal(size), Decimal(fee), Decimal(after),
        Decimal(0), Decimal(0), LiquiditySide.MAKER, "rm-local", number,
    )  # fmt: skip


def holding(position: str, mark: str, funding: str = "0") -> dict[str, PositionReport]:
    return {
        BTC: PositionReport(
            BTC, Decimal(position), Decimal(mark), Decimal(mark), Decimal(0), Decimal(0), Decimal(funding)
        )
    }


def test_equity_is_cash_flows_plus_position_at_mark_minus_fees() -> None:
    # Given 0.02 long at a mark of 100,000 when the run began
    account = RunAccount(INSTRUMENTS, {BTC: Opening(Decimal("0.02"), Decimal(100_000))})
    # If 0.01 are bought at 99,990 and 0.03 sold at 100,050
    trades = [trade(1, Side.BUY, "99990", "0.01", "0.03"), trade(2, Side.SELL, "100050", "0.03", "0")]
    assert account.on_trades(trades) == trades
    # I expect 0.02 x 50 + 0.01 x 60 = 1.6, less two fees of 0.5; each trade once, however often it is told
    assert account.on_trades(trades) == []
    pnl = account.pnl({BTC: 100_050.0}, {})
    assert pnl is not None
    assert (pnl.realised, pnl.fees, pnl.total) == (Decimal("1.6"), Decimal("1.0"), Decimal("0.6"))


def test_unrealised_profit_follows_the_mark_and_is_unknown_without_one() -> None:
    # Given a short position of 0.01 from 100,000
    account = RunAccount(INSTRUMENTS, {BTC: Opening(Decimal("-0.01"), Decimal(100_000), Decimal("0.2"))})
    # If the mark falls by 100 and funding of 0.3 has come in, of which 0.2 is from before
    pnl = account.pnl({BTC: 99_900.0}, holding("-0.01", "99900", "0.3"))
    # I expect 1 from the mark and 0.1 from funding
    assert pnl is not None
    assert (pnl.unrealised, pnl.funding, pnl.total) == (Decimal("1.00"), Decimal("0.1"), Decimal("1.10"))
    assert account.pnl({}, {}) is None


def test_an_opening_is_what_the_venue_holds_when_nothing_was_traded() -> None:
    openings = openings_of([BTC], {}, holding("0.05", "101000", "-0.4"), [], {})
    assert openings == {BTC: Opening(Decimal("0.05"), Decimal(101_000), Decimal("-0.4"))}


def test_an_opening_without_a_mark_of_the_venue_is_priced_by_the_feed_else_by_its_entry() -> None:
    unmarked = {BTC: msgspec.structs.replace(holding("0.05", "0")[BTC], average_price=Decimal(98_000))}

    assert openings_of([BTC], {}, unmarked, [], {BTC: 100_500.5})[BTC].price == Decimal("100500.5")
    assert openings_of([BTC], {}, unmarked, [], {})[BTC].price == Decimal(98_000)


def test_an_opening_goes_back_before_the_first_trade_of_the_run() -> None:
    # Given that 0.03 are held now, after a buy of 0.01 that led to 0.02, and more
    trades = [trade(1, Side.BUY, "100000", "0.01", "0.02"), trade(2, Side.BUY, "100000", "0.01", "0.03")]
    # If the opening is found, I expect what was held before the first
    openings = openings_of([BTC], {}, holding("0.03", "100000"), trades, {})
    assert openings[BTC].position == Decimal("0.01")
    assert RunAccount(INSTRUMENTS, openings).on_trades(trades) == trades


def test_an_opening_that_was_written_down_holds() -> None:
    known = {BTC: Opening(Decimal("0.01"), Decimal(90_000))}
    assert openings_of([BTC], known, holding("0.03", "100000"), [], {}) == known


def test_trades_of_instruments_that_are_not_ours_are_left_out() -> None:
    account = RunAccount(INSTRUMENTS, {BTC: Opening(Decimal(0), Decimal(100_000))})
    assert account.on_trades([trade(1, Side.BUY, "100", "1", "1", name="ETH-PERPETUAL")]) == []
    assert account.position(BTC) == 0


def test_profit_and_loss_adds_up_to_the_last_digit() -> None:
    # Given a thousand trades of three instruments at odd prices and sizes, positions turned round now and then
    rng = random.Random(7)
    names = [f"X{number}" for number in range(3)]
    zero, openings = Decimal(0), {name: Opening(Decimal(name == "X1"), Decimal("0.3")) for name in names}
    account = RunAccount(INSTRUMENTS, openings)
    for number in range(1000):
        price, size = Decimal(rng.randrange(1, 10**9)) / 10**4, Decimal(rng.randrange(1, 10**6)) / 10**5
        fee, funding = Decimal(rng.randrange(-(10**8), 10**9)) / 10**9, Decimal(rng.randrange(-(10**8), 10**8)) / 10**10
        account.on_trades([TradeReport(
            f"T{number}", "O", 0, rng.choice(names), rng.choice(list(Side)), price, size, fee, zero, zero, funding,
            LiquiditySide.MAKER, "", number,
        )])  # fmt: skip
        marks = {name: rng.randrange(1, 10**8) / 1000 for name in names}
        by_instrument = [pnl for pnl in account.pnl_by_instrument(marks, {}).values() if pnl is not None]
        total = account.pnl(marks, {})
        # If it is told, I expect parts and instruments to add up, and each amount to fit where it is written
        assert total is not None
        for pnl in (*by_instrument, total):
            assert pnl.realised + pnl.unrealised - pnl.fees + pnl.funding == pnl.total
            assert all(len(f"{amount:f}") <= TEXT_BYTES for amount in pnl)
        assert [sum(parts) for parts in zip(*by_instrument, strict=True)] == list(total)
