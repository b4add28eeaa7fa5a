"""`python -m actors.strategy`: the actor's process, started by the supervisor."""

from __future__ import annotations

from actors.strategy.actor import StrategyActor
from runtime.config import Config
from runtime.process import run_actor


def prepare(config: Config) -> None:
    """Load the kernels of every instrument, the user's own too: most of a start is that."""
    # Imported here because run_actor decides whether kernels are compiled, and this module is loaded before.
    from actors.strategy import opening

    opening.warm(config)


if __name__ == "__main__":
    run_actor("strategy", StrategyActor, loop="blocking", prepare=prepare)
