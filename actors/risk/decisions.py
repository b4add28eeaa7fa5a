"""What risk decided and on which numbers, a JSON line each: runs/<id>/risk_decisions.jsonl.

It goes on in a new file at 64 MB; the four before it are kept (runtime/continued.py).
"""

from __future__ import annotations

import msgspec

from runtime import continued
from runtime.actor import ActorContext
from runtime.line_file import LineFile

FILE_NAME = "risk_decisions.jsonl"


class DecisionLog:
    """Appends decisions as they are made. Risk goes on without a disk: then it says so in its log."""

    def __init__(self, ctx: ActorContext) -> None:
        self._ctx = ctx
        self._path = ctx.run_dir / FILE_NAME
        self._file = LineFile(
            self._path, bytes_max=continued.FILE_BYTES_MAX, kept=continued.FILES_KEPT, is_followed=True
        )

    def write(self, decision: str, text: str, **numbers: object) -> None:
        """Append one decision: what was done, why in words, and the numbers it was based on.

        A number that is not finite is written as null.
        """
        line = {"realtime_ns": self._ctx.clock.realtime_ns(), "decision": decision, "text": text, **numbers}
        was_in_trouble = bool(self._file.trouble)
        if not self._file.append(msgspec.json.encode(line) + b"\n") and not was_in_trouble:
            self._ctx.log.error("decisions cannot be written", path=str(self._path), reason=self._file.trouble)
