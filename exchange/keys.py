"""The API key of the local exchange: made at the first start, kept in a private file.

The file is JSON with mode 0600::

    {"key_id": "K000000001", "private_key": "-----BEGIN PRIVATE KEY-----...", "account_number": "A000000001"}

`private_key` is an RSA key of 2048 bits as PKCS8 PEM. Clients sign their login tokens with it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from exchange.failure import StartError

ACCOUNT_NUMBER = "A000000001"
KEY_BITS = 2048


class KeyFile(msgspec.Struct, frozen=True):
    key_id: str
    private_key: str
    account_number: str = ACCOUNT_NUMBER


@dataclass(frozen=True, slots=True)
class ApiKey:
    key_id: str
    account_number: str
    public_key: rsa.RSAPublicKey
    path: Path


def load_or_make_keys(path: Path, count: int) -> list[ApiKey]:
    """Return the keys of `count` accounts: the first in `path`, the others beside it as NAME-2.json and so on.

    Raises:
        StartError: as for a single key, or when two files hold the same key or account.
    """
    paths = [path, *(path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(2, count + 1))]
    keys = [load_or_make_key(each, number) for number, each in enumerate(paths, 1)]
    if len({key.key_id for key in keys}) < count or len({key.account_number for key in keys}) < count:
        raise StartError(f"{path}: two key files hold the same key or account; delete one, and a new one is made")
    return keys


def load_or_make_key(path: Path, number: int = 1) -> ApiKey:
    """Return the key in `path`, made for account `number` and written there when the file does not exist.

    Raises:
        StartError: when the file is there but holds no key, or can't be written.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return _make_key(path, number)
    except OSError as error:
        raise StartError(f"{path}: can't read the key file ({error.strerror}); name another with --key-file") from None
    return _parse_key(path, data)


def _parse_key(path: Path, data: bytes) -> ApiKey:
    remedy = "delete it, and a new one is made"
    try:
        content = msgspec.json.decode(data, type=KeyFile)
        private_key = serialization.load_pem_private_key(content.private_key.encode(), password=None)
    except (msgspec.DecodeError, ValueError, TypeError, UnsupportedAlgorithm):
        raise StartError(f"{path}: expected JSON with key_id and an RSA private_key in PEM; {remedy}") from None
    if not isinstance(private_key, rsa.RSAPrivateKey):
        raise StartError(f"{path}: expected an RSA key, found {type(private_key).__name__}; {remedy}")
    return ApiKey(content.key_id, content.account_number, private_key.public_key(), path)


def _make_key(path: Path, number: int) -> ApiKey:
    key_id, account_number = f"K{number:09d}", f"A{number:09d}"
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    data = msgspec.json.encode(KeyFile(key_id, pem.decode(), account_number))
    try:
        write_private(path, data)
    except OSError as error:
        raise StartError(f"{path}: can't write the key file ({error.strerror}); name another with --key-file") from None
    return ApiKey(key_id, account_number, private_key.public_key(), path)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, at once or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
