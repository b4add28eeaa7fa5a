"""The life of an actor's process: environment, orphan signal, core, loop, exit code.

Two loops for two kinds of actor: blocking_loop.py polls a doorbell and the command socket, async_loop.py runs on
uvloop, for actors with a socket to a venue. What both share is host.py's.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable
from io import FileIO
from typing import Literal

import msgspec

from domain.errors import ExitCode, UserError
from runtime.actor import Actor, ActorContext
from runtime.async_loop import AsyncLoop
from runtime.blocking_loop import BlockingLoop
from runtime.clock import system_clock
from runtime.config import Config, read_config
from runtime.environment import ActorEnvironment
from runtime.heartbeats import HeartbeatWriter
from runtime.host import Host
from runtime.last_words import opened, stacks_path
from runtime.logs import Logger, open_log, say_to_stderr
from runtime.parent import die_with
from runtime.priority import open_group, take_priority
from runtime.secrecy import keep_private
from runtime.standby import park
from runtime.topology import RECORDER, STRATEGY, kind_of, spec_of


def run_actor(
    kind: str,
    build: Callable[[ActorContext], Actor],
    *,
    loop: Literal["blocking", "async"],
    prepare: Callable[[Config], None] | None = None,
) -> None:
    """Run an actor in this process until it is told to end, then exit with its code. Does not return.

    Args:
        prepare: what a standby does before it is called, beside what importing the actor has done.
    """
    if kind == STRATEGY:
        os.environ.setdefault("RINGMAKER_JIT", "1")
    told = ActorEnvironment.read(os.environ)
    group = open_group()
    keep_private(holds_keys=spec_of(told.actor).needs_keys)
    if told.standby_fd >= 0:
        die_with(told.supervisor_pid, signal.SIGKILL)
        if prepare is not None:
            prepare(read_config(told.config_file))
        gc.collect()
        told = msgspec.structs.replace(told, epoch=park(told.standby_fd))
    die_with(told.supervisor_pid, spec_of(told.actor).orphan_signal)
    stacks = opened(stacks_path(told.artifacts_dir, told.actor))  # for as long as the process lives
    faulthandler.enable(stacks)
    faulthandler.register(signal.SIGUSR2, stacks)
    config = read_config(told.config_file)
    log = open_log(told.actor, told.artifacts_dir / "logs" / f"{told.actor}.log", config.runtime.log_level)
    sys.exit(_run(told, config, log, group, build, loop))


def _run(
    told: ActorEnvironment,
    config: Config,
    log: Logger,
    group: FileIO | None,
    build: Callable[[ActorContext], Actor],
    loop: Literal["blocking", "async"],
) -> int:
    clock = system_clock(os.environ)
    try:
        ctx = ActorContext(told, config, clock, log)
        if config.runtime.nice and kind_of(ctx.name) != RECORDER:
            take_priority(config.runtime.nice, log, group)
        heartbeat = HeartbeatWriter(
            ctx.table_writer(f"heartbeats.{ctx.name}"), epoch=told.epoch, core=told.core, now_ns=clock.monotonic_ns()
        )
        host = Host(ctx, heartbeat)
        log.info("started", epoch=told.epoch, core=told.core, pid=os.getpid())
        runner = AsyncLoop(host, build) if loop == "async" else BlockingLoop(host, build)
        runner.run()
        log.info("ended")
        return ExitCode.CLEAN
    except UserError as error:
        log.error("cannot go on", reason=str(error), exit_code=int(error.exit_code))
        say_to_stderr(f"{told.actor}: {error}")
        return error.exit_code
    except Exception as error:
        log.exception("crashed")
        say_to_stderr(f"{told.actor}: crashed: {type(error).__name__}: {error}")
        return ExitCode.CRASH
