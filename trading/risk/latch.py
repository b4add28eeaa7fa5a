"""What risk must not forget: causes, the day's first equity, the peak, limits set by hand. One JSON file.

Latched causes outlive the session. So does, of the same account, what cools down and what it made since midnight UTC.
Everything else belongs to one run (peak, baseline, limits set while it ran) and is not taken over by another.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from domain.errors import UserError
from trading.risk.drawdown import Drawdown
from trading.risk.exits import Trail
from trading.risk.states import Cause, Latched
from trading.risk.waiting import Waiting

FILE_NAME = "risk.json"
KILL_FILE_NAME = "kill.json"


class Opening(msgspec.Struct, frozen=True):
    """Holdings of one instrument when the run began, the mark that they are valued from, funding not yet booked.

    Attributes:
        seen_ns: when that funding was seen, by the venue's clock; 0 = not known, when the run began.
    """

    position: Decimal
    price: Decimal
    unrealised_funding: Decimal = Decimal(0)
    seen_ns: int = 0


class RiskMemory(msgspec.Struct, kw_only=True):
    """The content of the file.

    Attributes:
        run: id of the run that wrote it (the name of its folder under runs/).
        day: days since 1970 (UTC) of `day_start_equity`; -1 = none yet.
        day_start_equity: profit and loss of the run when the day began, less what earlier runs of the day made; quote
            currency.
        equity: newest profit and loss of the run.
        account: which account it was; a local exchange's is empty, for it is new with each run.
        equity_peak: highest profit and loss of the run.
        openings: holdings when the run began, by instrument.
        since_ns: when it began by the venue's clock, Unix ns; 0 = not known.
        limits: values set while running, by name.
        latched: causes that only an operator ends.
        waiting: cool-downs and recoveries that have begun.
        boot: which start of the machine their monotonic times are of.
        trails: best results of open positions, for trailing stops, by instrument.
        forgiven: venue's time of the last trade that a losing streak was counted from, by instrument.
    """

    run: str = ""
    day: int = -1
    day_start_equity: float = 0.0
    equity: float = 0.0
    account: str = ""
    equity_peak: float = 0.0
    openings: dict[str, Opening] = {}
    since_ns: int = 0
    limits: dict[str, float] = {}
    latched: list[Latched] = []
    waiting: list[Waiting] = []
    boot: str = ""
    trails: dict[str, Trail] = {}
    forgiven: dict[str, int] = {}

    def drawdown(self) -> Drawdown:
        """Return the figures of the equity, to go on from."""
        return Drawdown(
            peak=self.equity_peak, day=self.day, day_start_equity=self.day_start_equity, known_equity=self.equity
        )

    def for_run(self, run: str, account: str) -> RiskMemory:
        """Return what a run of this id may take over: all of it, or of another run's what is latched, and, if it was
        the same account, what the day has made so far and what cools down or recovers."""
        if self.run == run:
            return self
        mine = RiskMemory(run=run, account=account, latched=self.latched)
        if account and account == self.account:
            mine.day, mine.day_start_equity = self.day, self.day_start_equity - self.equity
            mine.waiting, mine.boot = self.waiting, self.boot
        return mine


class KillMark(msgspec.Struct, frozen=True):
    """What the kill one-shot leaves for risk: it may be the only process alive."""

    realtime_ns: int
    text: str = "the kill command cancelled everything"


def load_memory(state_dir: Path) -> RiskMemory:
    """Return what was saved; an empty memory when nothing was.

    Raises:
        UserError: if the file is there and cannot be read: a latch may stand in it, so nobody may go on.
    """
    path = state_dir / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=RiskMemory)
    except FileNotFoundError:
        return RiskMemory()
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(
            f"{path}: cannot be read ({error}); it may hold a halt. Look at it, then delete it to start unlatched"
        ) from None


def memory_bytes(memory: RiskMemory) -> bytes:
    """Return the file's content; whoever writes it replaces the file whole or not at all."""
    return msgspec.json.format(msgspec.json.encode(memory))


def kill_mark_bytes(mark: KillMark) -> bytes:
    """Return the content of the file that has risk, whenever it looks or starts next, halt until a resume."""
    return msgspec.json.encode(mark)


def take_kill_mark(state_dir: Path) -> Latched | None:
    """Return the mark of a kill as a latched cause; None when there is none. An unreadable mark counts too."""
    path = state_dir / KILL_FILE_NAME
    try:
        mark = msgspec.json.decode(path.read_bytes(), type=KillMark)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        mark = KillMark(0)
    return Latched(Cause.KILLED, mark.text, mark.realtime_ns)


def clear_kill_mark(state_dir: Path) -> None:
    """Forget the mark: the operator resumed."""
    (state_dir / KILL_FILE_NAME).unlink(missing_ok=True)
