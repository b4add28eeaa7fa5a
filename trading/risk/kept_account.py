"""What the books of a run add up to, as risk keeps them for its next life: a small file with a checksum of its own.

Which trades these are stands in the file of fingerprints beside it, of which it says how much counts: written first,
so that there is never a sum of which the trades are not known. Whoever goes on from here does so on the same basis or
not at all: another run, account, start or size of a contract makes other sums.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from trading.fill_keys import FINGERPRINT_BYTES
from trading.risk.account import AccountState
from trading.risk.latch import Opening

FILE_NAME = "risk.account"
_HEADER = b"ringmaker risk account 1 "
_CHECKSUM_DIGITS = 8


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What the sums stand on.

    Attributes:
        run: its id.
        account: which it is, as in `RiskMemory`.
        since_ns: when the run began, by the venue's clock; 0 = not known, and nothing can stand on that.
        openings: holdings then, by instrument.
        multipliers: base units for one unit of size.
    """

    run: str
    account: str
    since_ns: int
    openings: dict[str, Opening]
    multipliers: dict[str, Decimal]


class KeptAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the file.

    Attributes:
        basis: what the sums stand on.
        history_from_ns: the venue's clock: older trades are booked.
        state: the sums.
        sealed_bytes, sealed_checksum: of the file with the fingerprints of the trades in them.
    """

    basis: Basis
    history_from_ns: int
    state: AccountState
    sealed_bytes: int = 0
    sealed_checksum: int = 0


def kept_bytes(kept: KeptAccount) -> bytes:
    """Return the file's content: a line with the checksum of all after it, then JSON."""
    content = msgspec.json.format(msgspec.json.encode(kept)) + b"\n"
    return _HEADER + b"%08x\n" % zlib.crc32(content) + content


def read_kept(content: bytes) -> KeptAccount:
    """Return what was kept; ValueError, which says why, when it is not whole."""
    header, _, rest = content.partition(b"\n")
    if not header.startswith(_HEADER) or len(header) != len(_HEADER) + _CHECKSUM_DIGITS:
        raise ValueError("it does not begin as this version writes it")
    if header.removeprefix(_HEADER) != b"%08x" % zlib.crc32(rest):
        raise ValueError("it is damaged: its checksum is wrong")
    try:
        return msgspec.json.decode(rest, type=KeptAccount)
    except msgspec.DecodeError as error:
        raise ValueError(f"it cannot be read: {error}") from None


def why_not(kept: KeptAccount, basis: Basis, forgiven: Mapping[str, int]) -> str:
    """Return why nobody on this basis may go on from what was kept; empty when it may.

    Args:
        forgiven: up to which time of the venue losing streaks have had their consequence, by instrument.
    """
    for field in Basis.__struct_fields__:
        was, now = getattr(kept.basis, field), getattr(basis, field)
        if was != now:
            return f"it is of another {field}: {was}, not {now}"
    names = set(basis.openings)
    if not basis.since_ns or set(kept.state.ledger.lines) != names or set(kept.state.trips) != names:
        return f"it knows {sorted(kept.state.ledger.lines)} since {kept.basis.since_ns}"
    if kept.history_from_ns < basis.since_ns or kept.sealed_bytes != kept.state.ledger.fills * FINGERPRINT_BYTES:
        return f"it counts {kept.state.ledger.fills} trades up to {kept.history_from_ns} in {kept.sealed_bytes} bytes"
    for name, trip in kept.state.trips.items():
        known_ns = forgiven.get(name, 0)
        # Later than what is remembered: the consequence was lost. Earlier, with trades after it: not to be split.
        if trip.forgiven_ns > known_ns or trip.forgiven_ns < known_ns < trip.last_trade_ns:
            return f"losses of {name} are forgiven up to {trip.forgiven_ns} in it, up to {known_ns} in risk's memory"
    return ""
