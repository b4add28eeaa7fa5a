"""`python -m actors.market_data`: the actor's process, started by the supervisor."""

from __future__ import annotations

from actors.market_data.actor import MarketDataActor
from runtime.process import run_actor

if __name__ == "__main__":
    run_actor("market_data", MarketDataActor, loop="async")
