"""Keeps what the books of the run add up to, for the next life of risk: now and then, never on the work loop.

Two files in the run's folder: fingerprints of all trades that were booked, which are appended and synced first, and
the sums, which replace the file before whole or not at all and say how many of the fingerprints count. Whatever kills
the process, and wherever: there is what was kept last, or nothing to go on from.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from domain.clock import NS_PER_S
from domain.reports import PositionReport
from runtime.actor import ActorContext
from runtime.paths import write_atomically
from runtime.sealed_fills import FillsFile, SealedFills
from trading.fill_keys import FINGERPRINT_BYTES, FillKeys, bytes_of
from trading.risk.account import AccountState, RunAccount
from trading.risk.kept_account import FILE_NAME, Basis, KeptAccount, kept_bytes, read_kept, why_not

KEEP_INTERVAL_NS = 60 * NS_PER_S


class Resumable(NamedTuple):
    """What an account may go on from: `RunAccount.resume` takes state and counted trades."""

    state: AccountState
    counted: FillKeys
    history_from_ns: int


class BooksKeeper:
    """Writes the two files, and reads what an earlier process of the run left in them.

    Args:
        account: which account it is, as in `RiskMemory`.
    """

    def __init__(self, ctx: ActorContext, account: str) -> None:
        self._ctx = ctx
        self._account = account
        self._path = ctx.run_dir / FILE_NAME
        self._fills = FillsFile(self._path)
        self._is_given_up = False  # what an earlier process left
        self._is_distrusted = False  # what this one has
        self._is_doubted = False  # until the positions agree with it
        self._doubtful: dict[str, Decimal] | None = None  # differences at the last look since the doubt
        self._is_saving = self._has_failed = False
        self._saved: tuple[AccountState, int] | None = None
        self._differences: dict[str, Decimal] | None = None  # at the last look; None = there was none
        self._due_ns = 0

    def basis(self, account: RunAccount, since_ns: int) -> Basis:
        """Return what the sums of an account stand on."""
        return Basis(
            run=self._ctx.run_dir.name,
            account=self._account,
            since_ns=since_ns,
            openings=account.openings,
            multipliers=account.multipliers,
        )

    # ---- the next life -------------------------------------------------------------------------------

    async def load(self, account: RunAccount, since_ns: int) -> Resumable | None:
        """Return what an account that has booked nothing may go on from; None when there is nothing."""
        if self._is_given_up:
            return None
        forgiven = {name: trip.forgiven_ns for name, trip in account.trips.items()}
        try:
            return await asyncio.to_thread(self._load, self.basis(account, since_ns), forgiven)
        except FileNotFoundError:
            await self.give_up("")
        except (OSError, ValueError) as error:
            await self.give_up(str(error))
        finally:
            await self.open()
        return None

    async def open(self) -> None:
        """Open what this life will write to, at its start: a process holds as many files after a day as at first."""
        with contextlib.suppress(OSError):  # tried again when there is something to write
            await asyncio.to_thread(self._fills.open)

    async def give_up(self, reason: str) -> None:
        """Go on from nothing, whatever was kept; an empty reason: there was nothing."""
        self._is_given_up = True
        self._fills.sealed = SealedFills()
        if reason:
            self._ctx.log.warning(
                "all trades of the run are read anew: what risk kept of them does not count",
                path=str(self._path), reason=reason,
            )  # fmt: skip
            await asyncio.to_thread(self._remove)

    def _load(self, basis: Basis, forgiven: dict[str, int]) -> Resumable:
        kept = read_kept(self._path.read_bytes())
        if reason := why_not(kept, basis, forgiven):
            raise ValueError(reason)
        content = self._fills.load(SealedFills(kept.sealed_bytes, kept.sealed_checksum))
        if content is None:
            raise ValueError("the fingerprints beside it are not those that it counts")
        counted = FillKeys()
        counted.update(content)
        if len(counted) != kept.state.ledger.fills:
            raise ValueError(f"it counts {kept.state.ledger.fills} trades, the fingerprints beside it {len(counted)}")
        return Resumable(kept.state, counted, kept.history_from_ns)

    # ---- this life -----------------------------------------------------------------------------------

    def save_when_due(
        self,
        account: RunAccount,
        positions: Mapping[str, PositionReport],
        since_ns: int,
        history_from_ns: int,
        now_ns: int,
    ) -> None:
        """Write down in the background what the account has added up, if it is time and there is news.

        Args:
            positions: as the venue showed them last. What differs from them all the time is not worth keeping: nobody
                would go on from it. Trades that are told later than they move the position make it differ for moments.
            history_from_ns: the venue's clock: older trades are booked.
        """
        if self._is_saving or self._is_distrusted or self._is_doubted or now_ns < self._due_ns or not since_ns:
            return
        before, self._differences = self._differences, account.differences(positions)
        if self._differences and before in (None, self._differences):
            return
        self._due_ns = now_ns + KEEP_INTERVAL_NS
        state = account.state
        if (state, history_from_ns) == self._saved:
            return
        fills = self._fills.sealed.size_bytes // FINGERPRINT_BYTES + len(account.unsealed)
        assert fills == state.ledger.fills, f"{fills} fingerprints of {state.ledger.fills} trades"
        kept = KeptAccount(basis=self.basis(account, since_ns), history_from_ns=history_from_ns, state=state)
        self._is_saving = True
        self._ctx.spawn(self._save(account, kept, bytes_of(account.unsealed)), "books")

    def distrust(self) -> None:
        """The venue contradicts what was booked: the next life is to read everything."""
        self._is_distrusted = True
        self._remove()

    def doubt(self) -> None:
        """A trade that may be of the run cannot be read: nothing more is kept until the positions agree without it."""
        self._is_doubted = True
        self._doubtful = None

    def look(self, account: RunAccount, positions: Mapping[str, PositionReport]) -> None:
        """End a doubt when the positions, asked for after it began, are what the trades add up to.

        While they are not, and by the same at two looks, there is nothing to go on from: every life reads all trades.
        """
        if not self._is_doubted:
            return
        before, self._doubtful = self._doubtful, account.differences(positions)
        if not self._doubtful:
            self._is_doubted = False
        elif self._doubtful == before:
            self._saved = None
            self._remove()

    async def _save(self, account: RunAccount, kept: KeptAccount, fingerprints: bytes) -> None:
        """Write what was taken in one step with the sums: until this begins another trade may be booked."""
        try:
            sealed = await asyncio.to_thread(self._write, kept, fingerprints)
        except OSError as error:
            if not self._has_failed:
                self._ctx.log.error(
                    "risk could not keep what the run adds up to: a restart of it takes longer until it can",
                    path=str(self._path), reason=str(error),
                )  # fmt: skip
            self._has_failed = True
            return
        finally:
            self._is_saving = False
        self._has_failed = False
        self._fills.sealed = sealed
        del account.unsealed[: len(fingerprints) // FINGERPRINT_BYTES]
        self._saved = (kept.state, kept.history_from_ns)
        if self._is_distrusted:
            self._remove()

    def _write(self, kept: KeptAccount, fingerprints: bytes) -> SealedFills:
        sealed = self._fills.append(fingerprints)
        self._fills.sync()
        whole = msgspec.structs.replace(kept, sealed_bytes=sealed.size_bytes, sealed_checksum=sealed.checksum)
        write_atomically(self._path, kept_bytes(whole))
        return sealed

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
