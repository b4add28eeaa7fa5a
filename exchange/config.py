"""The command line of `python -m exchange`, parsed once into a frozen value."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from exchange.background.simulation import CORRELATION
from exchange.core.contracts import CONTRACTS
from exchange.core.listing import NEXT_EXPIRY
from exchange.gateways.thalex.faults import Fault, schedule_decoder

PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    host: str
    port: int
    seed: int
    speed: float
    start_price_usd: float
    replay: tuple[Path, ...]
    ready_file: Path | None
    key_file: Path | None
    order_log: Path | None
    order_log_mb_max: int
    latency_ms: float
    maker_fee_bps: Decimal
    taker_fee_bps: Decimal
    collar_ratio: Decimal
    balance_usd: Decimal
    accounts: int
    order_rate_per_s: int
    faults: tuple[Fault, ...]
    metrics_file: Path | None
    underlyings: tuple[str, ...]
    expiries: tuple[str, ...]
    correlation: float
    rolls: bool
    options: bool
    margin: bool
    margin_ratio: Decimal
    open_orders_max: int
    order_cash_max_usd: Decimal
    connections_max: int
    backlog_kib_max: int
    mass_quotes: bool
    notifications_first: bool
    admin: bool
    die_with_parent: bool


def parse_arguments(arguments: Sequence[str]) -> ExchangeConfig:
    """Return the configuration; argparse itself ends with exit code 2 and a line on bad usage."""
    options = _parser().parse_args(arguments)
    return ExchangeConfig(
        host=options.host,
        port=options.port,
        seed=options.seed,
        speed=options.speed,
        start_price_usd=options.start_price,
        replay=tuple(options.replay),
        ready_file=options.ready_file,
        key_file=options.key_file,
        order_log=options.order_log,
        order_log_mb_max=options.order_log_mb_max,
        latency_ms=options.latency_ms,
        maker_fee_bps=options.maker_fee_bps,
        taker_fee_bps=options.taker_fee_bps,
        collar_ratio=options.collar_percent / 100,
        balance_usd=options.balance,
        accounts=options.accounts,
        order_rate_per_s=options.order_rate,
        faults=tuple(options.faults),
        metrics_file=options.metrics_file,
        underlyings=options.underlyings,
        expiries=options.expiries,
        correlation=options.correlation,
        rolls=options.rolls,
        options=options.options,
        margin=options.margin,
        margin_ratio=options.margin_percent / 100,
        open_orders_max=options.open_orders_max,
        order_cash_max_usd=options.order_cash_max,
        connections_max=options.connections_max,
        backlog_kib_max=options.backlog_max,
        mass_quotes=options.mass_quotes,
        notifications_first=options.notifications == "first",
        admin=options.admin,
        die_with_parent=options.die_with_parent,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m exchange",
        description="A derivatives exchange on loopback that speaks Thalex's WebSocket protocol.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=_port, default=0, help="port to listen on; 0 takes a free one (%(default)s)")
    add("--seed", type=_count, default=1, help="seed of the background flow (%(default)s)")
    add("--speed", type=_positive, default=1.0, help="market time over real time (%(default)s)")
    add("--start-price", type=_positive, default=100_000.0, metavar="USD", help="fair price at first (%(default)s)")
    add("--replay", type=Path, nargs="+", default=[], metavar="FILE", help="parts of one recording, in order")
    add("--ready-file", type=Path, metavar="PATH", help="written as JSON once connections are accepted")
    add("--key-file", type=Path, metavar="PATH", help="API key as JSON, made when missing (a temporary file)")
    add("--order-log", type=Path, metavar="PATH", help="JSON lines of every order and connection event")
    add(
        "--order-log-mb-max", type=_count, default=0, metavar="MB",
        help="it goes on in a new file at this size, and four before it are kept; 0 = never (%(default)s)",
    )  # fmt: skip
    add("--latency-ms", type=_not_negative, default=0.0, metavar="MS", help="delay of each request (%(default)s)")
    add("--maker-fee-bps", type=_decimal, default=Decimal(1), metavar="BPS", help="maker fee (%(default)s)")
    add("--taker-fee-bps", type=_decimal, default=Decimal(5), metavar="BPS", help="taker fee (%(default)s)")
    add("--collar-percent", type=_decimal, default=Decimal(1), metavar="PERCENT", help="collar (%(default)s)")
    add("--balance", type=_decimal, default=Decimal(100_000), metavar="USD", help="cash at first (%(default)s)")
    add("--accounts", type=_at_least_one, default=1, metavar="N", help="accounts, each with a key (%(default)s)")
    add("--underlyings", type=_underlyings, default=tuple(CONTRACTS), metavar="LIST", help="of BTC,ETH (both)")
    add(
        "--expiries", type=_expiries, default=tuple(NEXT_EXPIRY), metavar="LIST", help="of daily,weekly,quarterly (all)"
    )
    add("--correlation", type=_correlation, default=CORRELATION, metavar="R", help="of ETH with BTC (%(default)s)")
    add("--no-rolls", dest="rolls", action="store_false", help="list no rolls")
    add("--no-options", dest="options", action="store_false", help="list no options")
    add("--faults", type=_faults, default=[], metavar="FILE|JSON", help="schedule of faults, a JSON list")
    add("--metrics-file", type=Path, metavar="PATH", help="replaced each second with counters as JSON")
    add("--order-rate", type=_at_least_one, default=50, metavar="N", help="orders a second, armed (%(default)s)")
    add("--no-margin", dest="margin", action="store_false", help="do not check margin")
    add("--margin-percent", type=_decimal, default=Decimal(20), metavar="PERCENT", help="worst move (%(default)s)")
    add("--open-orders-max", type=_count, default=0, metavar="N", help="an account's open orders; 0 = any")
    add("--order-cash-max", type=_decimal, default=Decimal(0), metavar="USD", help="open orders a side; 0 = any")
    add("--connections-max", type=_count, default=0, metavar="N", help="an account's connections; 0 = any")
    add("--backlog-max", type=_at_least_one, default=16_384, metavar="KIB", help="what may wait for a slow reader")
    add("--no-mass-quotes", dest="mass_quotes", action="store_false", help="no account is a market maker's")
    add(
        "--notifications",
        choices=("first", "last"),
        default="first",
        help="whether order notifications go out before or after the response (%(default)s)",
    )
    add("--admin", action="store_true", help="offer the admin/ methods")
    add("--die-with-parent", action="store_true", help="end when the process that started this one ends")
    return parser


def _faults(text: str) -> list[Fault]:
    where = "--faults" if text.lstrip().startswith("[") else text
    try:
        data = text.encode() if where == "--faults" else Path(text).read_bytes()
        return schedule_decoder.decode(data)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text}: can't read the schedule ({error.strerror})") from None
    except msgspec.DecodeError as error:
        raise argparse.ArgumentTypeError(f"{where}: expected a JSON list of faults; {error}") from None


def _underlyings(text: str) -> tuple[str, ...]:
    return tuple(f"{base}USD" for base in _names(text, [table.base for table in CONTRACTS.values()]))


def _expiries(text: str) -> tuple[str, ...]:
    return _names(text, list(NEXT_EXPIRY)) if text != "none" else ()


def _names(text: str, known: list[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a list of {', '.join(known)}, with commas between")
    return names


def _correlation(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 2.0
    if not -1.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number from -1 to 1")
    return value


def _port(text: str) -> int:
    port = _count(text)
    if port > PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a port from 0 to {PORT_MAX}")
    return port


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number of at least 0")
    return int(text)


def _at_least_one(text: str) -> int:
    value = _count(text)
    if not value:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number of at least 1")
    return value


def _positive(text: str) -> float:
    value = _not_negative(text)
    if not value:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number above 0")
    return value


def _not_negative(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e12:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number of at least 0")
    return value


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number")
    return value
