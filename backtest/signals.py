"""What the signals are worth on a recording: python -m backtest.signals DATA… [--set signals.candle_volume_base=1]

The recording goes book by book and trade by trade through a quoter as it runs live, the user's signal with it if one is
configured; its candles are judged as `./cli.py report` judges those of a run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from domain import jit

os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

import numpy as np

from backtest.book import CENTRE_ROWS, apply_row, centre_of, fill_record, fill_trade, new_book, recentre
from backtest.data.container import EventFile
from backtest.data.convert import Options, convert
from backtest.data.events import AT_LOCAL, FINAL, KIND_MASK, TRADE
from backtest.data.findings import Repair
from backtest.data.formats import EVENT_FILE, format_of
from backtest.scratch import scratch_folder
from domain.errors import ExitCode, UserError
from domain.jit import Array, Record, kernel
from domain.records import BOOK
from domain.records import TRADE as TRADE_RECORD
from runtime.config import load_config
from runtime.instrument_strategy import strategy_for
from trading.quoting.config import QuotingConfig
from trading.quoting.params import Units
from trading.quoting.quoter import Quoter
from trading.quoting.set_values import parse_value
from trading.quoting.user.code import load_code
from trading.signals.candle_log import CandleLine, CandleLog, candle_line, mid_after_previous
from trading.signals.candles import candle_index
from trading.signals.report import report, report_lines

_END, _BOOK, _TRADE = 0, 1, 2
_ROWS_AT_ONCE = 1 << 18


@kernel
def next_event(
    book: Record, bids: Array, asks: Array, rows: Array, first: int, tick_size: float, lot_size: float,
    book_record: Record, trade_record: Record,
) -> tuple[int, int]:  # fmt: skip
    """Take rows until a message has changed the book or a trade comes; return (index after it, what came)."""
    for i in range(first, rows.shape[0]):
        row = rows[i]
        flags = row["flags"]
        if flags & AT_LOCAL == 0:
            continue
        if flags & KIND_MASK == TRADE:
            fill_trade(row, tick_size, lot_size, trade_record)
            return i + 1, _TRADE
        apply_row(book, bids, asks, row, True)
        if flags & FINAL != 0:
            recentre(book, bids, asks)
            fill_record(book, bids, asks, row, tick_size, lot_size, book_record)
            return i + 1, _BOOK
    return rows.shape[0], _END


def candles_of(file: EventFile, config: QuotingConfig) -> list[CandleLine]:
    """Return every candle of a recording with its signals and the mids after it."""
    header = file.header
    quoter = Quoter(instrument=0, code=load_code(config))
    quoter.configure(config, Units(header.tick_size, header.lot_size, header.contract_multiplier))
    signals = quoter.record["signals"]
    log = CandleLog()
    lines: list[CandleLine] = []

    def note() -> None:
        closed_ns = int(signals["candle_time_ns"][0][candle_index(signals[0], 0)])
        lines.extend(log.take(candle_line(header.instrument, signals, closed_ns), mid_after_previous(signals)))

    quoter.on_candle = note
    ladder = new_book(centre_of(file.block(0, CENTRE_ROWS)))
    book, trade = np.zeros(1, BOOK.dtype), np.zeros(1, TRADE_RECORD.dtype)
    words = book.view(np.uint8).data.cast("q")
    for block in file.blocks(_ROWS_AT_ONCE):
        rows = np.array(block)  # of the same type in memory as from a map
        taken, came = 0, _BOOK
        while came != _END:
            taken, came = next_event(
                ladder.state[0], ladder.bids, ladder.asks, rows, taken, header.tick_size, header.lot_size, book[0],
                trade[0],
            )  # fmt: skip
            if came == _BOOK:
                quoter.take_book(words, 0)
            elif came == _TRADE:
                quoter.take_trades(trade, 0)
    return lines + log.end()


@contextmanager
def _file_of(paths: list[Path]) -> Iterator[EventFile]:
    """Give the event file that a recording in any supported format, its parts in order, is or becomes for a while.

    Raises:
        DataError: when the data cannot be read.
    """
    if len(paths) == 1 and format_of(paths[0])[0] == EVENT_FILE:
        yield EventFile(paths[0])
        return
    options = replace(Options(), repairs=Options().repairs | {Repair.CLOCK})
    with scratch_folder("signals") as folder:
        output = folder / "signals.events"
        convert(paths, output, options)
        yield EventFile(output)


def main(arguments: list[str] | None = None) -> int:
    """Judge the signals on a recording and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m backtest.signals", description=__doc__)
    parser.add_argument("data", nargs="+", type=Path, help="parts of one recording, in order")
    parser.add_argument("--config", type=Path, help="take what it has for the instrument")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a key of [strategy]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    try:
        config = load_config(given.config) if given.config else None
        changes = {name: parse_value(value) for name, _, value in (text.partition("=") for text in given.set)}
        with _file_of(given.data) as file:
            quoting, note = strategy_for(config, file.header.instrument) if config else (QuotingConfig(), "")
            if note:
                print(f"note: {note}", file=sys.stderr)
            lines = candles_of(file, quoting.with_values({**changes, "signals.is_enabled": True}))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    print(json.dumps(report(lines)) if given.json else "\n".join(report_lines(lines)))
    return int(ExitCode.CLEAN)


if __name__ == "__main__":
    sys.exit(main())
