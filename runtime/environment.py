"""What the supervisor tells an actor through its environment, written and read in one place.

Credentials are among it only for the actors that need them; `scrubbed` takes them out for all others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from runtime.topology import MARKET_DATA, ActorSpec
from venues.credentials import KEY_FILE_VARIABLE, KEY_ID_VARIABLE, PRIVATE_KEY_VARIABLE
from venues.proxy import PROXY_VARIABLE

_PREFIX = "RINGMAKER_"
_SECRET_VARIABLES = frozenset({KEY_ID_VARIABLE, PRIVATE_KEY_VARIABLE, KEY_FILE_VARIABLE})
_SECRET_ENDINGS = ("_API_KEY", "_API_KEY_ID", "_PRIVATE_KEY", "_SECRET", "_PASSWORD")  # other keys that .env may hold
# Number crunching in the actors is a few kernels: no thread pools beside them.
_SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}


class ActorEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an actor is told at its start."""

    session: str
    actor: str
    config_file: Path  # the resolved configuration of this run, as JSON
    artifacts_dir: Path  # runs/<id>
    state_dir: Path
    epoch: int
    core: int
    supervisor_pid: int
    session_start_realtime_ns: int
    doorbell_fds: dict[str, int]
    standby_fd: int = -1  # of a standby: where it waits to be called; its epoch comes with the call

    def variables(self) -> dict[str, str]:
        """Return it as environment variables."""
        values = msgspec.structs.asdict(self)
        values["doorbell_fds"] = json.dumps(self.doorbell_fds)
        return {f"{_PREFIX}{name.upper()}": str(value) for name, value in values.items()}

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> ActorEnvironment:
        """Read it back; KeyError names a variable that is missing."""
        text = {field: environ[f"{_PREFIX}{field.upper()}"] for field in cls.__struct_fields__}
        return cls(
            session=text["session"],
            actor=text["actor"],
            config_file=Path(text["config_file"]),
            artifacts_dir=Path(text["artifacts_dir"]),
            state_dir=Path(text["state_dir"]),
            epoch=int(text["epoch"]),
            core=int(text["core"]),
            supervisor_pid=int(text["supervisor_pid"]),
            session_start_realtime_ns=int(text["session_start_realtime_ns"]),
            doorbell_fds={name: int(fd) for name, fd in json.loads(text["doorbell_fds"]).items()},
            standby_fd=int(text["standby_fd"]),
        )


def actor_variables(spec: ActorSpec, told: ActorEnvironment, venue: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of an actor: ours, what it is told, and `venue` (URL, and keys if it may)."""
    known = {**os.environ, **venue}
    if not spec.needs_keys:
        known = scrubbed(known, keeps_proxy=spec.name == MARKET_DATA)
    return {**known, **_SINGLE_THREADED, **told.variables()}


def scrubbed(environ: Mapping[str, str], *, keeps_proxy: bool = False) -> dict[str, str]:
    """Return `environ` without anything secret; a proxy's address may hold a password."""
    return {
        name: value
        for name, value in environ.items()
        if name not in _SECRET_VARIABLES
        and not name.endswith(_SECRET_ENDINGS)
        and (keeps_proxy or name != PROXY_VARIABLE)
    }
