"""Indices and forward prices as records; a row of the table belongs to a name for the life of the session."""

from __future__ import annotations

from structlog.stdlib import BoundLogger

from actors.market_data.outputs import MarketOutputs
from venues.thalex.market_wire import BasePricePayload, IndexPayload, number, stamp_ns

KIND_INDEX, KIND_FORWARD = 1, 2


class IndexRows:
    """Publishes every price that no book has."""

    def __init__(self, outputs: MarketOutputs, log: BoundLogger) -> None:
        self._ring = outputs.indices
        self._table = outputs.index_table
        self._log = log
        self._rows: dict[str, int] = {}
        self._free = list(range(self._table.rows))

    def load(self) -> None:
        """Find the rows that a process before this one has given to names."""
        for row in list(self._free):
            if self._table.load_own(row):
                self._rows[bytes(self._table.scratch[0]["name"]).decode(errors="replace")] = row
                self._free.remove(row)

    def publish_index(self, name: str, index: IndexPayload, receive_ns: int, receive_realtime_ns: int) -> None:
        record = self._ring.scratch[0]
        record["kind"] = KIND_INDEX
        record["exchange_time_ns"] = stamp_ns(index.timestamp)
        record["price"] = index.price
        record["index_price"] = number(None)
        record["index_delta"] = number(None)
        record["previous_settlement_price"] = number(index.previous_settlement_price)
        record["expected_expiration_price"] = number(index.expected_expiration_price)
        record["expiration_progress"] = number(index.expiration_progress)
        self._publish(name, receive_ns, receive_realtime_ns)

    def publish_forward(self, name: str, forward: BasePricePayload, receive_ns: int, receive_realtime_ns: int) -> None:
        record = self._ring.scratch[0]
        record["kind"] = KIND_FORWARD
        record["exchange_time_ns"] = 0
        record["price"] = forward.price
        record["index_price"] = number(forward.index)
        record["index_delta"] = number(forward.index_delta)
        record["previous_settlement_price"] = number(None)
        record["expected_expiration_price"] = number(None)
        record["expiration_progress"] = number(None)
        self._publish(name, receive_ns, receive_realtime_ns)

    def _publish(self, name: str, receive_ns: int, receive_realtime_ns: int) -> None:
        record = self._ring.scratch[0]
        record["name"] = name.encode()
        record["receive_time_ns"] = receive_ns
        record["receive_realtime_ns"] = receive_realtime_ns
        row = self._row_of(name)
        if row is not None:
            self._table.ints[1:] = self._ring.ints[1:]  # word 0 is the table's own sequence
            self._table.publish(row)
        self._ring.publish()

    def _row_of(self, name: str) -> int | None:
        row = self._rows.get(name)
        if row is None and self._free:
            row = self._rows[name] = self._free.pop(0)
            if not self._free:
                self._log.warning("the table of indices is full: further names are in the ring alone", last=name)
        return row
