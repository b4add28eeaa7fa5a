from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.strategy.candles import CandleNotes
from domain.clock import NS_PER_S
from domain.codes import SegmentKind
from domain.records import CANDLE
from shm.ring import RingReader, RingWriter
from shm.segment import create_segment
from tests.signals_case import START_NS, Signals
from trading.signals.candle_log import read_candle_lines

TO_REALTIME_NS = 10**18


class Clock:
    def monotonic_ns(self) -> int:
        return START_NS + 5 * NS_PER_S

    def realtime_ns(self) -> int:
        return self.monotonic_ns() + TO_REALTIME_NS


@pytest.fixture
def notes(segment_name: Callable[[], str], tmp_path: Path) -> tuple[CandleNotes, RingReader, Path]:
    segment = create_segment(segment_name(), SegmentKind.RING, CANDLE, 64)
    path = tmp_path / "signals.jsonl"
    return CandleNotes(RingWriter(segment), path, Clock()), RingReader(segment, "oldest"), path


def test_every_candle_goes_to_the_ring_as_it_was_when_it_closed(notes: tuple[CandleNotes, RingReader, Path]) -> None:
    taking, ring, path = notes
    signals = Signals(candles_min=2, window_candles=2)
    # Given two candles that closed before anybody had time to look
    signals.candle(100.0, 101.0, delta=0.5)
    taking.note(3, "ETH-PERPETUAL", signals.record)
    signals.book(101.5)
    signals.candle(101.0, 102.0, delta=0.5)
    taking.note(3, "ETH-PERPETUAL", signals.record)
    closed_ns = signals.time_ns
    signals.candle(200.0, 100.0, delta=-0.5)
    # If they are written
    taking.write()
    # I expect both, each with its own signals and times
    first, second = ring.read()
    assert (first["instrument"], first["candle"], first["is_fresh"], first["is_warm"]) == (3, 1, 1, 0)
    assert math.isnan(first["mid"])
    assert (second["candle"], second["is_fresh"], second["is_warm"]) == (2, 0, 1)
    assert (second["open"], second["close"], second["mid"]) == (101.0, 102.0, 101.5)
    assert second["bought"] == pytest.approx(0.075)
    assert second["momentum"] > 0.0
    assert (second["close_time_ns"], second["close_realtime_ns"]) == (closed_ns, closed_ns + TO_REALTIME_NS)
    # and the file with both once it is closed, since no later mid will come
    taking.close()
    lines = read_candle_lines(path)
    assert [(line.candle, line.instrument, line.mid, line.mid_0) for line in lines] == [
        (1, "ETH-PERPETUAL", None, 101.5),
        (2, "ETH-PERPETUAL", 101.5, None),
    ]


def test_a_line_is_in_the_file_when_its_tenth_successor_has_closed(notes: tuple[CandleNotes, RingReader, Path]) -> None:
    taking, _, path = notes
    signals = Signals()
    for i in range(13):
        signals.book(100.0 + i)
        signals.candle(100.0, 101.0)
        taking.note(0, "BTC-PERPETUAL", signals.record)
        taking.write()
    lines = read_candle_lines(path)
    assert [(line.candle, line.mid, line.mid_0, line.mid_10) for line in lines] == [
        (1, 100.0, 101.0, 111.0),
        (2, 101.0, 102.0, 112.0),
    ]
    taking.close()


def test_without_candles_there_is_no_file(notes: tuple[CandleNotes, RingReader, Path]) -> None:
    taking, _, path = notes
    taking.write()
    taking.close()
    assert not path.exists()


def test_the_file_goes_on_in_a_new_one_when_it_is_full(
    notes: tuple[CandleNotes, RingReader, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.strategy.candles.FILE_BYTES_MAX", 5000)
    taking, _, path = notes
    signals = Signals(candles_min=2, window_candles=2)
    for number in range(200):
        signals.book(100.5 + number)
        signals.candle(100.0 + number, 101.0 + number, delta=0.5)
        taking.note(0, "BTC-PERPETUAL", signals.record)
        taking.write()
    taking.close()
    files = [*(path.with_name(f"{path.name}.{age}") for age in range(4, 0, -1)), path]
    assert sorted(path.parent.iterdir()) == sorted(files)
    candles = [line.candle for file in files for line in read_candle_lines(file)]
    assert candles == list(range(201 - len(candles), 201))
