"""`./cli.py init FILE`: a commented configuration of one instrument, to begin with.

What is measured in dollars follows from two numbers: what the instrument trades at, and the size of an order. The
values of configs/local.toml and of the presets hold for 0.01 at 100,000 $; other prices scale σ, κ and spreads, other
notionals γ and limits.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

from domain.errors import ConfigError, UserError
from runtime.config import Config, load_config
from trading.quoting.presets import PRESETS

LOCAL_UNDERLYINGS = ("BTC", "ETH")  # what the local exchange can list
REFERENCE_PRICE_USD = 100_000.0
REFERENCE_NOTIONAL_USD = 1_000.0


class Scale(NamedTuple):
    """Roughly what one base unit costs, and the size of an order in base units."""

    price_usd: float
    size_base: float


KNOWN = {"BTC": Scale(100_000.0, 0.01), "ETH": Scale(4_000.0, 0.2)}
REMARK_COLUMN = 37
_REMARK = re.compile(r"^(\S.*?) +#", re.MULTILINE)
TESTNET_PART = 0.1  # of the usual size, at a venue with an account

_VENUES = {
    "local": """[venue]
kind = "local"                       # the exchange that the supervisor starts on this machine; no account, no keys
""",
    "thalex": """[venue]
kind = "thalex"                      # keys from .env; the testnet, unless THALEX_WS_URL there says otherwise
""",
}

_TEXT = """# Session `{session}`: {instrument} on {venue}. The file's name is the session's name.
# Every key has a default, docs/configuration.md has them all. Units are in the names: `base` = base units ({base}),
# `usd` = quote currency, `bps` = 1/10,000. Written for a price of about {price} $: what is in dollars scales with it.

{venue_section}
[instruments."{instrument}"]

[strategy]
preset = "{preset}"                      # none, conservative or aggressive; what stands below wins over it
risk_aversion_per_usd = {gamma}  # γ: larger = wider, and quicker to shed inventory
order_size_base = {size}
{levels}position_soft_base = {soft}             # the side that adds to the position shrinks above this ...
position_hard_base = {hard}             # ... and goes off here
fee_maker_bps = {fee}                  # the venue's maker fee: the half-spread never falls below it

# What the model takes for granted until it has measured. `./cli.py calibrate DATA` writes a block for these.
sigma_prior_usd_per_sqrt_s = {sigma}     # σ
sigma_min_usd_per_sqrt_s = {sigma_min}
sigma_max_usd_per_sqrt_s = {sigma_max}
arrival_rate_prior_per_s = 1.0       # A, and κ below: fills arrive at A·exp(−κ·depth)
arrival_decay_prior_per_usd = {decay}
fit_decay_per_usd_min = {decay_min}
fit_decay_per_usd_max = {decay_max}
half_spread_min_usd = {half_spread_min}
half_spread_max_usd = {half_spread_max}

[risk]                               # checked on every order and ten times a second on the account
position_max_base = {position_max}
order_size_max_base = {order_max}
order_notional_max_usd = {order_notional}
gross_notional_max_usd = {gross_notional}
net_notional_max_usd = {gross_notional}
loss_from_peak_max_usd = {loss_peak}       # halts until `./cli.py resume`
loss_of_day_max_usd = {loss_day}
{exchange_section}
[recorder]                           # runs/<id>/recordings (Parquet) and audit.sqlite: docs/recordings.md
enabled = true
"""

_EXCHANGE = """
[risk.alarms]
fills_per_min = 600                  # the built-in flow is busy: 200 a minute are its usual rate

[exchange]                           # the local exchange
underlyings = ["{base}"]
seed = 1                             # the same seed, the same market
maker_fee_bps = {fee}
"""


def write_first_config(
    path: Path, *, venue: str, instrument: str, preset: str, price_usd: float | None, size_base: float | None
) -> Config:
    """Write a configuration that a session would take, and return it; nothing stays when it would not.

    Raises:
        UserError: it is no .toml, it is there already, or what was asked for does not go together.
    """
    if path.suffix != ".toml":
        raise UserError(f"{path}: expected a name that ends in .toml, e.g. {path.with_suffix('.toml')}")
    text = first_config(
        path.stem, venue=venue, instrument=instrument, preset=preset, price_usd=price_usd, size_base=size_base
    )
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{path}: is there already, and is left as it is: take another name, or move it away") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        return load_config(path)
    except ConfigError:
        path.unlink()
        raise


def first_config(
    session: str, *, venue: str, instrument: str, preset: str, price_usd: float | None, size_base: float | None
) -> str:
    """Return its text. `price_usd` and `size_base` may be left out for BTC and ETH."""
    if venue not in _VENUES:
        raise UserError(f"--venue {venue}: expected {' or '.join(_VENUES)}")
    base = instrument.partition("-")[0]
    if venue == "local" and base not in LOCAL_UNDERLYINGS:
        there_are = " and ".join(LOCAL_UNDERLYINGS)
        raise UserError(f"-i {instrument}: the local exchange lists {there_are}, e.g. BTC-PERPETUAL; or --venue thalex")
    scale = _scale(instrument, venue, price_usd, size_base)
    values = {"risk_aversion_per_usd": 0.01, "half_spread_min_usd": 0.5} | PRESETS.get(preset, {})
    fee = 0.1 if venue == "local" else 1.0
    by_price = scale.price_usd / REFERENCE_PRICE_USD
    by_notional = scale.price_usd * scale.size_base / REFERENCE_NOTIONAL_USD
    text = _TEXT.format(
        session=session, instrument=instrument, venue=venue, base=base, preset=preset, fee=fee,
        price=f"{scale.price_usd:,.10g}", venue_section=_VENUES[venue], size=_number(scale.size_base),
        exchange_section=_EXCHANGE.format(base=base, fee=fee) if venue == "local" else "",
        levels="" if preset in PRESETS and preset != "none" else "levels = 3\nlevel_spacing_ticks = 5\n",
        gamma=_number(values["risk_aversion_per_usd"] / by_notional),
        half_spread_min=_number(values["half_spread_min_usd"] * by_price),
        soft=_number(3 * scale.size_base), hard=_number(5 * scale.size_base),
        sigma=_number(5.0 * by_price), sigma_min=_number(0.1 * by_price), sigma_max=_number(200.0 * by_price),
        decay=_number(1.0 / by_price), decay_min=_number(0.001 / by_price), decay_max=_number(100.0 / by_price),
        half_spread_max=_number(500.0 * by_price), position_max=_number(10 * scale.size_base),
        order_max=_number(5 * scale.size_base), order_notional=_number(10_000 * by_notional),
        gross_notional=_number(25_000 * by_notional), loss_peak=_number(250 * by_notional),
        loss_day=_number(500 * by_notional),
    )  # fmt: skip
    return _REMARK.sub(lambda found: f"{found[1]:<{REMARK_COLUMN}}#", text)


def _scale(instrument: str, venue: str, price_usd: float | None, size_base: float | None) -> Scale:
    known = KNOWN.get(instrument.partition("-")[0], Scale(0.0, 0.0))
    part = TESTNET_PART if venue != "local" else 1.0
    price = known.price_usd if price_usd is None else price_usd
    size = known.size_base * part if size_base is None else size_base
    if (price_usd is None and not price) or (size_base is None and not size):
        raise UserError(f"-i {instrument}: give --price (roughly, $) and --size (of an order, base units) for it")
    if not (0.0 < price < math.inf and 0.0 < size < math.inf):
        raise UserError(f"--price {price:g}, --size {size:g}: expected numbers above 0")
    return Scale(price, size)


def _number(value: float) -> str:
    """Return a TOML float of three digits."""
    return repr(float(f"{value:.3g}"))
