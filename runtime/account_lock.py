"""One account is one session: risk's last resort cancels every order of the account, whoever placed it.

The lock is a flock on a file of this user and machine. The actors that hold keys inherit it, so it also outlives a
killed supervisor for as long as risk still makes sure that nothing of the old session is open.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from domain.errors import UserError
from runtime.parent import is_alive

ORPHANS_S = 15.0  # longer than the orphaned risk of a killed supervisor stays
POLL_S = 0.05


class _Holder(msgspec.Struct):
    session: str
    pid: int


class AccountLock:
    """Held from construction to `release`, and by every process that inherits `fd`.

    Args:
        folder: where the locks of this user's sessions are.
        account: the venue's address and the account or key; only its hash is written.
        on_wait: told once what is waited for.

    Raises:
        UserError: another session trades the account.
    """

    def __init__(
        self,
        folder: Path,
        account: str,
        session: str,
        *,
        orphans_s: float = ORPHANS_S,
        on_wait: Callable[[str], None] = lambda _text: None,
    ) -> None:
        path = folder / f"account-{hashlib.sha256(account.encode()).hexdigest()[:16]}.lock"
        # The file stays for good: unlinking it would let two holders lock two files of one name.
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        has_told = False
        deadline_s = time.monotonic() + orphans_s
        while not self._try_lock():
            holder = self._holder()
            if is_alive(holder.pid) or time.monotonic() > deadline_s:
                os.close(self.fd)
                raise UserError(
                    f"the account is traded by session {holder.session} already (supervisor pid {holder.pid}): one "
                    "account is one session, for a kill cancels all its orders; stop that one, or use another account"
                )
            if not has_told:
                has_told = True
                on_wait(f"waiting for risk of a killed session ({holder.session}) to see that nothing of it is open")
            time.sleep(POLL_S)
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, msgspec.json.encode(_Holder(session, os.getpid())), 0)

    def release(self) -> None:
        """Give it up, once no process that inherited it lives."""
        os.close(self.fd)

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _holder(self) -> _Holder:
        try:
            return msgspec.json.decode(os.pread(self.fd, 4096, 0), type=_Holder)
        except msgspec.DecodeError:
            return _Holder("unknown", 0)
