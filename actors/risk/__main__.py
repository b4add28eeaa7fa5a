"""`python -m actors.risk`: the actor's process, started by the supervisor."""

from __future__ import annotations

from actors.risk.actor import RiskActor
from runtime.process import run_actor

if __name__ == "__main__":
    run_actor("risk", RiskActor, loop="async")
