"""How strategy starts: kernels, the user's code, parameters, segments, and a desk for each instrument.

Importing this compiles kernels or not: it is imported when run_actor has decided which (actor.py).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from actors.strategy.candles import CandleNotes
from actors.strategy.desk import Desk, Shared
from domain import jit
from domain.clock import NS_PER_MS
from domain.records import QUOTE_INPUT_WORDS, QUOTE_INPUTS
from runtime.actor import ActorContext
from shm.ring import RingWriter
from trading.quoting import entries
from trading.quoting.inputs import QuoteInputs
from trading.quoting.quoter import Quoter
from trading.quoting.session_sight import Segments, Sight
from trading.quoting.set_values import SetValues
from trading.quoting.state_copies import StateCopies
from trading.quoting.warm import warm_kernels, warm_user_files

if TYPE_CHECKING:
    from runtime.config import Config
    from trading.quoting.config import QuotingConfig
    from trading.quoting.user.code import StrategyCode


def warm(config: Config) -> None:
    """Load the kernels of every instrument: what a standby does before it is called."""
    warm_kernels()
    warm_user_files(instrument.strategy for instrument in config.instruments.values())


def load_codes(ctx: ActorContext) -> dict[str, StrategyCode]:
    """Return what each instrument runs, compiled; the same files are the same code.

    Raises:
        ConfigError: for a user's file that cannot be used.
    """
    before_ns = ctx.clock.monotonic_ns()
    if jit.is_enabled() and jit.is_cold():
        ctx.set_compiling()
    warm_kernels()
    configs = _configured(ctx)
    codes = warm_user_files(configs.values())
    for code in codes.values():
        if not code.is_standard:
            ctx.log.info("the user's code", **code.described())
    load_ms = (ctx.clock.monotonic_ns() - before_ns) // NS_PER_MS
    ctx.log.info("kernels ready", compiled=jit.is_compiled(entries.decide), load_ms=load_ms)
    return {name: codes[config.file, config.signals.user] for name, config in configs.items()}


def load_set_values(ctx: ActorContext, codes: dict[str, StrategyCode]) -> SetValues:
    """Return the parameters, with what was set at run time before a restart."""
    path = ctx.run_dir / f"{ctx.name}_parameters.json"
    values = SetValues(path, _configured(ctx), lambda name, config: codes[name].check(config))
    for kept in values.load():
        ctx.log.warning(
            "parameter set at run time still in force",
            instrument=kept.instrument, name=kept.name, value=kept.value, configured=kept.configured,
        )  # fmt: skip
    return values


def _configured(ctx: ActorContext) -> dict[str, QuotingConfig]:
    return {name: ctx.config.instruments[name].strategy for name in ctx.topology.strategies[ctx.name]}


def open_candles(ctx: ActorContext) -> CandleNotes:
    """Return where finished candles and their signals go: a ring, and a file for the report."""
    ring = ctx.topology.candles_of(ctx.name)
    path = ctx.run_dir / f"{ring.replace('candles', 'signals')}.jsonl"
    return CandleNotes(ctx.ring_writer(ring), path, ctx.clock)


def open_shared(ctx: ActorContext) -> Shared:
    """Return what all desks read and write."""
    return Shared(
        instruments=ctx.table_reader("instruments"),
        book_table=ctx.table_reader("book_table"),
        wishes=ctx.table_writer("wishes"),
        explanations=ctx.ring_writer(ctx.topology.explanations_of(ctx.name)),
        market=ctx.table_writer("market"),
        execution=ctx.doorbell("execution"),
        clock=ctx.clock,
        quote_inputs=_open_quote_inputs(ctx),
    )


def open_segments(ctx: ActorContext) -> Segments:
    """Return what a desk's news come from."""
    return Segments(
        feed=ctx.table_reader("feed"),
        accounts=ctx.table_reader("accounts"),
        limits=ctx.table_reader("limits"),
        tickers=ctx.table_reader("ticker_table"),
        instruments=ctx.table_reader("instruments"),
        books=ctx.ring_reader("books"),
        order_events=ctx.ring_reader("order_events"),
    )


def _open_quote_inputs(ctx: ActorContext) -> RingWriter | None:
    """Return the ring for what quotes are computed from; None where nobody records it."""
    recorder = ctx.config.recorder
    if not recorder.enabled or "quote_inputs" not in recorder.kinds:
        return None
    return ctx.ring_writer(ctx.topology.quote_inputs_of(ctx.name))


def open_desks(
    ctx: ActorContext,
    codes: dict[str, StrategyCode],
    in_force: dict[str, QuotingConfig],
    segments: Segments,
    candles: CandleNotes,
) -> tuple[list[Desk], list[StateCopies]]:
    """Return a desk for each instrument that is ours, and where its state is kept for a restart.

    A process that follows another takes up the state that it left.
    """
    shared = open_shared(ctx)
    state_table = ctx.table_writer("strategy_state")
    now_ns = ctx.clock.monotonic_ns()
    desks, kept = [], []
    for row, name in enumerate(ctx.instrument_names):
        if name not in codes:
            continue
        quoter = Quoter(row, ctx.epoch, codes[name])
        copies = StateCopies(state_table, row, ctx.epoch, now_ns)
        if ctx.epoch > 1:
            _resume(ctx, name, copies, quoter, now_ns)
        quoter.on_candle = partial(candles.note, row, name, quoter.record["signals"])
        desk = Desk(row, name, ctx.config.instruments[name].quote, in_force[name], quoter, Sight(row, segments), shared)
        if shared.quote_inputs is not None:
            inputs_words = shared.quote_inputs.ints[QUOTE_INPUTS.word("words") :]
            desk.keep_inputs(QuoteInputs(quoter, inputs_words[:QUOTE_INPUT_WORDS]))
        desks.append(desk)
        kept.append(copies)
    return desks, kept


def _resume(ctx: ActorContext, name: str, copies: StateCopies, quoter: Quoter, now_ns: int) -> None:
    result = copies.resume(quoter, now_ns)
    if not result.is_resumed:
        ctx.counters.add("cold_starts")
    ctx.log.info(
        "state resumed" if result.is_resumed else "cold start",
        instrument=name, reason=result.reason, age_ms=result.age_ns // NS_PER_MS,
    )  # fmt: skip
