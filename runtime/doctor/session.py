"""What a session of one configuration needs: room, cores, keys, kernels, a venue that answers."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import msgspec

from domain import jit
from domain.errors import CredentialsError, ExitCode, UserError
from domain.records import DIRECTORY
from runtime import affinity, paths
from runtime.config import Config
from runtime.doctor.finding import Finding, fail, ok, warn
from runtime.paths import make_private
from runtime.priority import may_be_realtime, may_lock_memory
from runtime.roles import resolve, roles_in
from runtime.session import is_supervised
from runtime.supervision.local_exchange import LocalExchange
from shm import layout
from trading.risk.latch import KILL_FILE_NAME, load_memory
from trading.risk.states import Cause
from venues.config import venue_url
from venues.credentials import read_credentials
from venues.thalex.listing import fetch_instruments, unlisted_text

MB = 1_000_000


def look_at_cores(config: Config, cores: Sequence[int]) -> Finding:
    """Whether each actor gets a core, and whether what was asked for goes with what is there."""
    topology = config.topology
    busy = [actor.name for actor in topology.actors if not actor.is_background]
    background = [actor.name for actor in topology.actors if actor.is_background]
    if not config.supervisor.pin_cores:
        return warn("cores", f"{len(cores)} cores, nobody is pinned (pin_cores = false)", "caches grow cold; pin them")
    placements = affinity.plan(busy, cores)
    text = affinity.describe(placements, background).removeprefix("cores: ")
    if all(placement.is_exclusive for placement in placements.values()):
        return ok("cores", text)
    if config.runtime.wait == "spin":
        advice = f'set [runtime] wait = "auto", or give it {len(busy) + 1} cores'
        return fail("cores", f'{text}, but wait = "spin" asks for it: they would take the core from each other', advice)
    return warn("cores", text, f"{len(busy) + 1} cores would give each its own, and let it spin")


def look_at_rights(config: Config) -> list[Finding]:
    """Whether the system allows what [runtime] asks for beside a core; nothing where it asks for nothing."""
    runtime = config.runtime
    found = []
    if priority := runtime.realtime_priority:
        text = f"real-time priority {priority} (supervisor {priority + 1})"
        advice = f"CAP_SYS_NICE, or `ulimit -r {priority + 1}`; without, every actor runs as an ordinary process"
        found.append(_judged(text, may_be_realtime(priority + 1), advice))
    if runtime.lock_memory:
        advice = "CAP_IPC_LOCK, or `ulimit -l unlimited`; without, memory is not locked"
        found.append(_judged("locked memory", may_lock_memory(), advice))
    return found


def _judged(text: str, is_allowed: bool, advice: str) -> Finding:
    return ok("rights", text) if is_allowed else warn("rights", f"{text} is not allowed", advice)


def look_at_room(config: Config, folder: str = layout.SHM_FOLDER) -> Finding:
    """Whether shared memory has room for every segment, which are allocated in full at the start."""
    specs = config.topology.segments()
    needed = layout.segment_bytes(DIRECTORY, len(specs)) + sum(
        layout.segment_bytes(spec.record, spec.capacity) for spec in specs
    )
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    text = f"{len(specs) + 1} segments of {needed / MB:.1f} MB in all, {folder} has {free / MB:,.0f} MB free"
    if is_supervised(config.session):
        return ok("memory", f"{text}; this session runs and has its own")
    if free < needed:
        return fail("memory", text, "make room there, or mount it larger (docker run --shm-size)")
    return ok("memory", text)


def look_at_disk(config: Config) -> Finding:
    """Whether there is room for what a run leaves."""
    home = paths.home()
    found = os.statvfs(home)
    free_mb = found.f_bavail * found.f_frsize / MB
    text = f"{free_mb:,.0f} MB free for {home / 'runs'}"
    if not os.access(home, os.W_OK):
        return fail("disk", f"{home} cannot be written", "set RINGMAKER_HOME to another folder")
    if config.recorder.enabled and free_mb < config.recorder.free_mb_min:
        return warn("disk", text, f"nothing is recorded below {config.recorder.free_mb_min} MB (recorder.free_mb_min)")
    if config.recorder.enabled and find_spec("pyarrow") is None:
        return warn("disk", "nothing is recorded: pyarrow is missing", ".venv/bin/pip install pyarrow")
    return ok("disk", text)


def look_at_kernels() -> Finding:
    """Whether the kernels of these sources are compiled, in this folder: another copy's machine code is its own."""
    if not jit.are_kernels_kept():
        advice = ".venv/bin/python -m scripts.warm_kernels (`make run` does it by itself)"
        return warn("kernels", "not compiled yet: the first quote comes up to a minute late", advice)
    return ok("kernels", "compiled")


def look_at_latch(config: Config) -> Finding:
    """Whether something holds the session that only an operator ends: an earlier run's, or its own while it runs."""
    state = paths.home() / "state" / config.session
    try:
        held = {latched.cause for latched in load_memory(state).latched}
    except UserError as error:
        return fail("latch", str(error))
    if (state / KILL_FILE_NAME).exists():  # which risk takes into its memory as soon as it looks
        held.add(Cause.KILLED)
    causes = ", ".join(sorted(cause.value for cause in held))
    resume = f"./cli.py resume -s {config.session}"
    if is_supervised(config.session):
        return warn("latch", f"the running session is held: {causes}", resume) if held else ok("latch", "nothing held")
    if held:
        return warn("latch", f"held by an earlier run: {causes}", f"{resume}, once it runs")
    return ok("latch", "no earlier run holds it")


def look_at_keys(config: Config, environ: Mapping[str, str]) -> Finding:
    """Whether the keys of the venue are there, and are keys."""
    if config.venue.kind == "local":
        return ok("keys", "none needed: the local exchange makes its own")
    try:
        credentials = read_credentials(config.venue, environ)
    except CredentialsError as error:
        return fail("keys", str(error), "; ".join(error.advice), ExitCode.CREDENTIALS)
    return ok("keys", f"key {credentials.key_id} with a private key")


def look_at_venue(config: Config, environ: Mapping[str, str]) -> list[Finding]:
    """Ask the venue what it lists, over the way that the session would take; no key is shown.

    The local exchange is started for it, as the session would, on a free port and in a folder that goes with it.
    """
    try:
        if config.venue.kind == "local":
            with tempfile.TemporaryDirectory(prefix="ringmaker-doctor-") as folder, _exchange(config, folder) as url:
                return _compare_listing(config, url, "the local exchange")
        url = venue_url(config.venue, environ)
        return _compare_listing(config, url, url)
    except UserError as error:
        return [fail("venue", str(error), exit_code=error.exit_code)]


@contextmanager
def _exchange(config: Config, folder: str) -> Iterator[str]:
    """Run the local exchange for a while; gives its address."""
    make_private(Path(folder) / "logs")
    exchange = LocalExchange(msgspec.structs.replace(config.exchange, port=0), Path(folder), Path(folder))
    try:
        yield exchange.start().url
    finally:
        exchange.stop()


def _compare_listing(config: Config, url: str, called: str) -> list[Finding]:
    begun = time.monotonic()
    listed = fetch_instruments(config.venue, url)
    names = resolve(roles_in(config), listed, time.time_ns())
    found = [ok("venue", f"{called} lists {len(listed)} instruments, told within {time.monotonic() - begun:.1f} s")]
    if missing := [name for name in config.instruments if names.get(name, name) not in listed]:
        found.append(fail("venue", "; ".join(unlisted_text(name, listed) for name in missing)))
    return found


def look_at_running(config: Config) -> Finding:
    """Whether the session's name is free."""
    if is_supervised(config.session):
        return warn(
            "session",
            f"{config.session} is running already",
            f"a second start is refused; ./cli.py stop -s {config.session}",
        )
    return ok("session", f"{config.session} is free")
