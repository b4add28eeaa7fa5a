from __future__ import annotations

import json
from pathlib import Path

import pytest
import zmq

from domain.clock import SimClock
from messages.commands import Pause, Reply, SetParameter, Status, Stop
from runtime.command_journal import CommandJournal
from runtime.commands import CommandCall, CommandServer, sender_name
from runtime.paths import make_private, run_directory

CLOCK = SimClock(realtime_ns=1000)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_answered_command_is_one_line_with_who_what_when_and_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "commands" / "risk.jsonl"
    journal = CommandJournal(path, CLOCK)
    command = SetParameter(name="risk.position_max_base", value="0.1")
    journal.note("cli.py, uid 7, pid 8", command, 900, Reply(ok=False, text="is looser"))
    journal.note("somebody", Status(), 901, Reply(ok=True))
    assert lines(path) == [
        {
            "received_ns": 900,
            "answered_ns": 1000,
            "sender": "cli.py, uid 7, pid 8",
            "command": "set_parameter",
            "content": {"command": "set_parameter", "name": "risk.position_max_base", "value": "0.1", "force": False},
            "ok": False,
            "answer": "is looser",
            "data": {},
        }
    ]


def test_a_line_that_a_kill_tore_does_not_take_the_next_one_with_it(tmp_path: Path) -> None:
    path = tmp_path / "risk.jsonl"
    path.write_text('{"received_ns": 1, "answ')
    CommandJournal(path, CLOCK).note("cli", Pause(), 2, Reply(ok=True))
    torn, whole = path.read_text().splitlines()
    assert torn == '{"received_ns": 1, "answ'
    assert json.loads(whole)["received_ns"] == 2


def test_what_the_disk_refuses_goes_with_the_next_line(tmp_path: Path) -> None:
    path = tmp_path / "commands"
    journal = CommandJournal(path / "risk.jsonl", CLOCK)
    path.write_text("a file where the folder should be")
    journal.note("cli", Pause(), 1, Reply(ok=True))
    path.unlink()
    journal.note("cli", Pause(), 2, Reply(ok=True))
    assert [line["received_ns"] for line in lines(path / "risk.jsonl")] == [1, 2]


def test_a_server_notes_who_sent_a_command_and_a_stop_before_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path / "r"))
    make_private(run_directory("s"))
    path = tmp_path / "strategy.jsonl"
    server = CommandServer("s", "strategy", CommandJournal(path, CLOCK))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        for command in (Pause(), Stop()):
            call = CommandCall(context, "s", "strategy", command)
            requests = []
            while not requests:
                requests = server.drain()
            if isinstance(command, Stop):
                assert [line["command"] for line in lines(path)] == ["pause", "stop"]
            requests[0].answer(Reply(ok=True, text="done"))
            while (reply := call.poll()) is None:
                pass
            assert reply.text == "done"
    finally:
        server.close()
        context.destroy(linger=0)
    assert [line["command"] for line in lines(path)] == ["pause", "stop"]
    assert {line["sender"] for line in lines(path)} == {sender_name().decode()}
