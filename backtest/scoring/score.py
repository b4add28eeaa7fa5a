"""Scores the queue models on a recorded session: its own orders played against the market without them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.data.container import EventFile, EventWriter
from backtest.data.convert import Options, convert
from backtest.data.findings import DataError, Repair
from backtest.engine.replay import replay
from backtest.engine.result import FILLS, Rows
from backtest.engine.run import Settings, backtest
from backtest.engine.venue import Latency, VenueSettings
from backtest.live import by_exchange_time, live_answers, measured_ways
from backtest.metrics.leg import grid_of, with_markouts
from backtest.scoring.agreement import Agreement, agreement_of
from backtest.scoring.others import without_own
from backtest.scoring.requests import own_requests
from backtest.scratch import scratch_folder
from domain.codes import OrderEventKind
from fills.queue import QueueModel
from runtime.config import Config
from runtime.instrument_strategy import strategy_for
from runtime.paths import CONFIG_FILE
from runtime.recordings.audit import open_audit

_REPAIRS = frozenset(Repair) - {Repair.LINES}


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What a session says of the simulation.

    Attributes:
        by_model: its own orders played again, under each queue model.
        strategy: the session's strategy run anew over the recorded market, with latencies drawn from those of the
            session; its orders are others than those of the session, so that only volumes and markouts compare. None
            where the session left no configuration.
        entry_ms, answer_ms: median ways to the exchange and back, as measured.
    """

    run: str
    instrument: str
    seconds: float
    by_model: dict[str, Agreement]
    strategy: Agreement | None
    entry_ms: float
    answer_ms: float


def score(run: Path, instrument: str, power: float) -> Score:
    """Score every queue model on one instrument of a recorded session.

    Raises:
        UserError: when the session was not recorded, or has no order of ours in the instrument.
    """
    answers = by_exchange_time(live_answers(run, instrument))
    if not np.any(answers["kind"] == OrderEventKind.ACCEPTED):
        raise DataError(f"{run}: no order of ours in {instrument} in its audit trail")
    with scratch_folder("score") as folder:
        recorded = folder / "recorded.events"
        convert([run], recorded, Options(instrument=instrument, repairs=_REPAIRS))
        with_us, others = EventFile(recorded), folder / "others.events"
        with EventWriter(others) as writer:
            for rows in without_own(with_us, answers):
                writer.write(rows)
            writer.finish(with_us.header)
        return _scored(run, with_us, EventFile(others), answers, power)


def _scored(run: Path, with_us: EventFile, others: EventFile, answers: Rows, power: float) -> Score:
    header = with_us.header
    lot_base = float(grid_of(with_us).lot_base)
    answers = answers[answers["exchange_time_ns"] >= header.begin_ns]
    live = _lines(with_us, answers)
    requests = own_requests(answers)
    by_model = {}
    for model in QueueModel:
        if model == QueueModel.FIFO:  # the session recorded levels, not orders
            continue
        venue = VenueSettings(latency=Latency.constant(0, 0), queue_model=model, queue_power=power)
        simulated = _lines(with_us, replay(others, requests, venue).answers)
        by_model[model.name.lower()] = agreement_of(live, simulated, lot_base)
    ways = measured_ways(run)
    settings = _settings(
        run, header.instrument, Latency.sampled(ways.entry_ns.tolist(), ways.answer_ns.tolist()), power
    )
    strategy = None
    if settings is not None:
        result = backtest(others, settings)
        strategy = agreement_of(live, _lines(with_us, result.answers), lot_base)
        strategy = msgspec.structs.replace(strategy, agreement=None, found=None, right=None, delay_ms=None)
    return Score(
        run=run.resolve().name,
        instrument=header.instrument,
        seconds=(header.end_ns - header.begin_ns) / 1e9,
        by_model=by_model,
        strategy=strategy,
        entry_ms=float(np.median(ways.entry_ns)) / 1e6,
        answer_ms=float(np.median(ways.answer_ns)) / 1e6,
    )


def _lines(file: EventFile, answers: Rows) -> npt.NDArray[np.void]:
    """Return the fills among the answers with the mids of the recorded market, ours in it, after them."""
    told = answers[answers["kind"] == OrderEventKind.FILLED]
    fills = np.zeros(len(told), FILLS)
    for name in FILLS.names or ():
        fills[name] = told[{"time_ns": "exchange_time_ns", "rule": "reason"}.get(name, name)]
    return with_markouts(file, fills)[0]


def _settings(run: Path, instrument: str, latency: Latency, power: float) -> Settings | None:
    """Return the session's strategy as a backtest runs it, under the default queue model."""
    try:
        config = msgspec.json.decode((run / CONFIG_FILE).read_bytes(), type=Config)
    except (OSError, msgspec.MsgspecError):
        return None
    strategy = strategy_for(config, instrument).quoting
    is_local = config.venue.kind == "local"
    venue = VenueSettings(
        latency=latency,
        queue_power=power,
        maker_fee_bps=config.exchange.maker_fee_bps if is_local else strategy.fee_maker_bps,
        taker_fee_bps=config.exchange.taker_fee_bps if is_local else VenueSettings().taker_fee_bps,
    )
    return Settings(
        quoting=strategy, execution=config.execution, venue=venue, position_max_base=config.risk.position_max_base
    )


def instruments_of(run: Path) -> list[str]:
    """Return the instruments in which a session had orders.

    Raises:
        UserError: when it has no audit trail.
    """
    with closing(open_audit(run)) as audit:
        found = audit.execute("SELECT DISTINCT instrument FROM order_events WHERE kind = 'accepted' ORDER BY 1")
        return [row[0] for row in found]
