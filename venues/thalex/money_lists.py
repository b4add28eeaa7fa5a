"""Trades and positions, read one by one: a line that nobody can read costs neither the others nor the connection.

A trade that cannot be read is left out, and whoever books trades is told, once: what it did to the position is unknown
until the venue's positions have been compared. A position that cannot be read is left out while it is certainly of an
instrument that is not ours; of ours it makes the list unreadable, for a list without it would say that it is flat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from domain.errors import ProtocolError
from domain.reports import PositionReport, TradeReport
from venues.thalex.account_wire import decode_position, decode_positions, decode_trade, decode_trade_page, decode_trades
from venues.thalex.wire import NULL, readable

TOLD_MAX = 65_536  # lines that are remembered as told; then all are forgotten, and told once more
ID_CHARS_MAX = 64  # of what stands for a number, in what is told
NOTHING = msgspec.Raw(b"")


class _Whose(msgspec.Struct, gc=False):
    """What tells one line from another, each field as the venue wrote it: whatever is wrong with one costs no other."""

    instrument_name: msgspec.Raw = NOTHING
    trade_id: msgspec.Raw = NOTHING
    order_id: msgspec.Raw = NOTHING
    leg_index: msgspec.Raw = NOTHING
    trade_type: msgspec.Raw = NOTHING


class _RawPage(msgspec.Struct, gc=False):
    trades: list[msgspec.Raw]
    bookmark: str | None = None


_decode_items = readable(msgspec.json.Decoder(list[msgspec.Raw]).decode)
_decode_page = readable(msgspec.json.Decoder(_RawPage).decode)
_decode_whose = readable(msgspec.json.Decoder(_Whose).decode)
_decode_text = readable(msgspec.json.Decoder(str).decode)


def _whose(item: msgspec.Raw) -> _Whose:
    """Return what a line says of itself; nothing where even that cannot be read."""
    try:
        return _decode_whose(item)
    except ProtocolError:
        return _Whose()


def _text(field: msgspec.Raw) -> str:
    """Return a field that is text; empty when it is anything else."""
    try:
        return _decode_text(field)
    except ProtocolError:
        return ""


def _fingerprint(item: msgspec.Raw, whose: _Whose) -> int:
    """Return what is the same each time that a line is told; of a line without a number all of it must be."""
    fields = map(bytes, (whose.trade_id, whose.order_id, whose.leg_index, whose.trade_type))
    parts = tuple(b"" if field == NULL else field for field in fields)
    return hash(parts if parts[0] not in (b"", b'""') else bytes(item))


class TradeLists:
    """Decodes lists of trades.

    Args:
        tell: told once of each line that is left out: its instrument, empty where not even that can be read, and why.
    """

    def __init__(self, tell: Callable[[str, str], None] = lambda instrument_name, reason: None) -> None:
        self._tell = tell
        self._told: set[int] = set()

    def trades(self, payload: Any) -> list[TradeReport]:
        """Return a message of account.trade_history."""
        try:
            return decode_trades(payload)
        except ProtocolError:
            return self._read(_decode_items(payload))

    def page(self, payload: Any) -> tuple[list[TradeReport], str]:
        """Return one page of private/trade_history and the bookmark of the next; empty = last page."""
        try:
            return decode_trade_page(payload)
        except ProtocolError:
            page = _decode_page(payload)
            return self._read(page.trades), (page.bookmark or "") if page.trades else ""

    def _read(self, items: list[msgspec.Raw]) -> list[TradeReport]:
        found = []
        for item in items:
            try:
                found.append(decode_trade(item))
            except ProtocolError as error:
                self._leave_out(item, error)
        return found

    def _leave_out(self, item: msgspec.Raw, error: ProtocolError) -> None:
        whose = _whose(item)
        fingerprint = _fingerprint(item, whose)
        if fingerprint in self._told:
            return
        if len(self._told) >= TOLD_MAX:
            self._told.clear()
        self._told.add(fingerprint)
        name = _text(whose.instrument_name)
        trade_id = _text(whose.trade_id) or bytes(whose.trade_id).decode(errors="replace") or "?"
        self._tell(name, f"trade {trade_id[:ID_CHARS_MAX]} in {name or 'an unknown instrument'}: {error}")


class PositionLists:
    """Decodes lists of positions.

    Args:
        own_instruments: those that we trade; none = any may be ours.
        tell: told once of each instrument whose position is left out, and why.

    Attributes:
        left_out: instruments whose position could not be read when it was told last.
    """

    def __init__(
        self, own_instruments: frozenset[str] = frozenset(), tell: Callable[[str], None] = lambda reason: None
    ) -> None:
        self._own_instruments = own_instruments
        self._tell = tell
        self._told: set[str] = set()
        self.left_out: set[str] = set()

    def changed(self, payload: Any) -> list[PositionReport]:
        """Return a message of account.portfolio. ProtocolError: the position in an instrument of ours is unreadable."""
        try:
            reports = decode_positions(payload)
        except ProtocolError:
            if not self._own_instruments:
                raise
            reports = self._read(_decode_items(payload))
        if self.left_out:
            self.left_out.difference_update(report.instrument_name for report in reports)
        return reports

    def all(self, payload: Any) -> list[PositionReport]:
        """Return the answer of private/portfolio, which is complete; ProtocolError as of `changed`."""
        self.left_out.clear()
        return self.changed(payload)

    def _read(self, items: list[msgspec.Raw]) -> list[PositionReport]:
        found = []
        for item in items:
            try:
                found.append(decode_position(item))
            except ProtocolError as error:
                self._leave_out(_text(_whose(item).instrument_name), error)
        return found

    def _leave_out(self, name: str, error: ProtocolError) -> None:
        if not name or name in self._own_instruments:
            raise ProtocolError(f"position in {name or '?'}, which may be ours: {error}", error.refusal) from error
        self.left_out.add(name)
        if name not in self._told and len(self._told) < TOLD_MAX:
            self._told.add(name)
            self._tell(f"position in {name}: {error}")
