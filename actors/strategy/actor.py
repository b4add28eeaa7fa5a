"""The strategy actor: books, trades, fills, positions and limits in; one wish an instrument out.

A session has one for all its instruments, or several, each with instruments of its own (runtime/topology.py).

Woken by its doorbell (a tick, a fill) and by a timer. It decides nothing itself: trading/quoting does.
"""

from __future__ import annotations

from actors.strategy.commands import Commands
from actors.strategy.desk import Desk
from actors.strategy.hedger import Hedger
from actors.strategy.portfolio import Portfolio
from actors.strategy.telling import Telling
from domain.clock import NS_PER_MS
from messages.commands import Command
from runtime.actor import Actor, ActorContext, Handler
from trading.quoting.news import News

ROUND_INTERVAL_NS = 10 * NS_PER_MS  # between two looks at everything that no tick brings
_SELDOM = int(News.FILL | News.DEFINITION | News.LOST)


class StrategyActor(Actor):
    """Quotes the instruments that are its own. See trading/quoting for how."""

    poll_interval_s = 0.01

    def __init__(self, ctx: ActorContext) -> None:
        super().__init__(ctx)
        self.desks: list[Desk] = []
        self._hedger: Hedger | None = None
        self._telling = Telling(ctx.log)
        self._round_due_ns = 0
        self._quotes = self._wishes = 0  # not counted in shared memory yet
        self._books_counted = 0

    def on_start(self) -> None:
        """Open segments, warm the kernels, take up the old state, and quote from the newest books."""
        # Imported here because run_actor decides whether kernels are compiled, and this module is loaded before.
        from actors.strategy import opening

        ctx = self.ctx
        codes = opening.load_codes(ctx)
        set_values = opening.load_set_values(ctx, codes)
        self._execution_bell = ctx.doorbell("execution")
        self._wake = ctx.histogram("wake")
        self._quote = ctx.histogram("quote")
        self._note_wake, self._note_quote = self._wake.note, self._quote.note
        self._monotonic_ns = ctx.clock.monotonic_ns
        self._trades = ctx.ring_reader("trades")
        self._candles = opening.open_candles(ctx)
        segments = opening.open_segments(ctx)
        self._portfolio = Portfolio(segments.instruments, segments.accounts)
        self._hedger = Hedger(ctx, self._portfolio)
        self.desks, self._copies = opening.open_desks(ctx, codes, set_values.in_force, segments, self._candles)
        self._commands = Commands(ctx, self.desks, set_values, self._work_now)
        self._work_now()
        ctx.set_live()

    def _work_now(self) -> None:
        self.do_work(self._monotonic_ns())

    def has_news(self) -> bool:
        return self._trades.has_news or any(desk.sight.has_news for desk in self.desks)

    def on_early_ring(self) -> None:
        """A book is coming: execution will be needed after us."""
        self._execution_bell.ring()

    def do_work(self, now_ns: int) -> int:
        """Take in what came and quote where there is news; return the number of quotes.

        A tick takes this short way, whatever else there is to do: that waits for the round.
        """
        if self._trades.has_news:
            self._take_trades()
        quotes = 0
        is_filled = False
        for desk in self.desks:
            if desk.units is None:
                continue
            news = desk.take_news()
            if news & _SELDOM:
                self._take_seldom(desk, news)
                is_filled = is_filled or news & News.FILL != 0
            if desk.has_news:
                self._quote_desk(desk)
                quotes += 1
        if not quotes or is_filled or now_ns >= self._round_due_ns:
            self._make_round(now_ns)
        if is_filled:
            self._round_due_ns = now_ns  # the account may follow the fill: hedges look at it with the next wake
        return quotes

    def _make_round(self, now_ns: int) -> None:
        """Look at everything that no tick brings, quote what it changes or what is due again, and count."""
        self._round_due_ns = now_ns + ROUND_INTERVAL_NS
        self._take_portfolio()
        for desk, copies in zip(self.desks, self._copies, strict=True):
            if desk.units is None and desk.take_definition():
                self._telling.tell_instrument(desk)
            if desk.is_due(now_ns):
                self._quote_desk(desk)
            if desk.units is not None:
                copies.save(desk.quoter, now_ns)
        self._count()
        self._candles.write()
        self._commands.save_pause(now_ns)
        if self._hedger is not None:
            self._hedger.do_work(now_ns, may_begin=not self._commands.is_paused)
        self._telling.tell_reasons(self.desks, now_ns)

    def _take_seldom(self, desk: Desk, news: int) -> None:
        if news & News.FILL:
            self._take_portfolio()
        if news & News.DEFINITION:
            desk.take_definition()
        if news & News.LOST:
            self._telling.tell_lost(desk)

    def _take_trades(self) -> None:
        trades = self._trades.read()
        self.ctx.counters.add("trades", len(trades))
        for desk in self.desks:
            desk.quoter.take_trades(trades, self._trades.position)

    def _take_portfolio(self) -> None:
        if self._portfolio.refresh():
            for desk in self.desks:
                desk.take_net_delta(self._portfolio.net_of(desk.row))

    def on_close(self) -> None:
        """Take every quote away: nobody will look after them."""
        if self._hedger is not None:
            self._hedger.close()
        for desk in self.desks:
            if desk.units is not None:
                desk.quoter.stop()
                desk.quote(self.ctx.clock.monotonic_ns())
        if self.desks:
            self._count()
            self._candles.close()

    @property
    def handlers(self) -> dict[type[Command], Handler]:
        return self._commands.handlers

    # ---- out -----------------------------------------------------------------------------------------

    def _quote_desk(self, desk: Desk) -> None:
        started_ns = self._monotonic_ns()
        newest_book_ns = desk.new_book_time_ns
        self._wishes += desk.quote(started_ns)
        self._quotes += 1
        if newest_book_ns:
            self._note_quote(self._monotonic_ns() - started_ns)
            self._note_wake(started_ns - newest_book_ns)

    def _count(self) -> None:
        """Bring the counters and histograms in shared memory up to date."""
        self._quote.record_noted()
        self._wake.record_noted()
        books = sum(desk.sight.books_taken for desk in self.desks)
        counters = self.ctx.counters
        counters.add("ticks", books - self._books_counted)
        counters.add("wishes", self._wishes)
        counters.add("quotes", self._quotes)
        self._books_counted = books
        self._wishes = self._quotes = 0
