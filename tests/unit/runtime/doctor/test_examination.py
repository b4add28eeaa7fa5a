"""What the doctor says of a configuration, and of what an earlier run left."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from domain import jit
from domain.errors import ExitCode, VenueUnreachableError
from runtime.config import load_config
from runtime.doctor import session
from runtime.doctor.examination import examine
from runtime.doctor.finding import Finding, Level, exit_code_of
from runtime.session import SessionLock
from tests.sessions import REPOSITORY
from trading.risk.latch import KillMark, RiskMemory, kill_mark_bytes, memory_bytes
from trading.risk.states import Cause, Latched

LOCAL = '[venue]\nkind = "local"\n[instruments."BTC-PERPETUAL"]\n'
THALEX = LOCAL.replace("local", "thalex")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path))
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path / "r"))
    return tmp_path


def configuration(folder: Path, text: str = LOCAL) -> Path:
    path = folder / f"doctor-{os.getpid()}.toml"
    path.write_text(text)
    return path


def by_subject(found: list[Finding]) -> dict[str, Finding]:
    return {one.subject: one for one in found}


def test_a_configuration_that_is_fit_fails_nothing(folder: Path) -> None:
    found = examine(configuration(folder), asks_venue=True, environ={})
    assert exit_code_of(found) is ExitCode.CLEAN, found
    told = by_subject(found)
    assert {"python", "clock", "cores", "memory", "keys", "venue", "latch", "disk"} <= set(told)
    assert told["keys"].text == "none needed: the local exchange makes its own"
    assert list(folder.glob("state*")) == []  # it looks, and leaves nothing


def test_a_broken_configuration_fails_as_the_session_would(folder: Path) -> None:
    found = examine(configuration(folder, f"{LOCAL}[strategy]\nlevles = 2\n"), asks_venue=False, environ={})
    assert exit_code_of(found) is ExitCode.USAGE
    assert "unknown key `levles`" in found[-1].text


def test_missing_keys_fail_with_what_to_do(folder: Path) -> None:
    found = examine(configuration(folder, THALEX), asks_venue=False, environ={})
    assert exit_code_of(found) is ExitCode.CREDENTIALS
    assert "cp .env.example .env" in by_subject(found)["keys"].advice


def test_a_dotenv_that_others_may_read_fails_and_the_rest_is_looked_at_all_the_same(folder: Path) -> None:
    dotenv = folder / ".env"
    dotenv.write_text("THALEX_TEST_API_KEY_ID=x\n")
    dotenv.chmod(0o644)
    found = examine(configuration(folder), asks_venue=False, environ={})
    assert by_subject(found)[".env"].text.endswith(f"chmod 600 {dotenv}")
    assert "cores" in by_subject(found)
    assert exit_code_of(found) is ExitCode.CREDENTIALS


def test_a_venue_is_asked_only_when_told_to_and_an_instrument_that_it_does_not_list_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(configuration(folder, THALEX))
    monkeypatch.setattr(session, "fetch_instruments", lambda *_: {"ETH-PERPETUAL": None})
    assert [found.level for found in session.look_at_venue(config, {})] == [Level.OK, Level.FAIL]

    def unreachable(*_: Any) -> None:
        raise VenueUnreachableError("wss://nowhere: no route")

    monkeypatch.setattr(session, "fetch_instruments", unreachable)
    (found,) = session.look_at_venue(config, {})
    assert (found.level, found.exit_code) == (Level.FAIL, ExitCode.VENUE_UNREACHABLE)
    assert "venue" not in by_subject(examine(configuration(folder, THALEX), asks_venue=False, environ={}))


def test_an_instrument_that_the_local_exchange_does_not_list_fails_and_one_by_role_does_not(folder: Path) -> None:
    # Given instruments that it lists, one of them by its role, and one that it does not
    text = LOCAL + '[instruments."BTC-FUTURE-1"]\n[instruments."BTC-PERPETUEL"]\n'
    found = examine(configuration(folder, text), asks_venue=False, environ={})
    # I expect one line that names it, the exit code of a start, and no process or file of the exchange left
    failures = [one for one in found if one.level is Level.FAIL]
    said = '[instruments."BTC-PERPETUEL"]: the venue does not list this instrument; did you mean BTC-PERPETUAL'
    assert [one.text[: len(said)] for one in failures] == [said]
    assert exit_code_of(found) is ExitCode.USAGE
    assert list(folder.glob("r/*")) == []


def test_a_replay_that_cannot_be_read_fails_with_the_exchanges_line(folder: Path) -> None:
    found = examine(configuration(folder, LOCAL + '[exchange]\nreplay = ["gone.gz"]\n'), asks_venue=False, environ={})
    assert "gone.gz" in by_subject(found)["venue"].text
    assert exit_code_of(found) is ExitCode.USAGE


def test_spinning_on_cores_that_are_shared_fails(folder: Path) -> None:
    config = load_config(configuration(folder, f'{LOCAL}[runtime]\nwait = "spin"\n'))
    assert session.look_at_cores(config, [0, 1]).level is Level.FAIL
    assert session.look_at_cores(config, list(range(8))).level is Level.OK
    patient = load_config(configuration(folder))
    assert session.look_at_cores(patient, [0, 1]).level is Level.WARN


def test_a_kill_of_an_earlier_run_is_named(folder: Path) -> None:
    config = load_config(configuration(folder))
    assert session.look_at_latch(config).level is Level.OK
    state = folder / "state" / config.session
    state.mkdir(parents=True)
    (state / "kill.json").write_bytes(kill_mark_bytes(KillMark(1)))
    found = session.look_at_latch(config)
    assert (found.level, found.text) == (Level.WARN, "held by an earlier run: killed")
    # If risk has taken it into its memory meanwhile, I expect it to be named once
    memory = RiskMemory(latched=[Latched(Cause.KILLED, "kill", 1), Latched(Cause.LOSS_OF_DAY, "loss", 2)])
    (state / "risk.json").write_bytes(memory_bytes(memory))
    assert session.look_at_latch(config).text == "held by an earlier run: killed, loss_of_day"
    (state / "risk.json").write_text(json.dumps({"latched": "?"}))
    assert session.look_at_latch(config).level is Level.FAIL


def test_what_holds_a_session_that_runs_is_no_earlier_runs(folder: Path) -> None:
    config = load_config(configuration(folder))
    state, directory = folder / "state" / config.session, folder / "r" / config.session
    for path in (state, directory):
        path.mkdir(parents=True)
    lock = SessionLock(directory, config.session)
    try:
        assert session.look_at_latch(config).level is Level.OK
        (state / "risk.json").write_bytes(memory_bytes(RiskMemory(latched=[Latched(Cause.OPERATOR_HALT, "", 1)])))
        found = session.look_at_latch(config)
        assert (found.text, found.advice) == (
            "the running session is held: operator_halt",
            f"./cli.py resume -s {config.session}",
        )
    finally:
        lock.release()


def test_kernels_that_are_not_compiled_are_told_and_those_that_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a machine that has compiled nothing
    monkeypatch.setenv(jit.ENV_CACHE_DIR, str(tmp_path))
    assert session.look_at_kernels().level is Level.WARN
    # If the kernels of these sources are compiled
    cache_dir = tmp_path / "numba" / jit.cache_key(REPOSITORY)
    cache_dir.mkdir(parents=True)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(cache_dir))
    jit.mark_warm()
    # I expect the doctor to see it, and of a copy of them elsewhere, which has to compile its own, not to
    assert session.look_at_kernels().level is Level.OK
    monkeypatch.setattr(jit, "_PROJECT_DIR", copied_sources(tmp_path / "copy"))
    assert session.look_at_kernels().level is Level.WARN
    assert jit.is_cold()


def copied_sources(folder: Path) -> Path:
    """Copy the sources of the kernels, and return the folder."""
    for source in jit.kernel_sources(REPOSITORY):
        copied = folder / source.relative_to(REPOSITORY)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(source.read_bytes())
    return folder


def test_a_session_that_runs_is_said_to(folder: Path) -> None:
    config = load_config(configuration(folder))
    assert session.look_at_running(config).level is Level.OK
    directory = folder / "r" / config.session
    directory.mkdir(parents=True)
    lock = SessionLock(directory, config.session)
    try:
        assert session.look_at_running(config).level is Level.WARN
    finally:
        lock.release()


def test_shared_memory_without_room_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(configuration(folder))
    assert session.look_at_room(config).level is Level.OK
    small = os.statvfs("/proc")  # has no room at all
    monkeypatch.setattr(os, "statvfs", lambda _: small)
    assert session.look_at_room(config).level is Level.FAIL


@pytest.mark.parametrize("is_allowed", [True, False])
def test_rights_are_looked_at_where_they_are_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, is_allowed: bool
) -> None:
    config = load_config(configuration(folder, f"{LOCAL}[runtime]\nrealtime_priority = 7\nlock_memory = true\n"))
    monkeypatch.setattr(session, "may_be_realtime", lambda priority: is_allowed and priority == 8)
    monkeypatch.setattr(session, "may_lock_memory", lambda: is_allowed)
    found = session.look_at_rights(config)
    assert [one.level for one in found] == [Level.OK if is_allowed else Level.WARN] * 2
    if not is_allowed:
        assert "ulimit -r 8" in found[0].advice
    assert session.look_at_rights(load_config(configuration(folder))) == []
