"""Channel names and what they ask for. Split from both ends: a grouping may hold a dot."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from exchange.core.scheduler import NS_PER_MS

DELAYS_NS: dict[str, int] = {
    "raw": 0,
    **{f"{ms}ms": ms * NS_PER_MS for ms in (100, 200, 500, 1000, 5000, 60000)},
}


class TickerName(NamedTuple):
    instrument_name: str
    is_light: bool
    delay_ns: int


class BookName(NamedTuple):
    """`grouping` is None for none, `levels_max` is None for all."""

    instrument_name: str
    grouping: Decimal | None
    levels_max: int | None
    delay_ns: int


class TapeName(NamedTuple):
    """`category` is single (of an instrument), all, options or future_rolls (of an underlying)."""

    target: str
    category: str


class IndexName(NamedTuple):
    underlying: str


class PlainName(NamedTuple):
    """A channel without parameters."""

    name: str


class InstrumentsName(NamedTuple):
    """`category` is all, futures, future_rolls or options; the others may be `all`, too."""

    category: str
    underlying: str
    expiry_date: str


class LightTickersName(NamedTuple):
    """`kind` is options, futures or future_rolls; `expiry_date` None = all."""

    kind: str
    underlying: str
    expiry_date: str | None
    delay_ns: int


class UnderlyingName(NamedTuple):
    """A stream of one underlying: underlying_statistics or index_components."""

    kind: str
    underlying: str


class BasePriceName(NamedTuple):
    underlying: str
    expiry_date: str


ChannelName = (
    InstrumentsName
    | LightTickersName
    | UnderlyingName
    | BasePriceName
    | TickerName
    | BookName
    | TapeName
    | IndexName
    | PlainName
)

CATEGORIES = frozenset({"all", "futures", "future_rolls", "options"})
PLAIN_PUBLIC = frozenset({"instruments", "system", "banners", "rfqs"})
PRIVATE = frozenset(
    {
        "session.orders",
        "session.mm_protection",
        "account.orders",
        "account.persistent_orders",
        "account.portfolio",
        "account.summary",
        "account.trade_history",
        "account.order_history",
        "account.conditional_orders",
        "account.bots",
        "account.rfqs",
        "account.rfq_history",
        "mm.rfqs",
        "mm.rfq_quotes",
        "user.inbox_notifications",
    }
)


def parse(name: str) -> ChannelName | None:
    """Return what a public channel name asks for, or None when it is not one."""
    if name in PLAIN_PUBLIC:
        return PlainName(name)
    kind, _, rest = name.partition(".")
    if kind in ("ticker", "lwt"):
        instrument_name, _, delay = rest.rpartition(".")
        if delay in DELAYS_NS and instrument_name:
            return TickerName(instrument_name, kind == "lwt", DELAYS_NS[delay])
    elif kind == "book":
        return _parse_book(rest)
    elif kind == "recent_trades":
        target, _, category = rest.rpartition(".")
        if target and category in ("single", "all", "options", "future_rolls"):
            return TapeName(target, category)
    elif kind == "price_index" and rest:
        return IndexName(rest)
    else:
        return _parse_overview(kind, rest.split("."))
    return None


def _parse_overview(kind: str, parts: list[str]) -> ChannelName | None:
    match kind, parts:
        case "instruments", [category, underlying, expiry_date] if category in CATEGORIES:
            return InstrumentsName(category, underlying, expiry_date)
        case "lwt_options", [underlying, expiry_date, delay] if delay in DELAYS_NS:
            return LightTickersName("options", underlying, _or_all(expiry_date), DELAYS_NS[delay])
        case (("lwt_futures" | "lwt_future_rolls"), [underlying, delay]) if delay in DELAYS_NS:
            return LightTickersName(kind.removeprefix("lwt_"), underlying, None, DELAYS_NS[delay])
        case (("underlying_statistics" | "index_components"), [underlying]):
            return UnderlyingName(kind, underlying)
        case "base_price", [underlying, expiry_date]:
            return BasePriceName(underlying, expiry_date)
    return None


def _or_all(text: str) -> str | None:
    return None if text == "all" else text


def _parse_book(rest: str) -> BookName | None:
    parts = rest.rsplit(".", 2)
    if len(parts) != 3 or parts[2] not in DELAYS_NS:
        return None
    instrument_name, _, grouping = parts[0].partition(".")
    levels_max = _levels(parts[1])
    if not instrument_name or not grouping or levels_max == 0:
        return None
    try:
        step = None if grouping == "none" else Decimal(grouping)
    except InvalidOperation:
        return None
    return BookName(instrument_name, step, levels_max, DELAYS_NS[parts[2]])


def _levels(text: str) -> int | None:
    """Return the number of levels, None for all, 0 when it is neither."""
    if text == "all":
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
