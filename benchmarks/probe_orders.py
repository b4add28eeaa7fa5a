"""The probe venue's orders: taken, moved, cancelled, never filled; reported as the venue reports them."""

from __future__ import annotations

import time

import msgspec
from msgspec import UNSET, UnsetType

CODE_ORDER_NOT_FOUND = 1
CODE_DUPLICATE_ID = 2


class InsertParams(msgspec.Struct, gc=False):
    """What private/insert brings; other fields are ignored."""

    direction: str
    instrument_name: str
    amount: float
    price: float
    client_order_id: int | UnsetType = UNSET
    label: str | UnsetType = UNSET


class AmendParams(msgspec.Struct, gc=False):
    """What private/amend brings; `amount` 0 deletes the order."""

    price: float
    amount: float
    client_order_id: int | None = None
    order_id: str | None = None


class CancelParams(msgspec.Struct, gc=False):
    """What private/cancel brings."""

    client_order_id: int | None = None
    order_id: str | None = None


class OrderStatus(msgspec.Struct):
    """An order as the venue shows it."""

    order_id: str
    instrument_name: str
    direction: str
    price: float
    amount: float
    remaining_amount: float
    create_time: float
    status: str = "open"
    change_reason: str = "insert"
    label: str | UnsetType = UNSET
    client_order_id: int | UnsetType = UNSET
    filled_amount: float = 0
    order_type: str = "limit"
    time_in_force: str = "good_till_cancelled"
    insert_reason: str = "client_request"
    persistent: bool = False
    fills: list[object] = []
    delete_reason: str | UnsetType = UNSET
    close_time: float | UnsetType = UNSET


class OrderError(Exception):
    """A request that the venue refuses."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class ProbeOrders:
    """Live orders of all connections. A client_order_id belongs to its connection."""

    def __init__(self) -> None:
        self._by_id: dict[str, tuple[int, OrderStatus]] = {}
        self._by_client_id: dict[tuple[int, int], OrderStatus] = {}
        self._count = 0

    @property
    def live(self) -> list[OrderStatus]:
        return [order for _, order in self._by_id.values()]

    def live_in(self, instrument_name: str) -> list[OrderStatus]:
        """Return the live orders in one instrument."""
        return [order for _, order in self._by_id.values() if order.instrument_name == instrument_name]

    def of(self, connection: int) -> list[OrderStatus]:
        """Return the live orders of one connection."""
        return [order for owner, order in self._by_id.values() if owner == connection]

    def insert(self, connection: int, params: InsertParams) -> OrderStatus:
        """Take an order. Raises OrderError when its client_order_id is live already."""
        client_id = params.client_order_id
        if not isinstance(client_id, UnsetType) and (connection, client_id) in self._by_client_id:
            raise OrderError(CODE_DUPLICATE_ID, "duplicate order id")
        self._count += 1
        order = OrderStatus(
            order_id=f"{self._count:016X}",
            instrument_name=params.instrument_name,
            direction=params.direction,
            price=params.price,
            amount=params.amount,
            remaining_amount=params.amount,
            create_time=time.time(),
            label=params.label,
            client_order_id=client_id,
        )
        self._by_id[order.order_id] = (connection, order)
        if not isinstance(client_id, UnsetType):
            self._by_client_id[(connection, client_id)] = order
        return order

    def amend(self, connection: int, params: AmendParams) -> OrderStatus:
        """Move an order. Raises OrderError when it is not live."""
        order = self.find(connection, params.client_order_id, params.order_id)
        if params.amount <= 0:
            return self.close(order, "client_cancel", "amend")
        order.price = params.price
        order.amount = params.amount
        order.remaining_amount = params.amount
        order.change_reason = "amend"
        return order

    def find(self, connection: int, client_order_id: int | None, order_id: str | None) -> OrderStatus:
        """Return a live order by either id. Raises OrderError."""
        if client_order_id is not None:
            found = self._by_client_id.get((connection, client_order_id))
        else:
            found = self._by_id.get(order_id or "", (0, None))[1]
        if found is None:
            raise OrderError(CODE_ORDER_NOT_FOUND, "order not found")
        return found

    def close(self, order: OrderStatus, delete_reason: str, change_reason: str = "cancel") -> OrderStatus:
        """End a live order and return it."""
        owner, _ = self._by_id.pop(order.order_id)
        if not isinstance(order.client_order_id, UnsetType):
            self._by_client_id.pop((owner, order.client_order_id), None)
        order.status = "cancelled"
        order.change_reason = change_reason
        order.delete_reason = delete_reason
        order.remaining_amount = 0
        order.close_time = time.time()
        return order

    def owner_of(self, order: OrderStatus) -> int:
        """Return the connection of a live order."""
        return self._by_id[order.order_id][0]
