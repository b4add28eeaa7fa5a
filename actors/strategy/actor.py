"""The strategy actor: books, trades, fills, positions and limits in; one wish an instrument out.

A session has one for all its instruments, or several, each with instruments of its own (runtime/topology.py).

Woken by its doorbell (a tick, a fill) and by a timer. It decides nothing itself: trading/quoting does.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.strategy.desk import Desk, Shared
from actors.strategy.hedger import Hedger
from actors.strategy.portfolio import Portfolio
from domain import jit
from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import OffReason
from domain.records import QUOTE_INPUT_WORDS, QUOTE_INPUTS
from messages.commands import Command, Pause, Reply, Resume, SetParameter, Status, TakeConfig
from runtime.actor import Actor, ActorContext, Handler
from runtime.config import read_config
from shm.ring import RingWriter
from trading.quoting.news import News
from trading.quoting.set_values import SetValues, parse_value, split_name

if TYPE_CHECKING:  # importing them compiles kernels or not, which on_start times
    from actors.strategy.candles import CandleNotes
    from trading.quoting.session_sight import Segments
    from trading.quoting.user.code import StrategyCode

ROUND_INTERVAL_NS = 10 * NS_PER_MS  # between two looks at everything that no tick brings
REASONS_LOG_INTERVAL_NS = NS_PER_S
_SELDOM = int(News.FILL | News.DEFINITION | News.LOST)


class StrategyActor(Actor):
    """Quotes the instruments that are its own. See trading/quoting for how."""

    poll_interval_s = 0.01

    def __init__(self, ctx: ActorContext) -> None:
        super().__init__(ctx)
        self.desks: list[Desk] = []
        self._hedger: Hedger | None = None
        self._is_paused = False
        self._own_names = ctx.topology.strategies[ctx.name]
        self._paused_file = ctx.run_dir / f"{ctx.name}.paused"
        self._round_due_ns = 0
        self._reasons_due_ns = 0
        self._quotes = self._wishes = 0  # not counted in shared memory yet
        self._books_counted = 0
        self._reasons_logged: dict[str, tuple[OffReason, OffReason]] = {}
        self._faults_logged: dict[str, str] = {}

    def on_start(self) -> None:
        """Open segments, warm the kernels, take up the old state, and quote from the newest books."""
        # Imported here because run_actor decides whether kernels are compiled, and this module is loaded before.
        from trading.quoting import entries
        from trading.quoting.inputs import QuoteInputs
        from trading.quoting.quoter import Quoter
        from trading.quoting.session_sight import Sight
        from trading.quoting.state_copies import StateCopies

        ctx = self.ctx
        before_ns = ctx.clock.monotonic_ns()
        if jit.is_enabled() and jit.is_cold():
            ctx.set_compiling()
        self._codes = self._load_codes()
        now_ns = ctx.clock.monotonic_ns()
        ctx.log.info(
            "kernels ready", compiled=jit.is_compiled(entries.decide), load_ms=(now_ns - before_ns) // NS_PER_MS
        )
        self._execution_bell = ctx.doorbell("execution")
        self._wake = ctx.histogram("wake")
        self._quote = ctx.histogram("quote")
        self._note_wake, self._note_quote = self._wake.note, self._quote.note
        self._monotonic_ns = ctx.clock.monotonic_ns
        self._trades = ctx.ring_reader("trades")
        segments = self._open_segments()
        shared = self._open_shared()
        self._candles = self._open_candles()
        self._portfolio = Portfolio(segments.instruments, segments.accounts)
        self._hedger = Hedger(ctx, self._portfolio)
        self._is_paused = self._paused_file.exists()
        state_table = ctx.table_writer("strategy_state")
        self._set_values = self._load_set_values()
        self._copies: list[StateCopies] = []
        for row, name in enumerate(ctx.instrument_names):
            if name not in self._own_names:
                continue
            quoter = Quoter(row, ctx.epoch, self._codes[name])
            copies = StateCopies(state_table, row, ctx.epoch, now_ns)
            if ctx.epoch > 1:
                self._resume(name, copies, quoter, now_ns)
            quoter.pause(self._is_paused)
            quoter.on_candle = partial(self._candles.note, row, name, quoter.record["signals"])
            config = self._set_values.in_force[name]
            sight = Sight(row, segments)
            desk = Desk(row, name, ctx.config.instruments[name].quote, config, quoter, sight, shared)
            if shared.quote_inputs is not None:
                inputs_words = shared.quote_inputs.ints[QUOTE_INPUTS.word("words") :]
                desk.keep_inputs(QuoteInputs(quoter, inputs_words[:QUOTE_INPUT_WORDS]))
            self.desks.append(desk)
            self._copies.append(copies)
        self.do_work(ctx.clock.monotonic_ns())
        ctx.set_live()

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
                self._log_instrument(desk)
            if desk.is_due(now_ns):
                self._quote_desk(desk)
            if desk.units is not None:
                copies.save(desk.quoter, now_ns)
        self._count()
        self._candles.write()
        if self._hedger is not None:
            self._hedger.do_work(now_ns, may_begin=not self._is_paused)
        if now_ns >= self._reasons_due_ns:
            self._reasons_due_ns = now_ns + REASONS_LOG_INTERVAL_NS
            self._log_reasons()

    def _take_seldom(self, desk: Desk, news: int) -> None:
        if news & News.FILL:
            self._take_portfolio()
        if news & News.DEFINITION:
            desk.take_definition()
        if news & News.LOST:
            self._log_lost(desk)

    def _log_lost(self, desk: Desk) -> None:
        lost = desk.sight.lost
        books, order_events = (now - before for now, before in zip(lost, desk.lost, strict=True))
        desk.lost = lost
        if books:
            self.ctx.log.warning("books overtaken", lost=books, instrument=desk.name)
        if order_events:
            # Position and open orders are a table's: they are right. What fills say of the market's pressure is not.
            self.ctx.log.warning(
                "order events overtaken: the position is the account's", lost=order_events, instrument=desk.name
            )

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
        return {
            Pause: self._on_pause,
            Resume: self._on_resume,
            SetParameter: self._on_set,
            Status: self._on_status,
            TakeConfig: self._on_take_config,
        }

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

    def _log_instrument(self, desk: Desk) -> None:
        assert desk.units is not None
        self.ctx.log.info("instrument known", instrument=desk.name, **desk.units._asdict())
        lot_base = desk.units.lot_size * desk.units.contract_multiplier
        if desk.config.order_size_base < desk.units.order_lots_min * lot_base:
            self.ctx.log.warning(
                "order size below the venue's minimum: nothing will be quoted",
                instrument=desk.name,
                order_size_base=desk.config.order_size_base,
                order_size_base_min=desk.units.order_lots_min * lot_base,
            )

    def _log_reasons(self) -> None:
        """Log, at most once a second, which sides are quoted and why one is not, when that has changed."""
        for desk in self.desks:
            self._log_fault(desk)
            reasons = desk.quoter.off_reasons
            if desk.is_quoted and desk.units is not None and self._reasons_logged.get(desk.name) != reasons:
                self._reasons_logged[desk.name] = reasons
                bid, ask = (reason.name.lower() for reason in reasons)
                self.ctx.log.info("sides", instrument=desk.name, bid=bid, ask=ask)

    def _log_fault(self, desk: Desk) -> None:
        """Log what went wrong in the user's code, once; a resume may bring it about again."""
        fault = desk.quoter.fault
        if fault and self._faults_logged.get(desk.name) != fault:
            self.ctx.log.error("the user's code failed: both sides are off until `resume`", instrument=desk.name,
                               fault=fault)  # fmt: skip
        self._faults_logged[desk.name] = fault

    # ---- start ---------------------------------------------------------------------------------------

    def _open_shared(self) -> Shared:
        ctx = self.ctx
        return Shared(
            instruments=ctx.table_reader("instruments"),
            book_table=ctx.table_reader("book_table"),
            wishes=ctx.table_writer("wishes"),
            explanations=ctx.ring_writer(ctx.topology.explanations_of(ctx.name)),
            market=ctx.table_writer("market"),
            execution=ctx.doorbell("execution"),
            clock=ctx.clock,
            quote_inputs=self._open_quote_inputs(),
        )

    def _open_segments(self) -> Segments:
        from trading.quoting.session_sight import Segments

        ctx = self.ctx
        return Segments(
            feed=ctx.table_reader("feed"),
            accounts=ctx.table_reader("accounts"),
            limits=ctx.table_reader("limits"),
            tickers=ctx.table_reader("ticker_table"),
            instruments=ctx.table_reader("instruments"),
            books=ctx.ring_reader("books"),
            order_events=ctx.ring_reader("order_events"),
        )

    def _open_quote_inputs(self) -> RingWriter | None:
        """Return the ring for what quotes are computed from; None where nobody records it."""
        recorder = self.ctx.config.recorder
        if not recorder.enabled or "quote_inputs" not in recorder.kinds:
            return None
        return self.ctx.ring_writer(self.ctx.topology.quote_inputs_of(self.ctx.name))

    def _open_candles(self) -> CandleNotes:
        from actors.strategy.candles import CandleNotes

        ring = self.ctx.topology.candles_of(self.ctx.name)
        path = self.ctx.run_dir / f"{ring.replace('candles', 'signals')}.jsonl"
        return CandleNotes(self.ctx.ring_writer(ring), path, self.ctx.clock)

    def _load_codes(self) -> dict[str, StrategyCode]:
        """Return what each instrument runs, compiled; the same files are the same code.

        Raises:
            ConfigError: for a user's file that cannot be used.
        """
        from trading.quoting.warm import warm_kernels, warm_user_files

        warm_kernels()
        configs = {name: self.ctx.config.instruments[name].strategy for name in self._own_names}
        codes = warm_user_files(configs.values())
        for code in codes.values():
            if not code.is_standard:
                self.ctx.log.info("the user's code", **code.described())
        return {name: codes[config.file, config.signals.user] for name, config in configs.items()}

    def _load_set_values(self) -> SetValues:
        configured = {name: self.ctx.config.instruments[name].strategy for name in self._own_names}
        path = self.ctx.run_dir / f"{self.ctx.name}_parameters.json"
        values = SetValues(path, configured, lambda name, config: self._codes[name].check(config))
        for kept in values.load():
            self.ctx.log.warning(
                "parameter set at run time still in force",
                instrument=kept.instrument, name=kept.name, value=kept.value, configured=kept.configured,
            )  # fmt: skip
        return values

    def _resume(self, name: str, copies: Any, quoter: Any, now_ns: int) -> None:
        result = copies.resume(quoter, now_ns)
        if not result.is_resumed:
            self.ctx.counters.add("cold_starts")
        self.ctx.log.info(
            "state resumed" if result.is_resumed else "cold start",
            instrument=name, reason=result.reason, age_ms=result.age_ns // NS_PER_MS,
        )  # fmt: skip

    # ---- commands ------------------------------------------------------------------------------------

    def _on_pause(self, _command: Pause) -> Reply:
        """Take both sides of every instrument away until `Resume`; kept over a restart of strategy."""
        self._paused_file.touch()
        return self._set_paused(True)

    def _on_resume(self, _command: Resume) -> Reply:
        """End a pause."""
        self._paused_file.unlink(missing_ok=True)
        return self._set_paused(False)

    def _set_paused(self, is_paused: bool) -> Reply:
        self._is_paused = is_paused
        if is_paused:
            self.ctx.counters.add("pauses")
        for desk in self.desks:
            desk.quoter.pause(is_paused)
            desk.has_news = True
        self.do_work(self.ctx.clock.monotonic_ns())  # at once: the answer means that it is done
        return Reply(ok=True, text="paused: both sides are off" if is_paused else "quoting again")

    def _on_set(self, command: SetParameter) -> Reply:
        """Set `levels`, `strategy.levels` (all that are ours) or `BTC-PERPETUAL.levels`; value as in a config file."""
        instruments, parameter = split_name(command.name, self._own_names)
        changes = self._set_values.change(instruments, parameter, parse_value(command.value))
        for change in changes:
            desk = next(desk for desk in self.desks if desk.name == change.instrument)
            desk.use_config(self._set_values.in_force[change.instrument])
            self.ctx.log.info(
                "parameter set", instrument=change.instrument, name=change.name, old=change.old, new=change.new
            )
        self.do_work(self.ctx.clock.monotonic_ns())
        lines = [f"{change.instrument}.{change.name}: {change.old} → {change.new}" for change in changes]
        data = {change.instrument: {"old": change.old, "new": change.new} for change in changes}
        return Reply(ok=True, text="; ".join(lines), data=data)

    def _on_take_config(self, command: TakeConfig) -> Reply:
        """Quote by another configuration; ConfigError when it does not fit the code or what was set meanwhile."""
        config = read_config(Path(command.file))
        configured = {name: config.instruments[name].strategy for name in self._own_names}
        found = self._set_values.reconfigured(configured)
        if command.is_trial:
            return Reply(ok=True, text="parameters can be taken over")
        self.ctx.config = config
        changed = self._set_values.reconfigure(found)
        for desk in self.desks:
            if desk.name in changed:
                desk.use_config(self._set_values.in_force[desk.name])
        self.do_work(self.ctx.clock.monotonic_ns())
        return Reply(ok=True, text=f"parameters of {', '.join(changed) or 'no instrument'} taken over")

    def _on_status(self, _command: Status) -> Reply:
        """Say for each instrument what is quoted, and why a side is not."""
        data = {desk.name: self._status_of(desk) for desk in self.desks}
        text = "; ".join(
            f"{name}: bid {d['bid']}, ask {d['ask']}" + (f" ({d['fault']})" if d["fault"] else "")
            for name, d in data.items()
        )
        return Reply(ok=True, text=text, data=data)

    def _status_of(self, desk: Desk) -> dict[str, Any]:
        bid, ask = desk.quoter.off_reasons
        explanation = desk.quoter.record["explanation"][0]
        terms = ("fair_price", "reservation_price", "half_spread", "skew", "sigma", "arrival_rate", "arrival_decay")
        return {
            "bid": bid.name.lower(),
            "ask": ask.name.lower(),
            "wish_id": desk.quoter.wish_id,
            "fault": desk.quoter.fault,
            **{term: float(explanation[term]) for term in terms},
        }
