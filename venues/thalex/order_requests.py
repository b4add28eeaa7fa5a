"""Orders out: each is written at once, and its answer goes to the listener."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal

from domain.instrument import Instrument
from venues.gateway import NewOrder
from venues.quoting import MassQuote
from venues.thalex.account_requests import AccountRequests
from venues.thalex.account_wire import decode_order, decode_void
from venues.thalex.order_replies import QUOTE_KIND
from venues.thalex.protocol import Decode, Requests
from venues.thalex.quote_wire import (
    CANCEL_MASS_QUOTE,
    MASS_QUOTE,
    decode_quote_result,
    encode_cancel_mass_quotes,
    encode_mass_quote,
    product_of,
)
from venues.thalex.wire import encode_amend, encode_cancel, encode_cancel_order, encode_insert


class OrderRequests(AccountRequests):
    """The quick half of a gateway; it needs a way to `_send`, and the requests under way."""

    @abstractmethod
    def _requests(self) -> Requests:
        """Return the requests of the present session; ConnectivityError when there is none."""

    @abstractmethod
    def _send(
        self, requests: Requests, request_id: int, method: str, kind: str, number: int, decode: Decode, frame: bytes
    ) -> int:
        """Write a frame whose answer will be told as `kind` of `number`; return the monotonic ns after the write."""

    def insert(self, order: NewOrder) -> int:
        requests = self._requests()
        request_id = requests.next_id()
        frame = encode_insert(request_id, order)
        return self._send(requests, request_id, "private/insert", "insert", order.client_order_id, decode_order, frame)

    def amend(self, client_order_id: int, price: Decimal, size: Decimal) -> int:
        requests = self._requests()
        request_id = requests.next_id()
        frame = encode_amend(request_id, client_order_id, price, size)
        return self._send(requests, request_id, "private/amend", "amend", client_order_id, decode_order, frame)

    def cancel(self, client_order_id: int) -> int:
        requests = self._requests()
        request_id = requests.next_id()
        frame = encode_cancel(request_id, client_order_id)
        return self._send(requests, request_id, "private/cancel", "cancel", client_order_id, decode_order, frame)

    def cancel_order(self, venue_order_id: str, client_order_id: int = 0) -> int:
        requests = self._requests()
        request_id = requests.next_id()
        frame = encode_cancel_order(request_id, venue_order_id)
        return self._send(requests, request_id, "private/cancel", "cancel", client_order_id, decode_order, frame)

    def product(self, instrument: Instrument) -> str:
        return product_of(instrument)

    def mass_quote(self, quote: MassQuote) -> int:
        requests = self._requests()
        request_id = requests.next_id()
        frame = encode_mass_quote(request_id, quote)
        return self._send(requests, request_id, MASS_QUOTE, QUOTE_KIND, quote.quote_id, decode_quote_result, frame)

    def cancel_mass_quotes(self, product: str) -> int:
        requests = self._requests()
        request_id = requests.next_id()
        frame = encode_cancel_mass_quotes(request_id, product)
        return self._send(requests, request_id, CANCEL_MASS_QUOTE, QUOTE_KIND, 0, decode_void, frame)
