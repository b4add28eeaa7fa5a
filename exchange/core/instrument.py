"""What is traded here: perpetuals and dated futures, their names and their steps."""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from exchange.core.units import Grid

EXPIRY_HOUR_UTC = 8
QUARTER_MONTHS = (3, 6, 9, 12)
DAYS_TO_EXPIRY_MIN = 7  # a future that expires sooner is skipped for the next quarter's
FRIDAY = 4


class InstrumentType(enum.Enum):
    PERPETUAL = "perpetual"
    FUTURE = "future"
    OPTION = "option"
    COMBINATION = "combination"


class Leg(NamedTuple):
    instrument_name: str
    quantity: int


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """One contract: linear, multiplier 1, quoted and settled in USD. Expiry in seconds since the epoch."""

    name: str
    underlying: str
    type: InstrumentType
    grid: Grid
    order_size_lots_min: int
    create_time: float
    expiry_time: int | None = None
    strike_price: Decimal | None = None
    is_call: bool = False
    legs: tuple[Leg, ...] = ()
    leg_grid: Grid | None = None  # only of a combination made for an order: that of the legs

    @property
    def fill_grid(self) -> Grid:
        """Return what the lots of a fill are counted in: a combination made for an order fills on its legs."""
        return self.leg_grid or self.grid

    @property
    def product(self) -> str:
        return ("O" if self.type is InstrumentType.OPTION else "F") + self.underlying

    @property
    def may_be_negative(self) -> bool:
        """Whether a price of 0 or less makes sense: for the difference of two prices."""
        return self.type is InstrumentType.COMBINATION

    @property
    def expiry(self) -> datetime.datetime:
        """Raises AssertionError for a perpetual."""
        assert self.expiry_time is not None, f"{self.name} does not expire"
        return datetime.datetime.fromtimestamp(self.expiry_time, datetime.UTC)

    @property
    def expiry_date(self) -> str | None:
        if self.expiry_time is None:
            return None
        return datetime.datetime.fromtimestamp(self.expiry_time, datetime.UTC).strftime("%Y-%m-%d")


def quarter_end_expiry(now: datetime.datetime) -> datetime.datetime:
    """Return the first quarter end (last Friday of March, June, ... 08:00 UTC) at least a week away."""
    year, month = now.year, now.month
    while True:
        if month in QUARTER_MONTHS:
            expiry = _last_friday(year, month)
            if expiry - now >= datetime.timedelta(days=DAYS_TO_EXPIRY_MIN):
                return expiry
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def weekly_expiry(now: datetime.datetime) -> datetime.datetime:
    """Return the first Friday 08:00 UTC that is more than a day away."""
    expiry = daily_expiry(now) + datetime.timedelta(days=1)
    return expiry + datetime.timedelta(days=(FRIDAY - expiry.weekday()) % 7)


def daily_expiry(now: datetime.datetime) -> datetime.datetime:
    """Return the next 08:00 UTC."""
    today = now.replace(hour=EXPIRY_HOUR_UTC, minute=0, second=0, microsecond=0)
    return today if now < today else today + datetime.timedelta(days=1)


def _last_friday(year: int, month: int) -> datetime.datetime:
    first_of_next = datetime.datetime(year + month // 12, month % 12 + 1, 1, EXPIRY_HOUR_UTC, tzinfo=datetime.UTC)
    last_day = first_of_next - datetime.timedelta(days=1)
    return last_day - datetime.timedelta(days=(last_day.weekday() - FRIDAY) % 7)


def future_name(base: str, expiry: datetime.datetime) -> str:
    """Return e.g. BTC-25DEC26, or BTC-4JUL23: the day has no leading zero."""
    return f"{base}-{expiry.day}{expiry.strftime('%b%y').upper()}"


def make_perpetual(base: str, grid: Grid, create_time: float) -> Instrument:
    return Instrument(f"{base}-PERPETUAL", f"{base}USD", InstrumentType.PERPETUAL, grid, 1, create_time)


def make_quarter_future(base: str, grid: Grid, create_time: float) -> Instrument:
    expiry = quarter_end_expiry(datetime.datetime.fromtimestamp(create_time, datetime.UTC))
    return make_future(base, grid, expiry, create_time)


def make_future(base: str, grid: Grid, expiry: datetime.datetime, create_time: float) -> Instrument:
    return Instrument(
        name=future_name(base, expiry),
        underlying=f"{base}USD",
        type=InstrumentType.FUTURE,
        grid=grid,
        order_size_lots_min=1,
        create_time=create_time,
        expiry_time=int(expiry.timestamp()),
    )


def make_roll(far: Instrument, near: Instrument, create_time: float, lots_min: int = 100) -> Instrument:
    """Return the roll of two delta-one instruments: to buy it is to buy the far and to sell the near one."""
    base = far.name.split("-")[0]
    return Instrument(
        name=f"{base}-{far.name.split('-')[1]}-{near.name.split('-')[1]}",
        underlying=far.underlying,
        type=InstrumentType.COMBINATION,
        grid=far.grid,
        order_size_lots_min=lots_min,
        create_time=create_time,
        expiry_time=far.expiry_time if near.expiry_time is None else near.expiry_time,
        legs=(Leg(far.name, 1), Leg(near.name, -1)),
    )


def make_option(future: Instrument, strike: int, *, is_call: bool, create_time: float, grid: Grid) -> Instrument:
    """Return an option that expires with `future`."""
    return Instrument(
        name=f"{future.name}-{strike}-{'C' if is_call else 'P'}",
        underlying=future.underlying,
        type=InstrumentType.OPTION,
        grid=grid,
        order_size_lots_min=1,
        create_time=create_time,
        expiry_time=future.expiry_time,
        strike_price=Decimal(strike),
        is_call=is_call,
    )


BTC_OPTION_GRID = Grid(tick_size=Decimal(5), lot_size=Decimal("0.01"))
BTC_GRID = Grid(tick_size=Decimal(1), lot_size=Decimal("0.001"))
