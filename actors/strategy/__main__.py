"""`python -m actors.strategy`: the actor's process, started by the supervisor."""

from __future__ import annotations

from actors.strategy.actor import StrategyActor
from runtime.process import run_actor

if __name__ == "__main__":
    run_actor("strategy", StrategyActor, loop="blocking")
