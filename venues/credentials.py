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
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

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
IAT_AHEAD_MS_MAX = 25_000  # the venue refuses tokens more than 30 s away from its clock
LOCK_WAIT_S_MAX = 3.0  # a stopped process may hold the lock; then logging in comes first

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


def read_credentials(config: VenueConfig, environ: Mapping[str, str]) -> Credentials:
    """Return the key for the configured venue.

    The local exchange's key stands in the JSON file that RINGMAKER_VENUE_KEY_FILE names; other venues' keys
    in the environment.

    Raises:
        CredentialsError: when a part is missing or is no RSA key; the text says what to do.
    """
    key_file = environ.get(KEY_FILE_VARIABLE, "")
    if config.kind == "local" and key_file:
        return read_key_file(Path(key_file))
    missing = [name for name in (KEY_ID_VARIABLE, PRIVATE_KEY_VARIABLE) if not _unquote(environ.get(name, ""))]
    if missing:
        raise CredentialsError(f"no API key for venue {config.kind!r}: {' and '.join(missing)} not set", ADVICE)
    pem = _pem_text(_unquote(environ[PRIVATE_KEY_VARIABLE]), PRIVATE_KEY_VARIABLE)
    return Credentials(_unquote(environ[KEY_ID_VARIABLE]), pem)


def read_key_file(path: Path) -> Credentials:
    """Return the key in a JSON file `{"key_id": ..., "private_key": PEM}`, as the local exchange writes it."""
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_KeyFile)
    except (OSError, msgspec.DecodeError) as error:
        raise CredentialsError(
            f"key file {path}: {error}; expected JSON with key_id and private_key; restart the exchange"
        ) from error
    return Credentials(content.key_id, _pem_text(content.private_key, str(path)))


def _unquote(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


def _pem_text(value: str, where: str) -> str:
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
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise CredentialsError(f"{where} holds no usable private key ({type(error).__name__})", ADVICE) from None
    if not isinstance(key, RSAPrivateKey):
        raise CredentialsError(f"{where} holds a key that is not RSA: the venue signs with RS512", ADVICE)
    return text


class TokenSigner:
    """Signs login tokens whose `iat` only grows, over all processes that share `state_dir`."""

    def __init__(self, credentials: Credentials, state_dir: Path, clock: Clock) -> None:
        digest = hashlib.sha256(credentials.key_id.encode()).hexdigest()[:16]
        self._path = state_dir / f"token-iat-{digest}"
        self._key_id = credentials.key_id
        self._clock = clock
        key = load_pem_private_key(credentials.private_key.encode(), password=None)
        assert isinstance(key, RSAPrivateKey), "read_credentials lets only RSA keys pass"
        self._key = key

    def token(self) -> str:
        """Return a new token. Use `login_token` when other processes may log in at the same moment."""
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            return self._next_token(descriptor)
        finally:
            os.close(descriptor)

    @asynccontextmanager
    async def login_token(self) -> AsyncIterator[str]:
        """Yield a new token and keep other processes of this key waiting until the block ends.

        After LOCK_WAIT_S_MAX the token is made without the lock: a stopped process must not keep us out.
        """
        descriptor = self._open()
        try:
            await _lock(descriptor)
            yield self._next_token(descriptor)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _next_token(self, descriptor: int) -> str:
        text = os.pread(descriptor, 32, 0).strip()
        last_ms = int(text) if text.isdigit() else 0
        now_ms = self._clock.realtime_ns() // NS_PER_MS
        # A last value from a clock that ran far ahead was never accepted, and would lock us out for ever.
        iat_ms = now_ms if last_ms > now_ms + IAT_AHEAD_MS_MAX else max(now_ms, last_ms + 1)
        os.pwrite(descriptor, b"%-20d\n" % iat_ms, 0)
        return jwt.encode({"iat": iat_ms / 1000}, self._key, algorithm="RS512", headers={"kid": self._key_id})


async def _lock(descriptor: int) -> bool:
    """Take the lock without blocking the event loop; return False when it stayed taken."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOCK_WAIT_S_MAX
    while loop.time() < deadline:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(0.01)
        else:
            return True
    return False
