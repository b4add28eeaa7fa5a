"""Signals of a supervising process: what ends a session, what asks for a reload, what hurries the end."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator

import pytest

from runtime.supervision import signals
from runtime.supervision.signals import SignalPipe

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def catch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SignalPipe]]:
    """A pipe in a process with or without a terminal; afterwards signals do what they did."""
    before = {number: signal.getsignal(number) for number in CAUGHT}
    made: list[SignalPipe] = []

    def catch(*, has_terminal: bool = False) -> SignalPipe:
        monkeypatch.setattr(signals, "_has_terminal", lambda: has_terminal)
        made.append(SignalPipe())
        return made[-1]

    yield catch
    for pipe in made:
        pipe.close()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_wakes_the_loop_and_is_counted(catch: Callable[..., SignalPipe], number: int) -> None:
    # Given a process whose loop waits for signals
    pipe = catch()
    assert not pipe.take()
    assert pipe.stops == 0
    # If one comes
    os.kill(os.getpid(), number)
    # I expect the loop to be woken, and one stop; no reload
    assert select.select([pipe.fd], [], [], 5.0)[0]
    assert not pipe.take()
    assert pipe.stops == 1


def test_a_hangup_stops_where_a_terminal_was_closed(catch: Callable[..., SignalPipe]) -> None:
    pipe = catch(has_terminal=True)
    os.kill(os.getpid(), signal.SIGHUP)
    assert not pipe.take()
    assert pipe.stops == 1


def test_a_hangup_asks_for_a_reload_where_there_never_was_a_terminal(catch: Callable[..., SignalPipe]) -> None:
    pipe = catch()
    os.kill(os.getpid(), signal.SIGHUP)
    assert pipe.take()
    assert pipe.stops == 0


def test_who_is_to_stop_does_not_reload(catch: Callable[..., SignalPipe]) -> None:
    pipe = catch()
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)
    assert not pipe.take()
    assert pipe.stops == 1


def test_the_second_stop_hurries(catch: Callable[..., SignalPipe]) -> None:
    # Given a session that a first Ctrl-C ends
    pipe = catch()
    os.kill(os.getpid(), signal.SIGINT)
    pipe.take()
    assert not pipe.is_hurried()
    # If the operator presses it again
    os.kill(os.getpid(), signal.SIGINT)
    # I expect a hurry
    assert pipe.is_hurried()


def test_who_ignored_hangups_from_the_start_goes_on_ignoring_them(catch: Callable[..., SignalPipe]) -> None:
    # Given a process that was started with nohup
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    pipe = catch(has_terminal=True)
    # If its terminal goes away
    os.kill(os.getpid(), signal.SIGHUP)
    # I expect nothing
    assert not pipe.take()
    assert pipe.stops == 0
