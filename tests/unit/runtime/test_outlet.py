"""What is printed where nobody reads."""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Callable, Iterator

import pytest

from runtime.supervision.outlet import CHUNKS_MAX, Outlet

LINE = "x" * 200 + "\n"


class Pipe:
    """A real pipe with an outlet in front of it."""

    def __init__(self) -> None:
        self.read_fd, self._write_fd = os.pipe()
        with os.fdopen(self._write_fd, "w", closefd=False) as stream:
            self.outlet = Outlet(stream)

    def read(self, is_enough: Callable[[str], bool]) -> str:
        """Return what comes until that is enough; AssertionError when it never is."""
        content = b""
        while not is_enough(content.decode()):
            assert select.select([self.read_fd], [], [], 10.0)[0], "nothing more comes"
            content += os.read(self.read_fd, 1 << 16)
        return content.decode()

    def close(self) -> None:
        os.close(self.read_fd)  # who still writes gets EPIPE
        self.outlet.close(10.0)
        os.close(self._write_fd)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    found = Pipe()
    yield found
    found.close()


def test_what_is_printed_is_written_in_order_before_it_is_closed(pipe: Pipe) -> None:
    for number in range(100):
        pipe.outlet.write(f"{number}\n")
    pipe.outlet.close()
    assert os.read(pipe.read_fd, 1 << 16).decode() == "".join(f"{number}\n" for number in range(100))


def test_nobody_waits_for_a_pipe_that_nobody_reads_and_what_is_left_out_is_counted(pipe: Pipe) -> None:
    # Given a pipe that has room for a part of what is printed
    started_s = time.monotonic()
    printed = 3 * CHUNKS_MAX
    for _ in range(printed):
        pipe.outlet.write(LINE)
    # I expect no wait, neither here nor at the end
    pipe.outlet.close(0.1)
    assert time.monotonic() - started_s < 5.0
    # and whoever reads at last to be told how many lines are missing
    content = pipe.read(lambda content: content.count(LINE) + told_missing(content) == printed)
    assert content.count(LINE) >= CHUNKS_MAX
    assert told_missing(content) > 0


def told_missing(content: str) -> int:
    return sum(
        int(count) for count in re.findall(r"^\((\d+) lines left out: nobody read them\)$", content, re.MULTILINE)
    )


def test_a_reader_that_is_gone_costs_nothing(pipe: Pipe) -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    with os.fdopen(write_fd, "w") as stream:
        outlet = Outlet(stream)
        for _ in range(3 * CHUNKS_MAX):
            outlet.write(LINE)
        started_s = time.monotonic()
        outlet.close(30.0)
        assert time.monotonic() - started_s < 20.0


def test_a_process_without_a_terminal_from_the_start_prints_to_nowhere() -> None:
    outlet = Outlet(None)  # `>&-`: what Python then has for sys.stdout
    outlet.say("for nobody")
    assert not outlet.isatty()
    outlet.close(10.0)
