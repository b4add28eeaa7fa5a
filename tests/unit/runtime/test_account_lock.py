"""One account is one session, on this machine and for this user."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from domain.errors import UserError
from runtime.account_lock import AccountLock

ACCOUNT = "wss://venue K1"


def test_a_second_session_of_an_account_is_refused_by_name_and_others_are_not(tmp_path: Path) -> None:
    first = AccountLock(tmp_path, ACCOUNT, "one")
    with pytest.raises(UserError, match="traded by session one already"):
        AccountLock(tmp_path, ACCOUNT, "two")
    AccountLock(tmp_path, "wss://venue K2", "two").release()
    first.release()
    AccountLock(tmp_path, ACCOUNT, "two").release()


def test_a_new_session_waits_for_what_a_killed_supervisor_left(tmp_path: Path) -> None:
    # Given a process that inherited the lock of a supervisor that lives no more
    lock = AccountLock(tmp_path, ACCOUNT, "one")
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1.0)"], pass_fds=(lock.fd,))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({"session": "one", "pid": dead.pid}))
    lock.release()
    # If the next session starts, I expect it to have the account once that process has ended, not before
    started_s = time.monotonic()
    second = AccountLock(tmp_path, ACCOUNT, "one", orphans_s=20.0)
    print(f"waited {time.monotonic() - started_s:.2f} s")
    assert orphan.wait(1.0) == 0
    second.release()


def test_the_wait_for_orphans_is_bounded(tmp_path: Path) -> None:
    lock = AccountLock(tmp_path, ACCOUNT, "one")
    (path,) = tmp_path.iterdir()
    path.write_text("")
    with pytest.raises(UserError, match="traded by session unknown"):
        AccountLock(tmp_path, ACCOUNT, "two", orphans_s=0.1)
    lock.release()
