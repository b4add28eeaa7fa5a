"""Sees to it that every product that is quoted is protected: sets its group, fills it up, waits when it was used up."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from actors.execution.ports import Ports
from domain.clock import NS_PER_MS
from domain.errors import ConfigError, ConnectivityError, VenueError
from trading.orders.config import MassQuoteConfig
from trading.orders.protection_groups import GroupState, ProtectionGroups
from venues.quoting import ProtectionReport, QuoteGateway

CODES_NOT_ENABLED = frozenset({28, 51})  # unauthorized; mass quoting is not enabled


class MarketMakerProtection:
    """All products of the session.

    Args:
        take_token: leave for one message of ours.
        wake: looks at the instruments of a product again, for something has changed.

    Attributes:
        groups: what is known of each product's group.
    """

    def __init__(
        self,
        config: MassQuoteConfig,
        ports: Ports,
        venue: QuoteGateway,
        take_token: Callable[[int], bool],
        wake: Callable[[str], None],
    ) -> None:
        self._config = config
        self._clock = ports.clock
        self._log = ports.log
        self._spawn = ports.spawn
        self._counts = ports.measures.counts
        self._venue = venue
        self._take_token = take_token
        self._wake = wake
        self.groups = ProtectionGroups(config.cooldown_ms * NS_PER_MS, config.protection_window_ms * NS_PER_MS)

    def state(self, product: str, now_ns: int) -> GroupState:
        """Return whether a product may be quoted; if it is not protected, see to it."""
        state = self.groups.state(product, now_ns)
        if self.groups.must_set(product, now_ns):
            self._begin(product, now_ns)
        return state

    def fill_up(self, product: str, now_ns: int) -> None:
        """Set a group again that was used long enough ago."""
        if self.groups.must_fill_up(product, now_ns):
            self._begin(product, now_ns)

    def take_reports(self, reports: list[ProtectionReport]) -> None:
        """Take over what the venue tells about groups."""
        for report in reports:
            if report.reason == "executions":
                self.groups.used(report.product, self._clock.monotonic_ns())
                if report.remaining <= 0:
                    self.used_up(report.product)
            elif report.reason != "refill":
                self.groups.is_unset(report.product)

    def used_up(self, product: str) -> None:
        """The venue took the quotes of a product back; it may say so several times."""
        if self.groups.used_up(product, self._clock.monotonic_ns()):
            self._counts.add("mm_protections")
            self._log.warning(
                "market-maker protection used up: the venue took the quotes back", product=product,
                cooldown_ms=self._config.cooldown_ms,
            )  # fmt: skip
            self._wake(product)

    def _begin(self, product: str, now_ns: int) -> None:
        if self._take_token(now_ns):
            self.groups.set_sent(product)
            self._spawn(self._protect(product), f"protection of {product}")

    async def _protect(self, product: str) -> None:
        config = self._config
        trade, quote = Decimal(repr(config.protection_trade_base)), Decimal(repr(config.protection_quote_base))
        try:
            await self._venue.set_protection(product, trade, quote)
        except VenueError as error:
            if error.code in CODES_NOT_ENABLED:
                raise ConfigError(
                    f'execution.mode = "mass_quotes": the venue does not let this account quote so ({error}): ask it '
                    'to, or set mode = "orders"'
                ) from None
            self.groups.refused(product, self._clock.monotonic_ns())
            self._log.warning("market-maker protection is refused", product=product, reason=str(error))
        except ConnectivityError as error:
            self.groups.refused(product, self._clock.monotonic_ns())
            self._log.warning("market-maker protection is not confirmed", product=product, reason=str(error))
        else:
            self.groups.confirmed(product)
            self._log.debug("market-maker protection set", product=product, trade=str(trade), quote=str(quote))
        self._wake(product)
