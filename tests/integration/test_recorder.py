"""A session with its recorder: real processes, a real disk, kills in between."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil

from domain.clock import NS_PER_S
from domain.records import EXPLANATION
from messages.commands import Pause, Resume, SetParameter
from runtime.clock import STEP_VARIABLE
from runtime.recordings.audit import open_audit
from runtime.recordings.files import HOUR_NS, files_of, hour_name, hour_of, metadata_of, table
from shm.segment import list_segments
from tests.sessions import LOCAL, REPOSITORY, RunningSession, wait_until

KINDS = ("books", "trades", "tickers", "explanations", "quote_inputs")


def venue_fills(session: RunningSession) -> Counter[tuple[str, str, Decimal, Decimal]]:
    """Return the fills by the exchange's own log: order, side, price, size."""
    return Counter(
        (line["order_id"], line["side"], Decimal(str(line["fill_price"])), Decimal(str(line["fill_amount"])))
        for line in session.order_log()
        if line["event"] == "fill"
    )


def audited(session: RunningSession, query: str) -> list[dict[str, Any]]:
    connection = open_audit(session.run)
    try:
        return [dict(row) for row in connection.execute(query)]
    finally:
        connection.close()


def audited_fills(session: RunningSession) -> Counter[tuple[str, str, Decimal, Decimal]]:
    rows = audited(session, "SELECT * FROM fills")
    return Counter((row["venue_order_id"], row["side"], Decimal(row["price"]), Decimal(row["size"])) for row in rows)


def assert_without_hole(session: RunningSession, kind: str) -> int:
    """Each record of the ring is in the recording once, in order; return how many."""
    positions = table(session.run, kind, ["position"]).column("position").to_pylist()
    assert positions == list(range(len(positions))), kind
    return len(positions)


def niceness(pid: int) -> list[int]:
    """Return the nice value of each thread of a process, that of its main thread first."""
    stats = [
        (task / "stat").read_text() for task in sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda t: int(t.name))
    ]
    return [int(stat.rpartition(")")[2].split()[16]) for stat in stats]


def test_a_recorder_killed_three_times_leaves_a_trail_that_is_the_venues(tmp_path: Path) -> None:
    with RunningSession(tmp_path, LOCAL, arguments=("--seconds", "24")) as session:
        session.wait_for_quotes()
        heartbeat, *others = niceness(session.actor_pid("recorder"))
        assert (heartbeat, max(others)) == (os.nice(0), os.nice(0) + 10)
        for _ in range(3):
            time.sleep(3.0)
            pid = session.actor_pid("recorder")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: session.actor_pid("recorder") not in (0, pid), 10.0, "a new recorder")  # type: ignore[misc]
        assert session.wait(90) == 0, session.said
        summary = session.summary
        assert summary["restarts"]["recorder"] == 3
        assert {name: count for name, count in summary["restarts"].items() if name != "recorder"} == {
            "market_data": 0, "risk": 0, "execution": 0, "strategy": 0,
        }  # fmt: skip
        assert min(summary["quoted_time_ratio"].values()) > 0.75
        assert summary["fills"] > 0
        assert audited_fills(session) == venue_fills(session)
        fees = sum((Decimal(row["fee"]) for row in audited(session, "SELECT fee FROM fills")), Decimal(0))
        assert fees == Decimal(summary["fees"])
        assert audited(session, "SELECT * FROM gaps") == []
        assert summary["counters"]["recorder"]["lost"] == 0
        rows = {kind: assert_without_hole(session, kind) for kind in KINDS}
        print(rows, summary["fills"], summary["latency_us"]["record"])
        assert (
            rows["explanations"] == rows["quote_inputs"] >= summary["wishes"]
        )  # the one that takes all away is no quote
        for kind in KINDS:
            assert [path.suffix for path in files_of(session.run, kind)] == [".parquet"] * len(
                files_of(session.run, kind)
            )
        session.assert_nothing_stays()
        assert_explained(session)


def assert_explained(session: RunningSession) -> None:
    """Orders are explained by our id and by the venue's, and each quote computed again is the recorded one."""
    orders = audited(session, "SELECT DISTINCT client_order_id, venue_order_id FROM fills WHERE client_order_id > 0")
    for name in (str(orders[0]["client_order_id"]), orders[-1]["venue_order_id"]):
        told = explain(session, name, "--json")
        assert told.returncode == 0, told.stderr + told.stdout
        story = json.loads(told.stdout)
        assert story["why_it_ended"].startswith(("filled", "cancelled as we asked")), story["why_it_ended"]
        assert story["fills"]
        for decision in story["decisions"]:
            assert decision["recomputed"] == {"verdict": "equal", "fields": [], "compared": len(EXPLANATION.fields) - 1}
            side = "bid" if story["side"] == "buy" else "ask"
            assert float(decision["sent"]["price"]) in [
                ticks * story["tick_size"] for ticks, _ in decision["levels"][side]
            ]
            assert decision["latency_us"]["to_send"] > 0
    words = explain(session, str(orders[0]["client_order_id"])).stdout
    for word in ("we send     insert", "venue says  filled", "half-spread", "recomputed: equal", "end: filled"):
        assert word in words, words
    unknown = explain(session, "4711")
    assert unknown.returncode == 2
    assert "no order 4711; it has" in unknown.stderr


def explain(session: RunningSession, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "cli.py"), "explain", *arguments, "--run", str(session.run)]
    return subprocess.run(command, cwd=session.home, capture_output=True, text=True, timeout=90, check=False)


def test_what_an_operator_did_is_in_the_trail_with_who_and_when(tmp_path: Path) -> None:
    with RunningSession(tmp_path, LOCAL) as session:
        session.wait_for_quotes()
        assert session.send(Pause()).ok
        assert session.send(Resume()).ok
        assert session.send(SetParameter(name="strategy.levels", value="1")).ok
        assert not session.send(SetParameter(name="risk.position_max_base", value="9")).ok
        assert session.send(SetParameter(name="risk.position_max_base", value="0.09")).ok
        assert session.cli("stop").returncode == 0
        assert session.wait(30) == 0, session.said
        told = audited(session, "SELECT process, sender, command, ok FROM commands ORDER BY received_ns")
        by_supervisor = [(row["command"], row["ok"]) for row in told if row["process"] == "supervisor"]
        assert by_supervisor == [
            ("pause", 1), ("resume", 1), ("set_parameter", 1), ("set_parameter", 0), ("set_parameter", 1), ("stop", 1),
        ]  # fmt: skip
        senders = {row["process"]: row["sender"] for row in told}
        assert "cli.py" in senders["supervisor"]
        assert "supervisor.py" in senders["strategy"]
        changes = audited(session, "SELECT process, scope, name, old_value, new_value FROM parameter_changes")
        assert [tuple(row.values()) for row in changes] == [
            ("risk", "risk", "position_max_base", "0.1", "0.09"),
            ("strategy", "BTC-PERPETUAL", "levels", "3", "1"),
        ]  # fmt: skip
        told = audited(session, "SELECT state FROM state_changes WHERE scope = 'account'")
        states = [state for state, _ in groupby(row["state"] for row in told)]  # a halt may change its reason
        assert states[:2] == ["HALTED", "ACTIVE"]
        assert audited(session, "SELECT count(*) AS n FROM pnl")[0]["n"] >= 1


def test_a_recorder_that_finds_no_room_says_so_and_the_session_goes_on(tmp_path: Path) -> None:
    """`free_mb_min` above what any disk has is a full disk to the recorder."""
    config = LOCAL.replace("[recorder]", "[recorder]\nfree_mb_min = 1_000_000")
    assert config != LOCAL
    with RunningSession(tmp_path, config) as session:
        session.wait_for_quotes()
        wait_until(
            lambda: "recorder" in session.status() and session.status()["recorder"]["trouble"] != "", 10, "trouble"
        )
        shown = session.cli("status").stdout
        assert "recorder: nothing is recorded" in shown
        assert "MB free, free_mb_min = 1000000" in shown
        session.signal(signal.SIGINT)
        assert session.wait(40) == 0, session.said
        assert session.summary["fills"] is not None
        log = (session.run / "logs" / "recorder.log").read_text()
        assert log.count("nothing is recorded: the disk does not take it") == 1


def test_files_that_may_not_grow_cost_nothing_once_they_may_again(tmp_path: Path) -> None:
    """The kernel refuses the recorder every write that makes a file longer, as a quota does, and then takes them."""
    with RunningSession(tmp_path, LOCAL) as session:
        session.wait_for_quotes()
        wait_until(lambda: session.status()["recorder"]["rows"] > 50, 20.0, "rows are recorded")
        pid = session.actor_pid("recorder")
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
        wait_until(
            lambda: session.status()["recorder"]["trouble"] != "", 15.0, "the recorder says that it cannot write"
        )
        assert "recorder: nothing is recorded: " in session.cli("status").stdout
        time.sleep(3.0)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_until(lambda: session.status()["recorder"]["trouble"] == "", 15.0, "the recorder writes again")
        session.signal(signal.SIGINT)
        assert session.wait(40) == 0, session.said
        summary = session.summary
        assert set(summary["restarts"].values()) == {0}
        assert min(summary["quoted_time_ratio"].values()) > 0.75
        assert summary["counters"]["recorder"]["disk_faults"] == 1
        assert audited_fills(session) == venue_fills(session)
        for kind in KINDS:
            assert_without_hole(session, kind)
        connection = sqlite3.connect(session.run / "audit.sqlite")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def test_an_hour_that_ends_becomes_parquet_while_the_recording_goes_on(tmp_path: Path, short_folder: Path) -> None:
    """The recorder's wall clock is set so that the hour ends 15 s after the start."""
    now_ns = time.time_ns()
    step = tmp_path / "step"
    step.write_bytes(struct.pack("<q", (hour_of(now_ns) + 1) * HOUR_NS - 15 * NS_PER_S - now_ns))
    hours = [f"{hour_name(hour_of(now_ns) + i)}.parquet" for i in range(2)]

    def files(kind: str) -> list[str]:
        return sorted(path.name for path in tmp_path.glob(f"runs/*/recordings/{kind}/*"))

    with recording(tmp_path, short_folder, {STEP_VARIABLE: str(step)}) as process:
        wait_until(lambda: hours[0] in files("books"), 60.0, "books of the hour that is over")
        assert process.poll() is None
        wait_until(lambda: len(files("books")) == 2, 10.0, "books of the next hour")
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0
    (run,) = tmp_path.glob("runs/*")
    for kind in ("books", "tickers"):
        assert files(kind) == hours
        positions = table(run, kind, ["position"]).column("position").to_pylist()
        assert positions == list(range(len(positions))), kind


@contextmanager
def recording(
    folder: Path, sockets: Path, environ: dict[str, str], prefix: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """`cli.py record` on a local exchange, in folders of its own, its errors among what it says; ended whatever
    happens."""
    config = folder / f"p{os.getpid()}.toml"
    config.write_text(LOCAL)
    told = {**os.environ, "RINGMAKER_HOME": str(folder), "RINGMAKER_RUN_ROOT": str(sockets), **environ}
    command = [*prefix, sys.executable, str(REPOSITORY / "cli.py"), "record", str(config)]
    with subprocess.Popen(
        command, env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def recorded_bytes(folder: Path) -> int:
    """Return how many bytes of books stand in parts."""
    return sum(part.stat().st_size for part in folder.glob("runs/*/recordings/books/*.part"))


def test_a_recording_under_nohup_outlives_its_terminal(tmp_path: Path, short_folder: Path) -> None:
    # Given a recording that was started with nohup
    with recording(tmp_path, short_folder, {}, prefix=("nohup",)) as process:
        wait_until(lambda: recorded_bytes(tmp_path) > 30_000, 60.0, "books are recorded")
        # If its terminal is closed
        process.send_signal(signal.SIGHUP)
        before = recorded_bytes(tmp_path)
        # I expect it to go on, and to end in order when it is told to
        wait_until(lambda: recorded_bytes(tmp_path) > before + 10_000, 30.0, "it records on")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=40)
        assert process.returncode == 0, output


def test_a_recording_whose_summary_the_disk_refuses_ends_with_its_words(tmp_path: Path, short_folder: Path) -> None:
    # Given a recording that cannot write its summary: a folder stands in its place
    with recording(tmp_path, short_folder, {}) as process:
        wait_until(lambda: recorded_bytes(tmp_path) > 30_000, 60.0, "books are recorded")
        (run,) = tmp_path.glob("runs/*")
        (run / "summary.json").mkdir()
        # If it is ended
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=40)
    # I expect its last line, the reason, and the exit code of a failure
    assert process.returncode == 1, output
    assert "Traceback" not in output
    assert " rows in " in output
    assert f"error: {run}/summary.json cannot be written: Is a directory" in output
    assert not list(run.glob("recordings/*/*.part"))


def test_a_recording_ends_when_the_local_exchange_is_gone(tmp_path: Path, short_folder: Path) -> None:
    # Given a recording of a local exchange
    with recording(tmp_path, short_folder, {}) as process:
        wait_until(lambda: recorded_bytes(tmp_path) > 30_000, 60.0, "books are recorded")
        children = psutil.Process(process.pid).children()
        (exchange,) = (child for child in children if "exchange" in child.cmdline())
        # If that dies
        exchange.kill()
        output, _ = process.communicate(timeout=60)
    # I expect it to say so, once, and to end with what it has
    assert process.returncode == 6, output
    assert output.count("error: ") == 1
    assert "error: the local exchange has ended (exit code -9): " in output
    (run,) = tmp_path.glob("runs/*")
    assert table(run, "books", ["position"]).num_rows > 20
    assert not list(run.glob("recordings/*/*.part"))


def test_record_follows_the_market_alone_and_ends_at_ctrl_c(tmp_path: Path, short_folder: Path) -> None:
    with recording(tmp_path, short_folder, {}) as process:

        def is_recording() -> bool:
            assert process.poll() is None
            return any(part.stat().st_size > 30_000 for part in tmp_path.glob("runs/*/recordings/books/*.part"))

        wait_until(is_recording, 40.0, "books are recorded")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=40)
        assert process.returncode == 0, output
    assert ", 0 records lost: " in output
    (run,) = tmp_path.glob("runs/*")
    assert [path.suffix for path in (run / "recordings" / "books").iterdir()] == [".parquet"]
    assert table(run, "books", ["position"]).num_rows > 20
    assert list_segments(f"ringmaker.{os.getuid()}.p{os.getpid()}-record.") == []
    assert not (run / "execution.journal").exists()


def test_record_of_a_venue_that_says_nothing_is_one_line_and_no_success(tmp_path: Path) -> None:
    # Given a venue that takes connections and never answers
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        told = {**os.environ, "RINGMAKER_HOME": str(tmp_path), "RINGMAKER_RUN_ROOT": str(tmp_path / "r")}
        told.pop("THALEX_WS_URL", None)
        command = [sys.executable, str(REPOSITORY / "cli.py"), "record", "--venue", "thalex", "--url", url]
        # If it is recorded for a while
        done = subprocess.run(
            [*command, "--seconds", "3"], env=told, capture_output=True, text=True, timeout=60, check=False
        )
    # I expect that to be said, and the exit code of a failure
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith(f"error: nothing was recorded: no market data came from {url}; check the address")
    assert done.stderr.count("\n") == 1
    assert "rows" not in done.stdout


def test_record_of_what_is_not_listed_says_so_and_leaves_no_run(tmp_path: Path, short_folder: Path) -> None:
    # Given an instrument that the local exchange does not list
    config = tmp_path / f"p{os.getpid()}.toml"
    config.write_text(LOCAL.replace("BTC-PERPETUAL", "SOL-PERPETUAL"))
    told = {**os.environ, "RINGMAKER_HOME": str(tmp_path), "RINGMAKER_RUN_ROOT": str(short_folder)}
    command = [sys.executable, str(REPOSITORY / "cli.py"), "record", str(config)]
    # If it is to be recorded, I expect a line, and nothing left behind
    done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('error: [instruments."SOL-PERPETUAL"]: the venue does not list this instrument')
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.glob("runs/*")) == []


def test_when_the_supervisor_is_killed_the_recorder_takes_the_last_cancels_and_ends(tmp_path: Path) -> None:
    with RunningSession(tmp_path, LOCAL) as session:
        session.wait_for_quotes()
        pid = session.actor_pid("recorder")
        session.signal(signal.SIGKILL)
        assert session.process is not None
        session.process.wait(10)
        wait_until(lambda: not psutil.pid_exists(pid), 25.0, "the recorder has ended")
        run = max((session.home / "runs").glob("*-*"))
        connection = sqlite3.connect(run / "audit.sqlite")
        kinds = Counter(kind for (kind,) in connection.execute("SELECT kind FROM order_events"))
        connection.close()
        assert kinds["accepted"] > 0
        assert metadata_of(next(iter((run / "recordings" / "books").glob("*.parquet"))))["lost"] == 0
