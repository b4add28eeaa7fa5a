"""A reload that meets a disk in trouble: nothing has changed, and the session goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import cast

import pytest
import structlog

from messages.commands import Reply
from runtime.clock import SystemClock
from runtime.config import load_config
from runtime.paths import CONFIG_FILE
from runtime.supervision import reloading as reloading_module
from runtime.supervision.in_force import InForce
from runtime.supervision.relay import Leg, Relay
from runtime.supervision.reloading import Reloading

BASE = '[instruments."BTC-PERPETUAL"]\n[strategy]\nlevels = 2\n'
EDITED = BASE.replace("levels = 2", "levels = 3")


class WillingRelay:
    """Actors that agree at once to whatever they are asked."""

    def __init__(self) -> None:
        self.asked: list[Leg] = []

    def call_all(self, legs: Sequence[Leg]) -> Future[Reply]:
        self.asked += legs
        future: Future[Reply] = Future()
        future.set_result(Reply(ok=True, text="fine"))
        return future


class Case:
    """A session that was started with BASE."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "session.toml"
        self.file.write_text(BASE)
        self.run = folder / "run"
        self.run.mkdir()
        self.relay = WillingRelay()
        self.replies: list[Reply] = []
        config = load_config(self.file)
        self.reloading = Reloading(
            config,
            InForce(config),
            {},
            self.run,
            cast(Relay, self.relay),
            SystemClock(),
            structlog.get_logger(),
        )

    def reload(self) -> None:
        self.reloading.begin(self.replies.append, force=False)
        for _ in range(3):
            self.reloading.poll()

    @property
    def levels(self) -> int:
        return self.reloading.config.instruments["BTC-PERPETUAL"].strategy.levels


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def refuse(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have the disk refuse one file until what is returned is called."""
    write = reloading_module.write_atomically
    refused = {folder / name}

    def write_unless_refused(path: Path, content: bytes) -> None:
        if path in refused:
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(reloading_module, "write_atomically", write_unless_refused)
    return refused.clear


def test_a_reload_takes_over_what_an_edit_changed(case: Case) -> None:
    case.file.write_text(EDITED)
    case.reload()
    assert [reply.ok for reply in case.replies] == [True]
    assert case.levels == 3


@pytest.mark.parametrize(
    ("edit", "actors"),
    [
        ("flatten_timeout_s = 60.0", {"risk", "execution"}),
        ("flatten_passive_s = 30.0", {"risk", "execution"}),
        ("amend_threshold_ticks = 2", {"execution"}),
    ],
)
def test_a_key_reaches_every_actor_that_goes_by_it(case: Case, edit: str, actors: set[str]) -> None:
    case.file.write_text(f"{BASE}[execution]\n{edit}\n")
    case.reload()
    assert case.replies[-1].ok
    assert {leg.actor for leg in case.relay.asked} == actors


def test_a_file_that_cannot_be_read_leaves_the_session_as_it_was(case: Case) -> None:
    case.file.unlink()
    case.file.symlink_to(case.file)  # ELOOP, which root meets too
    case.reload()
    (reply,) = case.replies
    assert not reply.ok
    assert reply.text == (
        f"nothing has changed: {case.file}: cannot be read: Too many levels of symbolic links; "
        "mend that, or name another file"
    )


@pytest.mark.parametrize("name", ["config-next.json", CONFIG_FILE])
def test_a_disk_that_takes_no_configuration_leaves_the_session_as_it_was(
    case: Case, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.file.write_text(EDITED)
    mend = refuse(case.run, name, monkeypatch)
    case.reload()
    (reply,) = case.replies
    assert (reply.ok, reply.text) == (False, f"nothing has changed: {case.run / name}: No space left on device")
    assert case.levels == 2
    assert all(leg.command.is_trial for leg in case.relay.asked)  # type: ignore[union-attr]
    mend()
    case.reload()
    assert case.replies[-1].ok
    assert case.levels == 3
