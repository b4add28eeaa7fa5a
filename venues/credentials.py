"""API keys and the tokens made from them.

A token is a JWT signed with RS512. The venue wants each token on a key to carry a strictly later `iat` than
any before it, and several of our processes share a key: the last `iat` is kept in a file under a lock, and
the lock is held until the venue has answered the login, so that tokens also arrive in order.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from domain.clock import NS_PER_MS, Clock
from domain.errors import CredentialsError
from venues.config import VenueConfig

KEY_ID_VARIABLE = "THALEX_TEST_API_KEY_ID"
PRIVATE_KEY_VARIABLE = "THALEX_TEST_PRIVATE_KEY"
KEY_FILE_VARIABLE = "RINGMAKER_VENUE_KEY_FILE"  # the local exchange writes it, the supervisor names it
WALL_OFF_MS_MAX = 10_000
_FILE = re.compile(r"(\d{1,16})(?: (\d{1,16}) (\d{1,16}) ([0-9a-f-]{36}))?(?: 0 0)?")
_FILE_BYTES = 96
IAT_AHEAD_MS_MAX = 25_000  # the venue refuses tokens more than 30 s away from its clock
LOCK_WAIT_S_MAX = 1.0  # a stopped process may hold the lock; then logging in comes first

ADVICE = (
    "1. create an API key in the venue's API settings (testnet.thalex.com for the testnet) and keep its private key",
    f"2. cp .env.example .env && chmod 600 .env, set {KEY_ID_VARIABLE} and {PRIVATE_KEY_VARIABLE} in it, try again",
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """One API key. The private key is left out of `repr`, so that no log ever shows it."""

    key_id: str
    private_key: str = field(repr=False)


class _KeyFile(msgspec.Struct):
    key_id: str
    private_key: str


def read_credentials(config: VenueConfig, environ: Mapping[str, str], *, is_checked: bool = False) -> Credentials:
    """Return the key for the configured venue.

    The local exchange's key stands in the JSON file that RINGMAKER_VENUE_KEY_FILE names; other venues' keys
    in the environment.

    Args:
        is_checked: the key's numbers were checked when the session began, or the venue may refuse them: it takes 50 ms.

    Raises:
        CredentialsError: when a part is missing or is no RSA key; the text says what to do.
    """
    key_file = environ.get(KEY_FILE_VARIABLE, "")
    if config.kind == "local" and key_file:
        return read_key_file(Path(key_file), is_checked=is_checked)
    missing = [name for name in (KEY_ID_VARIABLE, PRIVATE_KEY_VARIABLE) if not _unquote(environ.get(name, ""))]
    if missing:
        raise CredentialsError(f"no API key for venue {config.kind!r}: {' and '.join(missing)} not set", ADVICE)
    pem = _pem_text(_unquote(environ[PRIVATE_KEY_VARIABLE]), PRIVATE_KEY_VARIABLE, is_checked)
    return Credentials(_unquote(environ[KEY_ID_VARIABLE]), pem)


def read_key_file(path: Path, *, is_checked: bool = False) -> Credentials:
    """Return the key in a JSON file `{"key_id": ..., "private_key": PEM}`, as the local exchange writes it."""
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_KeyFile)
    except (OSError, msgspec.DecodeError) as error:
        raise CredentialsError(
            f"key file {path}: {error}; expected JSON with key_id and private_key; restart the exchange"
        ) from error
    return Credentials(content.key_id, _pem_text(content.private_key, str(path), is_checked))


def _unquote(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


def _pem_text(value: str, where: str, is_checked: bool) -> str:
    text = value.replace("\\n", "\n").replace("\r\n", "\n")
    if "-----BEGIN" not in text:
        path = Path(text).expanduser()
        try:
            text = path.read_text()
        except (OSError, ValueError, UnicodeError) as error:
            # The value may be a mangled key: never repeat it.
            reason = type(error).__name__
            raise CredentialsError(f"{where} is neither PEM text nor a readable PEM file ({reason})", ADVICE) from None
    try:
        key = load_pem_private_key(text.encode(), password=None, unsafe_skip_rsa_key_validation=is_checked)
    except (ValueError, TypeError) as error:
        raise CredentialsError(f"{where} holds no usable private key ({type(error).__name__})", ADVICE) from None
    if not isinstance(key, RSAPrivateKey):
        raise CredentialsError(f"{where} holds a key that is not RSA: the venue signs with RS512", ADVICE)
    return text


class _Issued(NamedTuple):
    """What the file of a key holds: the last `iat` that was issued, and the last one that the venue took.

    Attributes:
        boot_id: of the boot whose monotonic clock `accepted_monotonic_ms` is of; empty = none was taken.
    """

    last_ms: int = 0
    accepted_ms: int = 0
    accepted_monotonic_ms: int = 0
    boot_id: str = ""

    @classmethod
    def parsed(cls, text: str) -> _Issued:
        """Return what a file says; a damaged one says nothing."""
        match _FILE.fullmatch(text.strip()):
            case None:
                return cls()
            case found:
                return cls(int(found[1]), int(found[2] or 0), int(found[3] or 0), found[4] or "")

    def content(self) -> bytes:
        text = f"{self.last_ms} {self.accepted_ms} {self.accepted_monotonic_ms} {self.boot_id}".rstrip()
        return text.ljust(_FILE_BYTES - 1).encode() + b"\n"


class TokenSigner:
    """Signs login tokens whose `iat` only grows, over all processes that share `state_dir`.

    The time in a token is this machine's wall clock, as long as that agrees with what the venue took last, counted on
    by the monotonic clock: a wall clock that was set wrong must not lock us out. A disk that refuses the file, or no
    `state_dir`, leaves each process with what it remembers; the venue refuses a token that is not later, and the next
    try is.
    """

    def __init__(self, credentials: Credentials, state_dir: Path | None, clock: Clock) -> None:
        digest = hashlib.sha256(credentials.key_id.encode()).hexdigest()[:16]
        self._path = state_dir / f"token-iat-{digest}" if state_dir is not None else None
        self._key_id = credentials.key_id
        self._clock = clock
        self._boot_id = _boot_id()
        self._remembered = _Issued()
        # Validated when it was read; a second time would keep a kill waiting for 40 ms.
        pem = credentials.private_key.encode()
        key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
        assert isinstance(key, RSAPrivateKey), "read_credentials lets only RSA keys pass"
        self._key = key

    def token(self) -> str:
        """Return a new token. Use `login_token` when other processes may log in at the same moment."""
        with self._opened() as descriptor:
            if descriptor is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            return self._next_token(descriptor)

    @asynccontextmanager
    async def login_token(self, wait_s: float = LOCK_WAIT_S_MAX) -> AsyncIterator[str]:
        """Yield a new token and keep other processes of this key waiting until the block ends; the venue has taken it
        when the block ends without an exception.

        After `wait_s` the token is made without the lock: a stopped process must not keep us out.
        """
        with self._opened() as descriptor:
            if descriptor is not None:
                await _lock(descriptor, wait_s)
            token = self._next_token(descriptor)
            made_ms, made_monotonic_ms = self._remembered.last_ms, self._monotonic_ms()
            yield token
            issued = self._read(descriptor)
            self._write(descriptor, _Issued(max(issued.last_ms, made_ms), made_ms, made_monotonic_ms, self._boot_id))

    def refused(self) -> None:
        """The venue has refused a token: the next one goes by the wall clock, whatever was taken before."""
        with self._opened() as descriptor:
            self._write(descriptor, _Issued(self._read(descriptor).last_ms))

    # ---- inside ----------------------------------------------------------------------------------------

    def _next_token(self, descriptor: int | None) -> str:
        issued = self._read(descriptor)
        now_ms = self._now_ms(issued)
        # A last value from a clock that ran far ahead was never accepted, and would lock us out for ever.
        last_ms = issued.last_ms
        iat_ms = now_ms if last_ms > now_ms + IAT_AHEAD_MS_MAX else max(now_ms, last_ms + 1)
        self._write(descriptor, issued._replace(last_ms=iat_ms))
        return jwt.encode({"iat": iat_ms / 1000}, self._key, algorithm="RS512", headers={"kid": self._key_id})

    def _now_ms(self, issued: _Issued) -> int:
        wall_ms = self._clock.realtime_ns() // NS_PER_MS
        if not issued.boot_id or issued.boot_id != self._boot_id:
            return wall_ms
        by_venue_ms = issued.accepted_ms + self._monotonic_ms() - issued.accepted_monotonic_ms
        return wall_ms if abs(wall_ms - by_venue_ms) <= WALL_OFF_MS_MAX else by_venue_ms

    def _monotonic_ms(self) -> int:
        return self._clock.monotonic_ns() // NS_PER_MS

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        """Yield the file, None when there is none or the disk refuses it."""
        if self._path is None:
            yield None
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int | None) -> _Issued:
        issued = _Issued()
        if descriptor is not None:
            with suppress(OSError):
                issued = _Issued.parsed(os.pread(descriptor, 2 * _FILE_BYTES, 0).decode(errors="replace"))
        return issued if issued.last_ms >= self._remembered.last_ms else self._remembered

    def _write(self, descriptor: int | None, issued: _Issued) -> None:
        self._remembered = issued
        if descriptor is not None:
            with suppress(OSError):
                os.pwrite(descriptor, issued.content(), 0)


def _boot_id() -> str:
    """Return what names this boot: the monotonic clock counts from it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


async def _lock(descriptor: int, wait_s: float) -> bool:
    """Take the lock without blocking the event loop; return False when it stayed taken."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while loop.time() < deadline:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(0.01)
        else:
            return True
    return False
