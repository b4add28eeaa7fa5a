"""`python -m actors.execution`: the actor's process, started by the supervisor."""

from __future__ import annotations

from actors.execution.actor import ExecutionActor
from runtime.process import run_actor

if __name__ == "__main__":
    run_actor("execution", ExecutionActor, loop="async")
