"""Against a real socket, as systemd listens on one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.clock import NS_PER_S, SimClock
from runtime.supervision.service_manager import ServiceManager


@pytest.fixture
def manager_socket(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(2)
        yield listening


def told(listening: socket.socket) -> list[str]:
    """Return what has come so far."""
    listening.setblocking(False)
    messages = []
    while True:
        try:
            messages.append(listening.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_a_service_manager_is_told_of_a_whole_life(manager_socket: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager_socket.getsockname(), "OTHER": "stays"}
    manager = ServiceManager(environ, SimClock())
    manager.ready()
    manager.status("two\nlines")
    manager.reloading()
    manager.stopping("because", 93.0)
    manager.close()
    ready, status, reloading, stopping = told(manager_socket)
    assert ready == "READY=1"
    assert status == "STATUS=two lines"
    assert reloading.splitlines()[0] == "RELOADING=1"
    assert reloading.splitlines()[1].startswith("MONOTONIC_USEC=")
    assert stopping == "STOPPING=1\nEXTEND_TIMEOUT_USEC=113000000\nSTATUS=because"
    assert environ == {"OTHER": "stays"}  # no actor speaks for us


def test_the_watchdog_hears_of_us_three_times_in_its_interval(manager_socket: socket.socket) -> None:
    environ = {
        "NOTIFY_SOCKET": manager_socket.getsockname(),
        "WATCHDOG_USEC": "3000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    manager = ServiceManager(environ, SimClock())
    for tenth in range(1, 31):
        manager.alive(tenth * NS_PER_S // 10)
    assert told(manager_socket) == ["WATCHDOG=1"] * 3


def test_a_watchdog_of_another_process_is_not_ours(manager_socket: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager_socket.getsockname(), "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    manager = ServiceManager(environ, SimClock())
    manager.alive(100 * NS_PER_S)
    assert told(manager_socket) == []


def test_the_status_is_asked_for_now_and_then_and_only_where_somebody_listens(manager_socket: socket.socket) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": manager_socket.getsockname()}, SimClock())
    assert [manager.wants_status(second * NS_PER_S) for second in (1, 2, 11, 12)] == [True, False, True, False]
    assert not ServiceManager({}, SimClock()).wants_status(NS_PER_S)


def test_a_manager_that_has_gone_or_never_was_harms_nothing(tmp_path: Path) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}, {"NOTIFY_SOCKET": "vsock:2:1234"}):
        manager = ServiceManager(environ, SimClock())
        manager.ready()
        manager.alive(NS_PER_S)
        manager.stopping("because", 1.0)


def test_an_abstract_socket_is_found() -> None:
    name = f"ringmaker-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}, SimClock()).ready()
        assert told(listening) == ["READY=1"]
