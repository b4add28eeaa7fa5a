"""What holds for every sequence of fills, in any order, heard any number of times."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.order import LiquiditySide, Side
from domain.reports import FillReport, TradeReport
from trading.ledger import Ledger

NAME = "BTC-PERPETUAL"
PRICES = st.integers(1, 2_000_000).map(lambda ticks: Decimal(ticks) / 2)
SIZES = st.integers(1, 5_000).map(lambda lots: Decimal(lots) / 1000)
FEES = st.integers(-10_000, 50_000).map(lambda units: Decimal(units) / 1_000_000)


@st.composite
def trades(draw: st.DrawFn) -> list[TradeReport]:
    count = draw(st.integers(0, 30))
    return [
        TradeReport(
            f"t{i}", f"o{i % 7}", 0, NAME, draw(st.sampled_from(Side)), draw(PRICES), draw(SIZES), draw(FEES),
            Decimal(0), Decimal(0), draw(FEES), LiquiditySide.MAKER, "", i,
        )
        for i in range(count)
    ]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(trades(), PRICES, PRICES, st.integers(-3000, 3000), st.randoms(use_true_random=False))
def test_equity_change_is_cash_flows_fees_funding_and_mark(history, mark, start_price, start_lots, random) -> None:  # type: ignore[no-untyped-def]
    # Given a start position and trades that are heard of in any order, as fills, history lines, or both, repeatedly
    ledger = Ledger({NAME: Decimal(1)})
    line = ledger.lines[NAME]
    start = Decimal(start_lots) / 1000
    line.begin(start, start_price)
    heard = [(kind, trade) for trade in history for kind in ("fill", "trade", "trade", "fill")]
    random.shuffle(heard)
    for kind, trade in heard:
        if kind == "fill":
            fill = FillReport(trade.trade_id, trade.venue_order_id, 0, trade.price, trade.size, LiquiditySide.MAKER, 0)
            ledger.book_fill(fill, NAME, trade.side)
        else:
            ledger.book_trade(trade)
    # I expect the position to be the sum of the fills, and the money to add up without a rest
    signed = [Fraction(trade.size) * trade.side for trade in history]
    assert Fraction(line.position) == Fraction(start) + sum(signed)
    assert line.fill_count == len(history)
    assert line.buy_count == sum(trade.side is Side.BUY for trade in history)
    assert ledger.unbooked == line.unbooked == 0
    cash = -sum((size * Fraction(trade.price) for size, trade in zip(signed, history, strict=True)), Fraction(0))
    fees = sum((Fraction(trade.fee) for trade in history), Fraction(0))
    funding = sum((Fraction(trade.funding_pnl) for trade in history), Fraction(0))
    equity = cash + Fraction(line.position) * Fraction(mark) - Fraction(start) * Fraction(start_price)
    pnl = line.pnl(mark)
    assert Fraction(pnl.fees) == fees
    assert Fraction(pnl.funding) == funding
    assert Fraction(pnl.realised) + Fraction(pnl.unrealised) == equity
    assert Fraction(pnl.total) == equity - fees + funding
    if line.position == 0:
        assert pnl.unrealised == 0
