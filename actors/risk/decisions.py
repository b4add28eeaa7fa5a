"""What risk decided and on which numbers, a JSON line each: runs/<id>/risk_decisions.jsonl."""

from __future__ import annotations

import os

import msgspec

from domain.clock import NS_PER_S
from runtime.actor import ActorContext

FILE_NAME = "risk_decisions.jsonl"
_MODE = 0o600
RETRY_NS = 10 * NS_PER_S


class DecisionLog:
    """Appends decisions as they are made. Risk goes on without a disk: then it says so in its log, and tries again."""

    def __init__(self, ctx: ActorContext) -> None:
        self._ctx = ctx
        self._path = ctx.run_dir / FILE_NAME
        self._retry_ns = 0

    def write(self, decision: str, text: str, **numbers: object) -> None:
        """Append one decision: what was done, why in words, and the numbers it was based on.

        A number that is not finite is written as null.
        """
        now_ns = self._ctx.clock.monotonic_ns()
        if now_ns < self._retry_ns:
            return
        line = {"realtime_ns": self._ctx.clock.realtime_ns(), "decision": decision, "text": text, **numbers}
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
            try:
                os.write(handle, msgspec.json.encode(line) + b"\n")
            finally:
                os.close(handle)
        except OSError as error:
            self._retry_ns = now_ns + RETRY_NS
            self._ctx.log.error("decisions cannot be written", path=str(self._path), reason=str(error))
