"""The supervisor over a whole session: service manager, standbys, replacement on purpose, giving up."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from messages.commands import Stop
from tests.sessions import INSTRUMENT, RunningSession, open_orders, wait_until

STANDBYS = INSTRUMENT + '[supervisor]\nstandby = ["market_data", "strategy", "risk", "execution"]\n'
ACTORS = ("market_data", "strategy", "risk", "execution")


def actors(session: RunningSession) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = session.status()["actors"]
    return found


def wait_for_standbys(session: RunningSession) -> None:
    wait_until(
        lambda: all(actor["standby"] == "ready" for actor in actors(session).values()), 60, "standbys of all actors"
    )


def standby_pids(session: RunningSession) -> dict[str, int]:
    """Return the process that waits, by actor."""
    live = {actor["pid"] for actor in actors(session).values()}
    found = {}
    for process in session.processes():
        name = process.environ().get("RINGMAKER_ACTOR")
        if name and process.pid not in live:
            found[name] = process.pid
    return found


def test_everybody_who_asks_for_the_end_is_answered_also_while_it_is_under_way(tmp_path: Path) -> None:
    with RunningSession(tmp_path) as session, ThreadPoolExecutor() as operators:
        session.wait_for_quotes(60)
        # If a second operator asks while the session ends
        asked = [operators.submit(session.send, Stop(), 60.0)]
        time.sleep(0.03)  # a session ends within a tenth of a second where the machine is quiet
        asked.append(operators.submit(session.send, Stop(), 60.0))
        # I expect both to hear how it ended
        for one in asked:
            assert one.result().text == "execution: 0 open orders, confirmed by the venue"


def test_the_operator_is_told_why_nothing_is_quoted_when_the_journal_cannot_be_written(tmp_path: Path) -> None:
    with RunningSession(tmp_path) as session:
        session.wait_for_quotes(60)
        assert "orders live" in session.cli("status").stdout
        # If execution may write no larger file
        execution = actors(session)["execution"]["pid"]
        resource.prlimit(execution, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        # I expect the status to say it, where strategy and risk have nothing against quotes
        wait_until(lambda: "the journal fails" in session.cli("status").stdout, 30, "the status says why")
        resource.prlimit(execution, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_until(lambda: "the journal fails" not in session.cli("status").stdout, 30, "the journal is written again")


def test_a_standby_holds_nothing_of_the_session_and_takes_over_from_a_killed_actor(tmp_path: Path) -> None:
    with RunningSession(tmp_path, STANDBYS) as session:
        session.wait_for_quotes(60)
        wait_for_standbys(session)
        waiting = standby_pids(session)
        assert set(waiting) == set(ACTORS)
        before = {name: psutil.Process(pid).cpu_times() for name, pid in waiting.items()}
        time.sleep(1)
        for name, pid in waiting.items():
            process = psutil.Process(pid)
            now = process.cpu_times()
            assert (now.user, now.system) == (before[name].user, before[name].system), f"{name} does not rest"
            maps = Path(f"/proc/{pid}/maps").read_text()
            assert session.name not in maps, f"{name} has mapped a segment"
            assert process.net_connections("inet") == [], f"{name} is connected"
        for name in ACTORS:
            old = actors(session)[name]["pid"]
            os.kill(old, signal.SIGKILL)
            wait_until(
                lambda name=name, old=old: actors(session)[name]["pid"] not in (0, old),  # type: ignore[misc]
                10,
                f"{name} is replaced",
            )
            assert actors(session)[name]["pid"] == waiting[name], f"{name} was not taken over by its standby"
            session.wait_for_quotes()
        wait_for_standbys(session)  # of those that took over
        assert set(standby_pids(session)).isdisjoint(waiting.values())
        session.signal(signal.SIGINT)
        assert session.wait(60) == 0, session.said
        assert open_orders(session.order_log()) == {}
        session.assert_nothing_stays()


def test_a_standby_that_is_killed_is_prepared_anew_and_the_supervisors_death_ends_it(tmp_path: Path) -> None:
    with RunningSession(tmp_path, INSTRUMENT + '[supervisor]\nstandby = ["strategy"]\n') as session:
        session.wait_for_quotes(60)
        wait_until(lambda: actors(session)["strategy"]["standby"] == "ready", 60, "a standby")
        first = standby_pids(session)["strategy"]
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: standby_pids(session).get("strategy", first) != first, 30, "another standby")
        assert actors(session)["strategy"]["restarts"] == 0
        session.signal(signal.SIGKILL)
        session.wait()
        wait_until(lambda: not session.processes(), 30, f"everything ends, {session.processes()}")
    with RunningSession(tmp_path) as other:  # reclaims nothing of another name, and runs
        other.wait_for_quotes(60)


def test_one_actor_is_replaced_on_command_and_it_counts_as_no_death(tmp_path: Path) -> None:
    with RunningSession(tmp_path) as session:
        session.wait_for_quotes(60)
        for name in ACTORS:
            before = actors(session)[name]["pid"]
            began_ns = time.monotonic_ns()
            reply = session.send(Stop(actor=name), 60)
            assert reply.ok, reply.text
            assert actors(session)[name]["pid"] not in (0, before)
            session.wait_for_quotes()
            print(f"{name}: quoting again {(time.monotonic_ns() - began_ns) / 1e9:.2f} s after the command")
        refused = session.cli("stop", "--restart", "nobody")
        assert refused.returncode == 2
        assert "no actor named nobody; there are: market_data" in refused.stdout
        assert not (session.run / "deaths").exists()
        session.signal(signal.SIGINT)
        assert session.wait(60) == 0, session.said
        assert session.summary["position"] == session.summary["venue_position"]


def test_a_service_manager_hears_of_start_life_and_end(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1500000"}
        with RunningSession(tmp_path, environ=environ) as session:
            messages = []
            while "READY=1" not in messages:
                messages.append(listening.recv(4096).decode())
            for actor in actors(session).values():
                assert actor["state"] == "live"
                assert "NOTIFY_SOCKET" not in psutil.Process(actor["pid"]).environ()
            started = time.monotonic()
            beats = 0
            while beats < 4:
                beats += listening.recv(4096).decode() == "WATCHDOG=1"
            assert time.monotonic() - started < 15  # the bound is 1.5 s between two
            session.signal(signal.SIGTERM)
            while not (message := listening.recv(4096).decode()).startswith("STOPPING=1"):
                pass
            assert "STATUS=cancelling" in message
            assert session.wait(60) == 0, session.said


def test_while_kernels_are_compiled_the_status_says_so(tmp_path: Path) -> None:
    with RunningSession(tmp_path, environ={"RINGMAKER_CACHE_DIR": str(tmp_path / "cold")}) as session:
        wait_until(lambda: "strategy: compiling kernels: " in session.said, 60, "the reason is said")
        status = session.cli("status")
        assert "strategy: starting" in status.stdout
        assert "compiling kernels" in status.stdout
        session.signal(signal.SIGINT)
        assert session.wait(60) == 0, session.said
