"""What risk keeps of a run's sums is read again to the last digit, or refused with a reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.order import LiquiditySide, Side
from domain.reports import TradeReport
from trading.fill_keys import FINGERPRINT_BYTES
from trading.risk.account import RunAccount
from trading.risk.kept_account import Basis, KeptAccount, kept_bytes, read_kept, why_not
from trading.risk.latch import Opening

NAME = "BTC-PERPETUAL"
SINCE_NS = 1_000
BASIS = Basis(
    run="run", account="", since_ns=SINCE_NS,
    openings={NAME: Opening(Decimal("0.3"), Decimal("99.5"))}, multipliers={NAME: Decimal(1)},
)  # fmt: skip


def an_account(trades: int = 5) -> RunAccount:
    """Return an account with averages that no short decimal is equal to, and a streak of losses."""
    account = RunAccount({}, BASIS.openings)
    account.on_trades(
        TradeReport(
            f"t{number}", "o", 0, NAME, Side.SELL if number % 3 else Side.BUY, Decimal(100 + 7 * number) / 3,
            Decimal("0.7"), Decimal("0.0123456789012345678"), Decimal(0), Decimal(0), Decimal("-1E-9"),
            LiquiditySide.MAKER, "", SINCE_NS + number,
        )
        for number in range(1, trades + 1)
    )  # fmt: skip
    return account


def kept(account: RunAccount, **changed: Any) -> KeptAccount:
    size_bytes = account.state.ledger.fills * FINGERPRINT_BYTES
    whole = KeptAccount(
        basis=BASIS, history_from_ns=SINCE_NS, state=account.state, sealed_bytes=size_bytes, sealed_checksum=7
    )
    return msgspec.structs.replace(whole, **changed)


def test_what_is_read_is_what_was_written_to_the_last_digit() -> None:
    whole = kept(an_account())
    found = read_kept(kept_bytes(whole))
    assert found == whole
    assert str(found.state) == str(whole.state)  # zeros behind the point, too
    assert why_not(found, BASIS, {}) == ""


def test_a_file_that_is_cut_or_has_a_flipped_bit_is_refused() -> None:
    content = kept_bytes(kept(an_account()))
    for place in range(len(content)):
        with pytest.raises(ValueError):
            read_kept(content[:place])
        with pytest.raises(ValueError):
            read_kept(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
    with pytest.raises(ValueError):
        read_kept(content + b"\n")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("run", "another"),
        ("account", "thalex wss://another"),
        ("since_ns", SINCE_NS + 1),
        ("openings", {NAME: Opening(Decimal("0.3"), Decimal("99.6"))}),
        ("openings", {**BASIS.openings, "ETH-PERPETUAL": Opening(Decimal(0), Decimal(0))}),
        ("multipliers", {NAME: Decimal("0.1")}),
    ],
)
def test_on_another_basis_nobody_goes_on(field: str, value: Any) -> None:
    reason = why_not(kept(an_account()), msgspec.structs.replace(BASIS, **{field: value}), {})
    assert f"another {field}" in reason


def test_sums_that_contradict_themselves_are_refused() -> None:
    account = an_account()
    unknown = msgspec.structs.replace(BASIS, since_ns=0)
    assert why_not(kept(account, basis=unknown, history_from_ns=0), unknown, {})
    assert why_not(kept(account, history_from_ns=SINCE_NS - 1), BASIS, {})
    assert why_not(kept(account, sealed_bytes=FINGERPRINT_BYTES), BASIS, {})
    assert why_not(kept(account, state=account.state._replace(trips={})), BASIS, {})


def test_losses_count_no_more_once_forgiven_and_are_never_forgiven_without_their_consequence() -> None:
    # Given a streak of losses in the sums
    account, successor = an_account(), RunAccount({}, BASIS.openings, {NAME: SINCE_NS + 5})
    account.trips[NAME].losses = 3
    whole = kept(account)
    # If it had its consequence after they were written, I expect none of them to count
    assert why_not(whole, BASIS, {NAME: SINCE_NS + 5}) == ""
    assert successor.trips[NAME].losses == 0
    trip = successor.trips[NAME]
    trip.resume(whole.state.trips[NAME])
    assert (trip.losses, trip.forgiven_ns) == (0, SINCE_NS + 5)
    assert trip.position == account.trips[NAME].position
    # If the sums say that it had, and risk's memory does not, I expect them to be refused
    account.trips[NAME].forgive()
    assert "forgiven" in why_not(kept(account), BASIS, {})
    # ... and also when losses before and after a consequence are one number in them
    assert "forgiven" in why_not(whole, BASIS, {NAME: SINCE_NS + 4})
