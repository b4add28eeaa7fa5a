"""A line of profit and loss for the audit trail, from what risk and execution show in shared memory."""

from __future__ import annotations

import json
import math
from typing import Any

from domain.codes import RiskReason
from domain.order import TradingState
from domain.records import ACCOUNT, RISK
from runtime.actor import ActorContext
from shm.record import load_row

_MONEY = (
    "equity", "equity_peak", "realised_pnl", "unrealised_pnl", "fees", "funding", "gross_notional", "net_notional",
)  # fmt: skip


class ProfitReader:
    """Reads the account as it is shown now."""

    def __init__(self, ctx: ActorContext) -> None:
        self._names = ctx.instrument_names
        self._clock = ctx.clock
        self._risk = ctx.table_reader("risk")
        self._accounts = ctx.table_reader("accounts")

    def read(self) -> dict[str, Any] | None:
        """Return a row of the table `pnl`; None while risk has shown nothing."""
        if not load_row(self._risk, 0):
            return None
        ints, floats = self._risk.ints, self._risk.floats
        money = {name: _number(floats[RISK.word(name)]) for name in _MONEY}
        return {
            "time_ns": self._clock.realtime_ns(),
            **money,
            "state": TradingState(ints[RISK.word("state")]).name.lower(),
            "reason": RiskReason(ints[RISK.word("reason")]).name.lower(),
            "positions_lots": json.dumps(self._positions()),
        }

    def _positions(self) -> dict[str, int]:
        """Return the position of each instrument that the venue has confirmed, lots."""
        found = {}
        for row, name in enumerate(self._names):
            if load_row(self._accounts, row) and self._accounts.ints[ACCOUNT.word("is_known")]:
                found[name] = self._accounts.ints[ACCOUNT.word("position_lots")]
        return found


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
