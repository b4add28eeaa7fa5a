"""What a stranger meets who attaches: running, starting, ended, killed, somebody else's, another version."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import shm
from domain.codes import SegmentKind
from domain.records import INSTRUMENT, TICKER
from runtime.session import SessionSegments, open_session_segment
from shm import layout
from shm.ownership import Ownership
from shm.record import TableWriter
from shm.ring import RingWriter
from shm.segment import Segment, create_segment, list_segments, open_segment, unlink_segment

REPOSITORY = Path(__file__).resolve().parents[3]
_numbers = itertools.count()

OWNER = """
import sys
from runtime.session import SessionSegments, open_session_segment
from shm.ring import RingWriter
segments = SessionSegments(sys.argv[1], ["BTC"])
segments.create()
RingWriter(open_session_segment(sys.argv[1], "tickers", writable=True)).publish()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def name() -> Iterator[str]:
    session = f"t{os.getpid()}a{next(_numbers)}"
    yield session
    for left in list_segments(layout.segment_file_name(session, "")):
        unlink_segment(left)


@pytest.fixture
def owner(name: str) -> Iterator[SessionSegments]:
    segments = SessionSegments(name, ["BTC", "ETH"])
    segments.create()
    yield segments
    segments.unlink()


@pytest.fixture
def other_process(name: str) -> Iterator[subprocess.Popen[str]]:
    """A session that another process owns."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, name], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def writer(session: str, segment: str) -> Segment:
    return open_session_segment(session, segment, writable=True)


def test_one_directory_leads_to_everything(owner: SessionSegments, name: str) -> None:
    session = shm.attach(name)
    assert list(session.segments) == [spec.name for spec in owner.specs]
    assert {spec.name: spec.kind for spec in owner.specs} == session.segments
    for spec in owner.specs:
        assert session[spec.name].record is spec.record
    assert {"tickers", "books", "market"} <= set(dir(session))
    assert name in shm.list_sessions()
    assert not session.is_closed


def test_ticks_and_rows_have_their_fields_by_name(owner: SessionSegments, name: str) -> None:
    session = shm.attach(name)
    ticks = RingWriter(writer(name, "tickers"))
    ticker = session.tickers.follow(timeout_s=1.0)
    ticks.floats[TICKER.word("mark_price")] = 100.5
    ticks.publish()
    tick = next(ticker)
    assert (tick.mark_price, tick["mark_price"], tick.as_dict()["mark_price"]) == (100.5, 100.5, 100.5)
    assert "mark_price=100.5" in repr(tick)
    with pytest.raises(AttributeError, match="ticker has no field `bid`: instrument, "):
        _ = tick.bid
    assert session.instruments.read(0) is None
    instruments = TableWriter(writer(name, "instruments"))
    instruments.scratch[0]["name"] = b"BTC"
    instruments.ints[INSTRUMENT.word("is_ready")] = 1
    instruments.publish(0)
    assert session.instruments.read(0).name == "BTC"
    assert session.instrument_names() == ["BTC"]


def test_a_segment_that_does_not_exist_is_answered_with_those_that_do(owner: SessionSegments, name: str) -> None:
    session = shm.attach(name)
    with pytest.raises(AttributeError, match="no segment `ticks`: instruments, feed, books"):
        _ = session.ticks
    with pytest.raises(shm.SegmentError, match=r"no ring `accounts`; it has books, tickers, trades"):
        session.ring("accounts")


def test_an_unknown_session_is_answered_with_those_that_run(owner: SessionSegments, name: str) -> None:
    with pytest.raises(shm.SessionNotFoundError, match=rf"^no session named `nobody` is running \(there are .*{name}"):
        shm.attach("nobody")


def test_whatever_ends_a_reader_is_one_kind_of_error(owner: SessionSegments, name: str) -> None:
    with pytest.raises(shm.Error, match="no session named"):
        shm.attach("nobody")
    follower = shm.attach(name).books.follow()
    owner.unlink()
    with pytest.raises(shm.Error, match=rf"^session {name} has ended$"):
        next(follower)


def test_attaching_while_the_session_starts_waits_for_it(name: str) -> None:
    segments = SessionSegments(name, ["BTC"])
    thread = threading.Timer(0.1, segments.create)
    file = Path(layout.SHM_FOLDER, layout.segment_file_name(name, "directory"))
    thread.start()
    while not file.exists():
        time.sleep(0.001)
    session = shm.attach(name)
    assert len(session.segments) == len(segments.specs)
    thread.join()
    segments.unlink()


def test_an_end_in_order_is_told(owner: SessionSegments, name: str) -> None:
    session = shm.attach(name)
    reader = session.tickers
    RingWriter(writer(name, "tickers")).publish()
    owner.unlink()
    assert session.is_closed
    assert len(reader.read()) == 1  # the memory stays as long as somebody reads it
    with pytest.raises(shm.SessionClosed):
        next(reader.follow())
    with pytest.raises(shm.SessionClosed, match="segment books is gone"):
        session.ring("books")
    with pytest.raises(shm.SessionNotFoundError):
        shm.attach(name)


def test_a_killed_owner_is_noticed_by_its_lock(other_process: subprocess.Popen[str], name: str) -> None:
    # Given a follower of a session that another process owns
    session = shm.attach(name)
    follower = session.ring("tickers", "oldest").follow()
    assert next(follower).position == 0
    # If the owner is killed and can say nothing
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    started = time.monotonic()
    with pytest.raises(shm.SessionClosed, match="owner died"):
        next(follower)
    # I expect the follower to know it soon, and newcomers at once
    assert time.monotonic() - started < 2.0
    assert session.is_closed
    assert name not in shm.list_sessions()
    with pytest.raises(shm.SessionClosed, match="post_mortem"):
        shm.attach(name)
    assert len(shm.attach(name, post_mortem=True).tickers.to_numpy()) == 1


def test_only_stale_segments_are_reclaimed(other_process: subprocess.Popen[str], name: str) -> None:
    before = list_segments(layout.segment_file_name(name, ""))
    again = SessionSegments(name, ["BTC"])
    # If the owner lives, and be it with another run directory
    with pytest.raises(shm.SessionOwnedError, match="another process owns"):
        again.create()
    # I expect nothing to be touched
    assert list_segments(layout.segment_file_name(name, "")) == before
    assert not shm.attach(name).is_closed
    # If it is stopped, it still lives
    other_process.send_signal(signal.SIGSTOP)
    with pytest.raises(shm.SessionOwnedError):
        again.reclaim()
    # If it is dead, I expect its segments to give way
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    again.create()
    assert not shm.attach(name).is_closed
    again.unlink()
    assert list_segments(layout.segment_file_name(name, "")) == []


def test_looking_at_the_owner_never_keeps_the_next_one_out(other_process: subprocess.Popen[str], name: str) -> None:
    session = shm.attach(name)
    other_process.kill()
    other_process.wait()
    assert session.is_closed
    Ownership(layout.segment_file_name(name, "directory")).release()


def test_another_layout_version_is_refused(owner: SessionSegments, name: str) -> None:
    writer(name, "directory").words[layout.WORD_LAYOUT_VERSION] += 1
    with pytest.raises(shm.LayoutMismatchError, match="install the version that the session runs"):
        shm.attach(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_users_session_is_refused(owner: SessionSegments, name: str) -> None:
    code = f"import os; os.setuid(65534); import shm; shm.attach({name!r}, uid={os.getuid()})"
    done = subprocess.run(
        [sys.executable, "-c", "import shm.attach\n" + code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert f"belongs to another user (uid {os.getuid()})" in done.stderr


def test_a_writable_view_cannot_be_had_through_a_reader(owner: SessionSegments, name: str) -> None:
    session = shm.attach(name)
    with pytest.raises(TypeError, match="read-only"):
        session.tickers._memory[0:1] = b"x"
    with pytest.raises(ValueError, match="read-only"):
        session.tickers._sequences[0] = 1


def test_a_write_behind_pythons_back_ends_the_reader_and_not_the_data(owner: SessionSegments, name: str) -> None:
    code = (
        "import ctypes, numpy, shm\n"
        f"reader = shm.attach({name!r}).tickers\n"
        "ctypes.memset(numpy.frombuffer(reader._memory, 'u1').ctypes.data, 255, 64)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGSEGV
    assert writer(name, "tickers").words[layout.WORD_MAGIC] == layout.MAGIC


def test_readers_that_are_killed_lose_nobody_anything(owner: SessionSegments, name: str) -> None:
    before = list_segments(layout.segment_file_name(name, ""))
    for _ in range(10):
        child = os.fork()
        if child == 0:
            shm.attach(name).tickers.read()
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
    assert list_segments(layout.segment_file_name(name, "")) == before
    assert not shm.attach(name).is_closed


def test_the_segments_of_one_session_are_not_those_of_a_longer_name(name: str, segment_name: Callable[[], str]) -> None:
    kept = layout.segment_file_name(name + "2", "books")
    create_segment(kept, SegmentKind.RING, TICKER, 8)
    SessionSegments(name, ["BTC"]).reclaim()
    assert open_segment(kept).capacity == 8
    unlink_segment(kept)
