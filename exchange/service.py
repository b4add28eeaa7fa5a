"""One run of the exchange: builds the core and its front-end, announces itself, ends on a signal."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import signal
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import msgspec

from exchange.background.fair_price import FairPriceParameters
from exchange.background.recording import Recording
from exchange.background.replay import Replay
from exchange.background.rfq_maker import RfqMaker
from exchange.background.simulation import Background
from exchange.config import ExchangeConfig
from exchange.core.contracts import CONTRACTS
from exchange.core.engine import Engine
from exchange.core.execution import Fees
from exchange.core.instrument import make_perpetual
from exchange.core.limits import Limits
from exchange.core.listing import Listing, Products
from exchange.core.margin import MarginParameters
from exchange.core.marks import MarkParameters
from exchange.core.scheduler import NS_PER_MS, LoopScheduler
from exchange.failure import StartError
from exchange.gateways.thalex.auth import Authenticator
from exchange.gateways.thalex.hub import Hub
from exchange.gateways.thalex.server import PATH, ThalexServer
from exchange.gateways.thalex.session import Context, Settings
from exchange.keys import ApiKey, load_or_make_keys, write_private
from exchange.metrics import MetricsFile
from exchange.order_log import OrderLog

BPS = Decimal(10_000)
PR_SET_PDEATHSIG = 1
BASE_CURRENCY = "BTC"


async def run(config: ExchangeConfig) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        StartError: when the port is taken, a recording is broken or a file can't be used.
    """
    stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    _stop_on_signals(stop)
    if config.die_with_parent:
        _die_with_parent()
    if config.key_file is not None:
        await _serve(config, config.key_file.absolute(), stop)
        return
    with tempfile.TemporaryDirectory(prefix="ringmaker-exchange-") as scratch:
        await _serve(config, Path(scratch) / "key.json", stop)


async def _serve(config: ExchangeConfig, key_file: Path, stop: asyncio.Future[None]) -> None:
    keys = load_or_make_keys(key_file, config.accounts)
    scheduler = LoopScheduler(asyncio.get_running_loop())
    engine = _make_engine(config, scheduler)
    source = _make_source(config, engine, stop)
    context = _make_context(config, engine, keys, source)
    server = ThalexServer(context)
    source.start()
    engine.start()
    try:
        url = await _listen(server, config)
        _announce(config, url, keys, engine)
        context.faults.schedule(list(config.faults))
        await stop
    finally:
        await server.close()
        context.order_log.close()


def _make_engine(config: ExchangeConfig, scheduler: LoopScheduler) -> Engine:
    fees = Fees(config.maker_fee_bps / BPS, config.taker_fee_bps / BPS)
    marks = MarkParameters(collar_ratio=config.collar_ratio)
    margin = MarginParameters(is_checked=config.margin, spot_move_ratio=config.margin_ratio)
    limits = Limits(config.open_orders_max, config.order_cash_max_usd)
    return Engine(scheduler, fees=fees, marks=marks, speed=config.speed, margin=margin, limits=limits)


def _make_source(config: ExchangeConfig, engine: Engine, stop: asyncio.Future[None]) -> Background | Replay:
    """Add the instruments, and return what moves their markets: background flow or a recording."""
    create_time = float(int(time.time()))
    if config.replay:
        recording = Recording.open(config.replay)
        market = engine.add_market(make_perpetual(BASE_CURRENCY, recording.grid, create_time))
        return Replay(engine, market, recording, lambda error: _fail(stop, error))
    products = Products(config.rolls, config.options, config.expiries)
    prices = {name: config.start_price_usd * CONTRACTS[name].price_ratio for name in config.underlyings}
    engine.listing = Listing(engine, products, prices)
    engine.listing.refresh()
    fair = FairPriceParameters(start_usd=config.start_price_usd)
    background = Background(engine, seed=config.seed, fair=fair, correlation=config.correlation)
    engine.add_listener(background)
    engine.add_listener(RfqMaker(engine))
    return background


def _make_context(config: ExchangeConfig, engine: Engine, keys: list[ApiKey], source: Background | Replay) -> Context:
    authenticator = Authenticator()
    for key in keys:
        account = engine.add_account(key.account_number, config.balance_usd)
        account.may_quote = config.mass_quotes
        authenticator.register(key.key_id, key.public_key, key.account_number)
    try:
        order_log = OrderLog(config.order_log, engine.scheduler, config.order_log_mb_max << 20)
    except OSError as error:
        raise StartError(f"{config.order_log}: can't write the order log ({error.strerror})") from None
    hub = Hub(engine)
    engine.add_listener(order_log)
    engine.add_listener(hub)
    settings = Settings(
        notifications_first=config.notifications_first,
        latency_ns=round(config.latency_ms * NS_PER_MS),
        admin=config.admin,
        order_rate_with_cod_per_s=config.order_rate_per_s,
        fault_seed=config.seed,
        connections_max=config.connections_max,
        backlog_bytes_max=1024 * config.backlog_kib_max,
    )
    controls = source if isinstance(source, Background) else None
    context = Context(engine, hub, authenticator, order_log, settings, controls, sessions={})
    if config.metrics_file is not None:
        metrics = MetricsFile(config.metrics_file, context)
        try:
            metrics.write()
        except OSError as error:
            raise StartError(f"{config.metrics_file}: can't write the metrics ({error.strerror})") from None
        engine.add_listener(metrics)
    return context


async def _listen(server: ThalexServer, config: ExchangeConfig) -> str:
    try:
        port = await server.listen(config.host, config.port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            detail = f"port {config.port} on {config.host} is taken; end the process that listens there, "
            raise StartError(detail + "or choose another with --port (0 takes a free one)") from None
        detail = f"can't listen on {config.host} port {config.port}: {error.strerror or error}"
        raise StartError(f"{detail}; choose another with --host and --port") from None
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"ws://{host}:{port}{PATH}"


def _announce(config: ExchangeConfig, url: str, keys: list[ApiKey], engine: Engine) -> None:
    key_file = keys[0].path
    print(f"exchange at {url} key file {key_file}", flush=True)
    if config.ready_file is None:
        return
    accounts = [{"account_number": key.account_number, "key_file": str(key.path)} for key in keys]
    names = list(engine.markets)
    ready = {"url": url, "key_file": str(key_file), "pid": os.getpid(), "instruments": names, "accounts": accounts}
    try:
        write_private(config.ready_file, msgspec.json.encode(ready))
    except OSError as error:
        raise StartError(f"{config.ready_file}: can't write the ready file ({error.strerror})") from None


def _stop_on_signals(stop: asyncio.Future[None]) -> None:
    def on_signal() -> None:
        if not stop.done():
            stop.set_result(None)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)


def _fail(stop: asyncio.Future[None], error: StartError) -> None:
    if not stop.done():
        stop.set_exception(error)


def _die_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the parent ends; end at once if it has ended already."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
