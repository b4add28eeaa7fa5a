from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors.strategy.portfolio import UNKNOWN, NetDelta, Portfolio
from domain import records
from domain.codes import SegmentKind
from domain.instrument import InstrumentKind
from shm.record import TableReader, TableWriter
from shm.segment import create_segment

PERPETUAL, FUTURE, ETH, OPTION = range(4)
INSTRUMENTS = (
    ("BTCUSD", InstrumentKind.PERPETUAL, 0.001),
    ("BTCUSD", InstrumentKind.FUTURE, 0.01),
    ("ETHUSD", InstrumentKind.PERPETUAL, 0.1),
    ("BTCUSD", InstrumentKind.OPTION, 0.1),
)


class Tables:
    """The instruments and accounts of four instruments, as market_data and execution write them."""

    def __init__(self, segment_name: Callable[[], str]) -> None:
        self.segments = [
            create_segment(segment_name(), SegmentKind.TABLE, record, len(INSTRUMENTS))
            for record in (records.INSTRUMENT, records.ACCOUNT)
        ]
        self._instruments, self._accounts = (TableWriter(segment) for segment in self.segments)
        self.portfolio = Portfolio(*(TableReader(segment) for segment in self.segments))

    def list(self, *rows: int) -> None:
        for row in rows:
            underlying, kind, lot_size = INSTRUMENTS[row]
            self._write(self._instruments, row, underlying=underlying.encode(), kind=kind, lot_size=lot_size,
                        contract_multiplier=1.0)  # fmt: skip

    def hold(self, row: int, position_lots: int, *, is_known: bool = True) -> bool:
        self._write(self._accounts, row, position_lots=position_lots, is_known=is_known)
        return self.portfolio.refresh()

    def _write(self, writer: TableWriter, row: int, **fields: Any) -> None:
        for name, value in fields.items():
            writer.scratch[name] = value
        writer.publish(row)


@pytest.fixture
def tables(segment_name: Callable[[], str]) -> Tables:
    tables = Tables(segment_name)
    tables.list(PERPETUAL, FUTURE, ETH, OPTION)
    for row in range(len(INSTRUMENTS)):
        tables.hold(row, 0)
    return tables


def test_the_net_delta_adds_the_instruments_of_one_underlying(tables: Tables) -> None:
    tables.hold(PERPETUAL, 30)
    tables.hold(FUTURE, -2)
    tables.hold(ETH, 50)
    assert tables.portfolio.net_of(PERPETUAL) == tables.portfolio.net_of(FUTURE) == NetDelta(pytest.approx(0.01), True)
    assert tables.portfolio.net_of(ETH) == NetDelta(5.0, True)


def test_it_is_not_known_while_a_position_of_the_underlying_is_not(tables: Tables) -> None:
    tables.hold(FUTURE, 0, is_known=False)
    assert tables.portfolio.net_of(PERPETUAL) == UNKNOWN
    assert tables.portfolio.net_of(ETH).is_known


def test_it_is_not_known_before_the_venue_has_confirmed_every_instrument(segment_name: Callable[[], str]) -> None:
    tables = Tables(segment_name)
    tables.list(PERPETUAL, ETH, OPTION)
    for row in range(len(INSTRUMENTS)):
        tables.hold(row, 0)
    assert tables.portfolio.net_of(PERPETUAL) == UNKNOWN
    tables.list(FUTURE)
    assert tables.portfolio.refresh()
    assert tables.portfolio.net_of(PERPETUAL) == NetDelta(0.0, True)


def test_an_option_that_is_held_has_a_delta_that_nobody_knows(tables: Tables) -> None:
    tables.hold(OPTION, 1)
    assert tables.portfolio.net_of(PERPETUAL) == UNKNOWN


def test_only_a_change_of_a_position_is_news(tables: Tables) -> None:
    assert tables.hold(PERPETUAL, 5)
    assert not tables.hold(PERPETUAL, 5)
    assert tables.hold(PERPETUAL, 5, is_known=False)
