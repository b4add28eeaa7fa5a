"""Where faults are played: a real session against an exchange of its own, watched by what the exchange writes down.

The session's own word is never taken for what the exchange can say; it is compared with it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import shm
from runtime.priority import give_priority
from runtime.supervision.deaths import read_deaths
from tests.faults.books import Books
from tests.faults.order_log import OrderLog
from tests.faults.told import OrderEvents
from tests.sessions import RunningSession, StandaloneExchange

INSTRUMENT = "BTC-PERPETUAL"
LEVELS = 3
# Limits so wide that none of them ever takes a side away: what is missing is then missing for a fault. The suite's
# own kills neither end the session nor slow its restarts.
CONFIG = f"""
[venue]
kind = "thalex"
[instruments."{INSTRUMENT}"]
[strategy]
risk_aversion_per_usd = 0.01
order_size_base = 0.01
levels = {LEVELS}
level_spacing_ticks = 5
fee_maker_bps = 0.1
position_soft_base = 50.0
position_hard_base = 100.0
[risk]
position_max_base = 100.0
gross_notional_max_usd = 1e10
loss_from_peak_max_usd = 1e9
[recorder]
enabled = true
[supervisor]
restarts_max = 10000
restart_window_s = 1.0
"""
# Eight times the market of `make run`: about 500 books and tickers a second, to which we send 30 orders a second.
SPEED = 8
EXCHANGE_ARGUMENTS = ("--admin", "--maker-fee-bps", "0.1", "--balance", "100000000")
POLL_S = 0.005
START_TIMEOUT_S = 90.0
END_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 30.0
SECOND_NS = 1_000_000_000


class RuleBrokenError(Exception):
    """Something that must come about did not."""


class Operator:
    """A connection of our own to the exchange, for its admin methods."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._next_id = 1
        self._connect()

    def _connect(self) -> None:
        self._stack = ExitStack()
        self._connection: ClientConnection = self._stack.enter_context(
            connect(self._url, ping_interval=None, max_size=None, proxy=None)
        )

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call a method and return its result; notifications on the way are skipped."""
        try:
            return self._ask(method, params)
        except ConnectionClosed:  # the exchange's ping fell into a black hole, or the machine is very busy
            self.close()
            self._connect()
            return self._ask(method, params)

    def _ask(self, method: str, params: Mapping[str, Any] | None) -> Any:
        self.send(method, params)
        while True:
            try:
                reply = msgspec.json.decode(self._connection.recv(timeout=ANSWER_TIMEOUT_S))
            except TimeoutError:
                raise RuleBrokenError(
                    f"the exchange did not answer {method} {params} in {ANSWER_TIMEOUT_S:g} s"
                ) from None
            if reply.get("id") == self._next_id:
                assert "error" not in reply, f"{method} {params}: {reply['error']}"
                return reply["result"]

    def send(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Send a request and do not wait."""
        self._next_id += 1
        request = {"method": method, "params": params or {}, "id": self._next_id}
        self._connection.send(msgspec.json.encode(request).decode())

    def listen(self, timeout_s: float) -> dict[str, Any] | None:
        """Return the next message of any kind; None when none comes in time."""
        try:
            message: dict[str, Any] = msgspec.json.decode(self._connection.recv(timeout=timeout_s))
        except TimeoutError:
            return None
        return message

    def close(self) -> None:
        self._stack.close()


class Stage:
    """Use as a context manager: entered, the session quotes both sides.

    Attributes:
        nice: `runtime.nice` of every session, for a machine that does other things too; 0 = as they come.
        exchange, session: the two that are played against each other.
        log: the exchange's own log, as read so far.
        events, books: what the session published, as read so far.
    """

    nice = 0

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        config: str = CONFIG,
        speed: float = SPEED,
        environ: Mapping[str, str] | None = None,
        session_folder: Path | None = None,
    ) -> None:
        """Prepare.

        Args:
            environ: what the session's environment has besides its keys.
            session_folder: where the session keeps its files, when not in `folder` like the exchange.
        """
        arguments = ("--seed", str(seed), "--speed", f"{speed:g}", *EXCHANGE_ARGUMENTS)
        self.exchange = StandaloneExchange(folder, *arguments)
        self._folder = session_folder or folder
        self._config = f"{config}[runtime]\nnice = {self.nice}\n" if self.nice else config
        self._environ = dict(environ or {})

    def __enter__(self) -> Stage:
        self.exchange.__enter__()
        try:
            environ = {**self.exchange.environ(), **self._environ}
            self.session = RunningSession(self._folder, self._config, environ=environ)
            self.session.__enter__()
            if self.nice and self.session.process is not None:
                give_priority(self.session.process.pid, self.nice)
            try:
                self._attach()
            except BaseException:
                self.session.__exit__(None, None, None)
                raise
        except BaseException:
            self.exchange.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self.operator.close()
            self.session.__exit__(kind, error, tb)
            self.log.close()
        finally:
            self.exchange.__exit__(kind, error, tb)

    def _attach(self) -> None:
        """Wait for quotes, and open everything that is followed."""
        try:
            self.session.wait_for_quotes(START_TIMEOUT_S)
        except AssertionError as error:
            died = "; ".join(self.deaths()[-3:]) or "no actor died"
            raise RuleBrokenError(f"the session did not begin to quote: {error} ({died})") from None
        self.operator = Operator(self.exchange.url)
        self.log = OrderLog(self.exchange.order_log_path)
        self.attach_to_session()
        self.wait(
            lambda: all(actor["state"] == "live" for actor in self.actors().values()), START_TIMEOUT_S, "all live"
        )

    def attach_to_session(self) -> None:
        """Read the segments of the session that runs now: another one after the supervisor was killed."""
        self.shared = shm.attach(self.session.name)
        self.events = OrderEvents(self.shared)
        self.books = Books(self.shared)

    # ---- watching ----------------------------------------------------------------------------------

    def poll(self) -> None:
        """Read on whatever is followed."""
        self.log.poll()
        self.events.poll()
        self.books.poll()

    def wait(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Follow until `condition` holds.

        Raises:
            RuleBrokenError: it did not come about in time, or the session ended.
        """

        def holds_or_never_will() -> bool:
            process = self.session.process
            if process is not None and process.poll() is not None:
                died = "; ".join(self.deaths()[-3:]) or "no actor died"
                said = self.session.said[-600:]
                raise RuleBrokenError(f"the session ended with {process.returncode} ({died}): {said}")
            return condition()

        self.wait_without_session(holds_or_never_will, timeout_s, what)

    def wait_without_session(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Follow until `condition` holds, whether the session lives or not; RuleBrokenError when it does not hold."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            self.poll()
            if condition():
                return
            if time.monotonic() > deadline_s:
                raise RuleBrokenError(f"{what}: not within {timeout_s:g} s")
            time.sleep(POLL_S)

    def follow(self, duration_s: float) -> None:
        """Follow for a while."""
        end_s = time.monotonic() + duration_s
        self.wait(lambda: time.monotonic() >= end_s, duration_s + 60, "time passes")

    def wait_for_both_sides(self, since_ns: int, timeout_s: float) -> int:
        """Wait until both sides are open at some time since `since_ns`; return that time."""
        self.wait(lambda: self.log.first_both_sides_ns(since_ns) is not None, timeout_s, "quotes on both sides")
        both_ns = self.log.first_both_sides_ns(since_ns)
        assert both_ns is not None
        return both_ns

    def wait_for_fresh_quotes(self, since_ns: int, timeout_s: float) -> int:
        """Wait until both sides are open, inserted or amended after `since_ns`; return when they were."""
        log = self.log
        what = "new quotes on both sides"
        self.wait(lambda: log.first_fresh_ns(since_ns) is not None and log.is_both_sided, timeout_s, what)
        fresh_ns = log.first_fresh_ns(since_ns)
        assert fresh_ns is not None
        return fresh_ns

    def wait_for_empty(self, since_ns: int, timeout_s: float) -> int:
        """Wait until no order was open at some time since `since_ns`; return that time."""
        self.wait(lambda: self.log.first_empty_ns(since_ns) is not None, timeout_s, "quotes are pulled")
        empty_ns = self.log.first_empty_ns(since_ns)
        assert empty_ns is not None
        return empty_ns

    # ---- acting ------------------------------------------------------------------------------------

    def actors(self) -> dict[str, dict[str, Any]]:
        """Return state, pid and restarts of each actor, as the supervisor knows them."""
        found: dict[str, dict[str, Any]] = self.session.status()["actors"]
        return found

    def deaths(self) -> list[str]:
        """Return one line for each death of an actor in this run; the pages lie beside them in runs/<id>/deaths/."""
        return read_deaths(self.session.run)

    def exchange_session(self, pid: int) -> str | None:
        """Return the id of the connection that a process has at the exchange now; None = it has none."""
        self.log.poll()
        port = int(self.exchange.url.rpartition(":")[2].partition("/")[0])
        for connection in psutil.Process(pid).net_connections("tcp"):
            if connection.raddr and connection.raddr.port == port and connection.status == psutil.CONN_ESTABLISHED:
                return self.log.session_at.get(f"{connection.laddr.ip}:{connection.laddr.port}")
        return None

    def begin_fault(self, kind: str, **params: Any) -> int:
        """Begin a fault at the exchange; return a time (monotonic ns) before which it had not begun."""
        request = {"kind": kind, **params}
        is_for_all = kind == "blackhole" and "session" not in params
        if is_for_all:
            self.operator.call("admin/stats")  # the connection lives: what is sent now arrives
        before_ns = time.monotonic_ns()
        if is_for_all:  # it swallows the answer as well, when that is late: a delay may be in force
            self.operator.send("admin/fault", request)
        else:
            self.operator.call("admin/fault", request)
        return before_ns

    def start_again(self, timeout_s: float) -> None:
        """Start the session that was killed anew, and wait until it quotes both sides."""
        self.session.__enter__()
        self.session.wait_for_quotes(timeout_s)
        self.attach_to_session()

    def end(self) -> int:
        """End the session in order and return its exit code; everything it told has then been read."""
        self.session.signal(signal.SIGINT)
        exit_code = self.session.wait(END_TIMEOUT_S)
        self.poll()
        return exit_code
