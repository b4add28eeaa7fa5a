"""The kill one-shot as an operator runs it: a process of its own, against a real exchange process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import msgspec
import pytest
import thalex
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from domain.clock import NS_PER_S
from domain.codes import SegmentKind
from domain.records import DIRECTORY, HEARTBEAT, RISK
from runtime.config import load_config
from runtime.session import SessionSegments
from shm.layout import segment_file_name
from shm.ownership import Ownership
from shm.record import TableWriter
from shm.segment import create_segment, unlink_segment
from trading.risk.latch import take_kill_mark

ROOT = Path(__file__).parents[2]
CONFIG = '[venue]\nkind = "local"\n\n[instruments."BTC-PERPETUAL"]\n'


class Exchange(Protocol):
    """What the fixture of conftest.py gives."""

    url: str
    key_file: Path
    pid: int


class Home:
    """A home, run root and configuration of our own, so that no other session is met."""

    def __init__(self, folder: Path, exchange: Exchange) -> None:
        self.session = f"kill-{os.getpid()}"
        self.folder = folder
        self.config = folder / f"{self.session}.toml"
        self.config.write_text(CONFIG)
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("RINGMAKER_")}
        self.environ |= {"RINGMAKER_HOME": str(folder), "RINGMAKER_RUN_ROOT": str(folder / "run")}
        self.venue = {"RINGMAKER_VENUE_URL": exchange.url, "RINGMAKER_VENUE_KEY_FILE": str(exchange.key_file)}

    def kill(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "actors.kill", "--config", str(self.config), *arguments, **environ)

    def operate(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.run("cli.py", "kill", *arguments, **environ)

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )


@pytest.fixture
def home(tmp_path: Path, exchange: Exchange) -> Home:
    return Home(tmp_path, exchange)


def at_venue(exchange: Exchange, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Log in with the official client, make the calls, disconnect; return the answers."""
    key = json.loads(exchange.key_file.read_text())

    async def talk() -> list[Any]:
        client = thalex.Thalex(network=SimpleNamespace(value=exchange.url))
        await client.connect()
        await client.login(key["key_id"], key["private_key"], id=0)
        answers = [json.loads(await client.receive())]
        for number, (method, arguments) in enumerate(calls, start=1):
            await getattr(client, method)(**arguments, id=number)
            answers.append(json.loads(await client.receive()))
        await client.disconnect()
        assert all("error" not in answer for answer in answers), answers
        return [answer["result"] for answer in answers[1:]]

    return asyncio.run(talk())


def leave_orders(exchange: Exchange, count: int) -> None:
    """Place orders that survive their connection, far below the market."""
    order = {"direction": thalex.Direction.BUY, "instrument_name": "BTC-PERPETUAL", "amount": 0.01}
    at_venue(exchange, [("insert", {**order, "price": 99_400 - number}) for number in range(count)])
    assert len(open_orders(exchange)) == count


def open_orders(exchange: Exchange) -> list[Any]:
    orders: list[Any] = at_venue(exchange, [("open_orders", {})])[0]
    return orders


def test_orders_that_nobody_owns_any_more_are_cancelled_and_confirmed(home: Home, exchange: Exchange) -> None:
    # Given three orders of a client that is gone, and no process of ours
    leave_orders(exchange, 3)
    # If the one-shot runs
    done = home.kill(**home.venue)
    # I expect its one line, exit code 0, and an empty book at the venue
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 open orders, confirmed by the venue (cancel sent "), done.stdout
    assert done.stdout.count("\n") == 1
    assert open_orders(exchange) == []
    # and no halt left behind, for nobody traded
    assert take_kill_mark(home.folder / "state" / home.session) is None


def test_it_finds_the_exchange_of_a_running_session_by_itself(home: Home, exchange: Exchange) -> None:
    # Given an order, and what a supervisor leaves in the run directory
    leave_orders(exchange, 1)
    run_directory = home.folder / "run" / home.session
    run_directory.mkdir(parents=True)
    venue = {"url": exchange.url, "key_file": str(exchange.key_file)}
    (run_directory / "venue.json").write_text(json.dumps(venue))
    # If the one-shot runs without being told where
    done = home.kill("--session", home.session)
    # I expect the order to be gone
    assert done.returncode == 0, done.stderr
    assert open_orders(exchange) == []


def test_it_goes_by_what_the_session_ran_with_wherever_that_file_lies(home: Home, exchange: Exchange) -> None:
    # Given an order, and a run whose configuration is not in configs/
    leave_orders(exchange, 1)
    ran(home)
    # If an operator kills it by its name alone
    done = home.operate("--session", home.session, **home.venue)
    # I expect the order to be gone
    assert done.returncode == 0, done.stderr
    assert "0 open orders, confirmed by the venue" in done.stdout
    assert open_orders(exchange) == []


def ran(home: Home, folder: str = "20260101-000000") -> Path:
    """Leave what a run of the session leaves: its configuration as the supervisor understood it."""
    run = home.folder / "runs" / f"{folder}-{home.session}"
    run.mkdir(parents=True)
    (run / "config.json").write_bytes(msgspec.json.encode(load_config(home.config)))
    return run


def edited(home: Home, how: str) -> Path:
    """Spoil the configuration file as people do, and return where it is said to be."""
    strategy = '[strategy]\nfile = "gone.py"\n' if how == "its strategy is gone" else "[strategy]\nno_such_key = 1\n"
    match how:
        case "a typo":
            home.config.write_text(CONFIG + "[risk\n")
        case "renamed":
            return home.config.rename(home.config.with_suffix(".old")).with_suffix(".toml")
        case "unreadable":
            home.config.unlink()
            home.config.mkdir()
            return home.config / "below.toml" / "file.toml"
        case _:
            home.config.write_text(CONFIG + strategy)
    return home.config


@pytest.mark.parametrize("how", ["a typo", "of another version", "its strategy is gone", "renamed", "unreadable"])
def test_a_file_that_was_spoilt_since_the_start_keeps_no_kill_from_cancelling(
    home: Home, exchange: Exchange, how: str
) -> None:
    # Given an order of a session that ran, and its configuration file as it is today
    leave_orders(exchange, 1)
    run = ran(home)
    path = edited(home, how)
    if how == "unreadable":
        path.parent.touch()
    # If the one-shot is told to go by that file
    done = home.operate("--config", str(path), "--session", home.session, **home.venue)
    # I expect the order gone, and one line that says by what it went instead
    assert done.returncode == 0, done.stderr
    assert open_orders(exchange) == []
    assert done.stderr.startswith("kill: warning: "), done.stderr
    assert f"going by {run / 'config.json'}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_goes_by_the_configuration_of_a_run_without_its_file(home: Home, exchange: Exchange) -> None:
    # Given an order, a run, and no configuration file any more
    leave_orders(exchange, 1)
    run = ran(home)
    home.config.unlink()
    # If the one-shot is given the run's, as the supervisor gives it, or the session's name alone, as systemd does
    for arguments in (("--config", str(run / "config.json")), ("--session", home.session)):
        done = home.run("-m", "actors.kill", *arguments, **home.venue)
        # I expect it done without a word of warning
        assert (done.returncode, done.stderr) == (0, "")
    assert open_orders(exchange) == []


def test_a_newest_run_that_cannot_be_read_is_not_made_up_for_by_an_older_one(home: Home) -> None:
    # Given a run of today that nobody can read, and one of yesterday, perhaps at another venue
    ran(home, "20260101-000000")
    newest = ran(home, "20260102-000000") / "config.json"
    newest.write_text("{")
    # If the session is killed by its name, I expect it to ask rather than to confirm something else
    done = home.operate("--session", home.session, **home.venue)
    assert done.returncode == 2
    assert str(newest) in done.stderr
    assert "--config PATH" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_env_file_that_others_may_read_is_told_and_cancels_go_out(home: Home, exchange: Exchange) -> None:
    # Given keys in the environment, an order, and an .env that an editor left readable
    leave_orders(exchange, 1)
    env_file = home.folder / ".env"
    env_file.write_text("OTHER=1\n")
    env_file.chmod(0o644)
    # If the one-shot runs
    done = home.kill(**home.venue)
    # I expect the order gone, and the command that mends the file
    assert done.returncode == 0, done.stderr
    assert open_orders(exchange) == []
    assert done.stderr.startswith("kill: warning: ")
    assert f"chmod 600 {env_file}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_name_that_never_ran_is_one_clear_line(home: Home) -> None:
    done = home.operate("--session", "nosuch")
    assert done.returncode == 2
    assert "no session 'nosuch' has run" in done.stderr
    assert "--config PATH" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_session_or_an_address_it_says_what_is_missing(home: Home) -> None:
    done = home.kill()
    assert done.returncode == 2
    assert "venue.json is not there" in done.stderr
    assert done.stderr.count("\n") == 1


def test_refused_keys_end_with_exit_code_3(home: Home, tmp_path: Path) -> None:
    # Given a key that the exchange does not know
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_file = tmp_path / "other.json"
    key_file.write_text(json.dumps({"key_id": "K000000001", "private_key": pem.decode()}))
    # If the one-shot runs with it, I expect one clear line and exit code 3
    done = home.kill(**home.venue | {"RINGMAKER_VENUE_KEY_FILE": str(key_file)})
    assert done.returncode == 3, done.stderr
    assert "refused the API key" in done.stderr


def test_an_unreachable_venue_ends_in_time_with_exit_code_6(home: Home) -> None:
    began = time.monotonic()
    done = home.kill("--timeout-s", "1", **home.venue | {"RINGMAKER_VENUE_URL": "ws://127.0.0.1:9/ws/api/v2"})
    assert done.returncode == 6
    assert "ws://127.0.0.1:9" in done.stderr
    assert time.monotonic() - began < 20.0


def test_a_local_exchange_that_has_ended_is_named_long_before_the_time_is_over(home: Home) -> None:
    began = time.monotonic()
    done = home.kill("--timeout-s", "60", **home.venue | {"RINGMAKER_VENUE_URL": "ws://127.0.0.1:9/ws/api/v2"})
    assert done.returncode == 6
    assert "the local exchange has ended, and every order with it" in done.stderr
    assert done.stderr.count("\n") == 1
    assert time.monotonic() - began < 20.0


def test_a_venue_that_stops_answering_is_reported_in_time(home: Home, exchange: Exchange) -> None:
    # Given an exchange that accepts connections and says nothing
    os.kill(exchange.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        done = home.kill("--timeout-s", "2", **home.venue)
    finally:
        os.kill(exchange.pid, signal.SIGCONT)
    # If it is asked to cancel, I expect an honest answer, not a confirmation
    assert done.returncode == 6
    assert "confirmed" not in done.stdout
    assert time.monotonic() - began < 25.0


class TradingSession:
    """Shared memory of a session whose execution lives: a process that only looks like it, and what names its state."""

    def __init__(self, session: str, run_root: Path, state: Path) -> None:
        self.segments = SessionSegments(session, ("BTC-PERPETUAL",))
        self.segments.create()
        state.mkdir(parents=True)
        self.told = run_root / session / "venue.json"
        self.told.parent.mkdir(parents=True)
        self.told.write_text(json.dumps({"url": "", "key_file": "", "state": str(state)}))
        sleep = "import time; time.sleep(120)"
        self.execution = subprocess.Popen([sys.executable, "-c", sleep, "actors.execution"])
        heartbeat = TableWriter(self.segments["heartbeats.execution"])
        heartbeat.ints[HEARTBEAT.word("pid")] = self.execution.pid
        heartbeat.publish(0)

    def end_execution(self) -> None:
        self.execution.kill()
        self.execution.wait(10)

    def say_halted(self) -> None:
        """Write the row in which risk says that it is halted until a resume."""
        risk = TableWriter(self.segments["risk"])
        risk.ints[RISK.word("written_time_ns")] = time.monotonic_ns() + 600 * NS_PER_S
        risk.ints[RISK.word("is_kill_latched")] = 1
        risk.publish(0)

    def close(self) -> None:
        self.end_execution()
        self.segments.unlink()


@pytest.fixture
def trading(home: Home) -> Iterator[TradingSession]:
    session = TradingSession(home.session, home.folder / "run", home.folder / "state" / home.session)
    yield session
    session.close()


def test_while_execution_lives_the_session_is_halted_first(
    home: Home, exchange: Exchange, trading: TradingSession
) -> None:
    # Given an execution that would place its orders again
    leave_orders(exchange, 1)
    # If the one-shot runs
    done = home.kill(**home.venue)
    # I expect the order gone, a mark that halts risk, and execution untouched
    assert done.returncode == 0, done.stderr
    assert open_orders(exchange) == []
    assert take_kill_mark(home.folder / "state" / home.session) is not None
    assert trading.execution.poll() is None


def test_execution_is_killed_on_request(home: Home, exchange: Exchange, trading: TradingSession) -> None:
    # Given a stopped execution, which no signal but one reaches
    trading.execution.send_signal(signal.SIGSTOP)
    # If the one-shot is told to end it
    done = home.kill("--kill-execution", **home.venue)
    # I expect it dead, and the venue empty
    assert done.returncode == 0, done.stderr
    assert trading.execution.wait(10) == -signal.SIGKILL


def test_a_stranger_with_executions_old_process_id_is_left_alone(home: Home, trading: TradingSession) -> None:
    # Given that the process id in the heartbeat belongs to somebody else by now: to this test
    heartbeat = TableWriter(trading.segments["heartbeats.execution"])
    heartbeat.ints[HEARTBEAT.word("pid")] = os.getpid()
    heartbeat.publish(0)
    # If the one-shot is told to end execution, I expect to be alive afterwards
    done = home.kill("--kill-execution", **home.venue)
    assert done.returncode == 0, done.stderr


def test_a_session_between_two_lives_of_execution_is_halted_too(
    home: Home, exchange: Exchange, trading: TradingSession
) -> None:
    # Given a session whose execution has just died, and will be started again
    trading.end_execution()
    leave_orders(exchange, 1)
    # If the one-shot runs, I expect a mark that halts the next life
    done = home.kill(**home.venue)
    assert done.returncode == 0, done.stderr
    assert take_kill_mark(home.folder / "state" / home.session) is not None


def test_the_kill_at_the_end_of_a_session_leaves_the_next_one_no_halt(
    home: Home, exchange: Exchange, trading: TradingSession
) -> None:
    # Given a supervisor that ends its session, execution dead
    trading.end_execution()
    # If it has the orders cancelled, I expect no mark
    done = home.kill("--session-ends", **home.venue)
    assert done.returncode == 0, done.stderr
    assert take_kill_mark(home.folder / "state" / home.session) is None


def test_the_mark_goes_where_the_session_looks_whoever_kills_from_wherever(
    home: Home, exchange: Exchange, trading: TradingSession, tmp_path: Path
) -> None:
    # Given an operator in another home
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # If they kill, I expect the mark in the session's own folder
    done = home.kill(**home.venue | {"RINGMAKER_HOME": str(elsewhere)})
    assert done.returncode == 0, done.stderr
    assert take_kill_mark(home.folder / "state" / home.session) is not None


def test_a_run_root_that_only_the_env_file_names_is_where_the_session_is_looked_for(
    home: Home, exchange: Exchange, trading: TradingSession, tmp_path: Path
) -> None:
    # Given a session whose run directory lies where .env says, and whose state lies elsewhere than ours
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    env_file = elsewhere / ".env"
    env_file.write_text(f"RINGMAKER_RUN_ROOT={home.environ.pop('RINGMAKER_RUN_ROOT')}\n")
    env_file.chmod(0o600)
    # If it is killed, I expect the mark in the session's own folder
    done = home.kill(**home.venue | {"RINGMAKER_HOME": str(elsewhere)})
    assert (done.returncode, done.stderr) == (0, "")
    assert take_kill_mark(home.folder / "state" / home.session) is not None


def test_a_mark_that_cannot_be_written_is_told_and_is_no_success(
    home: Home, exchange: Exchange, trading: TradingSession
) -> None:
    # Given a disk that takes no mark, and an order
    leave_orders(exchange, 1)
    (home.folder / "state" / home.session / "kill.json").mkdir()
    # If the one-shot runs, I expect the order gone, and to be told that the session is not halted
    done = home.kill(**home.venue)
    assert open_orders(exchange) == []
    assert done.stdout.startswith("0 open orders, confirmed by the venue")
    assert done.returncode == 1
    assert f"session {home.session} is NOT halted" in done.stderr
    assert "kill.json" in done.stderr


STANDS_STILL = """
import os, time

def stand_still(*_):
    time.sleep(30)

def open_unless_written(path, flags, *rest, opened=os.open, **named):
    if flags & os.O_ACCMODE != os.O_RDONLY and STATE in str(path):
        stand_still()
    return opened(path, flags, *rest, **named)

os.open, os.fsync = open_unless_written, stand_still
"""


def test_a_disk_that_stands_still_holds_no_cancel_up(home: Home, exchange: Exchange, trading: TradingSession) -> None:
    # Given a disk that for half a minute takes nothing, and no new file in the folder of state, and an order
    leave_orders(exchange, 1)
    site = home.folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(f"STATE = {str(home.folder / 'state')!r}\n{STANDS_STILL}")
    # If the one-shot runs, I expect the order gone long before the disk is back, and no success
    began = time.monotonic()
    done = home.kill(**home.venue | {"PYTHONPATH": str(site)})
    assert time.monotonic() - began < 20.0
    assert open_orders(exchange) == []
    assert done.returncode == 1
    assert "is NOT halted" in done.stderr


def test_a_session_that_named_no_folder_counts_as_halted_when_risk_says_so(
    home: Home, exchange: Exchange, trading: TradingSession
) -> None:
    # Given a session whose run directory is not where we look
    trading.told.unlink()
    # If the one-shot runs and risk says nothing, I expect no success
    done = home.kill(**home.venue)
    assert done.returncode == 1
    assert "is NOT halted" in done.stderr
    assert "RINGMAKER_RUN_ROOT" in done.stderr
    # and with risk's word it is one
    trading.say_halted()
    done = home.kill(**home.venue)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_session_of_that_name_of_another_user_is_told_and_is_no_success(home: Home, exchange: Exchange) -> None:
    # Given a running session of somebody else
    name = segment_file_name(home.session, "directory", os.getuid() + 1)
    segment = create_segment(name, SegmentKind.TABLE, DIRECTORY, 1)
    ownership = Ownership(name)
    try:
        done = home.kill(**home.venue)
        assert done.returncode == 1
        assert f"session {home.session} is NOT halted: uid {os.getuid() + 1} runs it" in done.stderr
        # If it has ended, I expect nothing to be said of it
        ownership.release()
        done = home.kill(**home.venue)
        assert (done.returncode, done.stderr) == (0, "")
    finally:
        unlink_segment(segment.name)
