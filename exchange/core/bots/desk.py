"""All bots of the venue: starts, stops and feeds them."""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING

from exchange.core.accounts import Account
from exchange.core.bots.bot import Bot, StopReason
from exchange.core.bots.ladders import GridBot, LevelsBot
from exchange.core.bots.quoter import QuoterBot
from exchange.core.bots.takers import FollowerBot, HedgerBot, SignalBot
from exchange.core.bots.terms import END_S_MAX, BotTerms, FollowerTerms, HedgerTerms, invalid
from exchange.core.events import AccountTrade, BotsChanged, Event
from exchange.core.orders import OrderRejected, OrderUpdate, Reject
from exchange.core.scheduler import NS_PER_S

if TYPE_CHECKING:
    from exchange.core.engine import Engine

BOTS_MAX = 20  # of one account at once; the venue's number is not public
STOPPED_KEPT_MAX = 100
BOT_ID_BASE = 0x35832F00
BOT_OF_STRATEGY: dict[str, type[Bot]] = {
    "sgsl": SignalBot,
    "ocq": QuoterBot,
    "levels": LevelsBot,
    "grid": GridBot,
    "dhedge": HedgerBot,
    "dfollow": FollowerBot,
}


class BotDesk:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)
        self._active: dict[str, Bot] = {}
        self._stopped: dict[str, deque[Bot]] = {}

    def create(self, account: Account, terms: BotTerms) -> Bot:
        """Start a bot.

        Raises:
            OrderRejected: when its terms make no sense, or the account runs too many.
        """
        market = self._engine.market(terms.instrument_name)
        terms.check(market)
        self._check_names(terms)
        self._check_end(terms)
        running = sum(bot.account is account for bot in self._active.values())
        if running >= BOTS_MAX:
            raise OrderRejected(Reject.TOO_MANY_BOTS, f"{running} are running, at most {BOTS_MAX}")
        bot_id = f"{BOT_ID_BASE + next(self._numbers):016X}"
        bot = BOT_OF_STRATEGY[terms.strategy](self._engine, account, market, terms, bot_id)
        bot.open()
        self._active[bot_id] = bot
        self._tell(account)
        bot.on_second()
        return bot

    def cancel(self, account: Account, bot_id: str) -> None:
        """Stop one.

        Raises:
            OrderRejected: when the account runs no such bot.
        """
        bot = self._active.get(bot_id)
        if bot is None or bot.account is not account:
            raise OrderRejected(Reject.ORDER_NOT_FOUND, f"no running bot {bot_id[:40]!r}")
        bot.stop(StopReason.CLIENT_CANCEL)
        self._shelve()

    def cancel_all(self, account: Account) -> None:
        for bot in self._active.values():
            if bot.account is account:
                bot.stop(StopReason.CLIENT_BULK_CANCEL)
        self._shelve()

    def of(self, account: Account) -> list[Bot]:
        """Return the account's bots, stopped ones first."""
        active = [bot for bot in self._active.values() if bot.account is account]
        return [*self._stopped.get(account.number, ()), *active]

    def drop_instrument(self, instrument_name: str) -> None:
        """Stop what trades or follows an instrument that is no more."""
        for bot in self._active.values():
            names = {bot.terms.instrument_name, getattr(bot.terms, "target_instrument", None)}
            if instrument_name in names:
                bot.stop(StopReason.INSTRUMENT_DEACTIVATED)
        self._shelve()

    def on_events(self, events: list[Event]) -> None:
        """Tell bots of their trades and orders."""
        if not self._active:
            return
        for event in events:
            if isinstance(event, AccountTrade) and event.trade.order.bot_id in self._active:
                self._active[event.trade.order.bot_id].on_trade(event.trade)
                self._tell(event.account)
            elif isinstance(event, OrderUpdate) and event.order.bot_id in self._active:
                self._active[event.order.bot_id].take_update(event)
        self._shelve()

    def on_second(self) -> None:
        now_s = self._engine.scheduler.realtime_ns() / NS_PER_S
        for bot in list(self._active.values()):
            if bot.terms.end_time is not None and now_s >= bot.terms.end_time:
                bot.stop(StopReason.END_TIME)
            else:
                bot.on_second()
        self._shelve()

    def _shelve(self) -> None:
        """Put stopped bots away."""
        for bot in [bot for bot in self._active.values() if not bot.is_active]:
            del self._active[bot.bot_id]
            self._stopped.setdefault(bot.account.number, deque(maxlen=STOPPED_KEPT_MAX)).append(bot)
            self._tell(bot.account)

    def _check_names(self, terms: BotTerms) -> None:
        if isinstance(terms, FollowerTerms):
            self._engine.market(terms.target_instrument)
        if isinstance(terms, HedgerTerms) and terms.position is not None:
            self._engine.market(terms.position)

    def _check_end(self, terms: BotTerms) -> None:
        now_s = self._engine.scheduler.realtime_ns() / NS_PER_S
        if terms.end_time is not None and not now_s < terms.end_time <= now_s + END_S_MAX:
            raise invalid(f"end_time {terms.end_time}, expected within a week from now")

    def _tell(self, account: Account) -> None:
        self._engine.note(BotsChanged(account))
