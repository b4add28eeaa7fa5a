"""Login tokens: a JWT signed with the key's private half, fresh, and later than any before it."""

from __future__ import annotations

from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from exchange.core.scheduler import NS_PER_S
from exchange.gateways.thalex.errors import ErrorCode, RequestError

ALGORITHMS = ["RS512", "RS384", "RS256"]
IAT_SKEW_S_MAX = 30.0


class Authenticator:
    """Knows the registered public keys, and the latest `iat` that each has used."""

    def __init__(self, skew_s_max: float = IAT_SKEW_S_MAX) -> None:
        self._skew_s_max = skew_s_max
        self._keys: dict[str, tuple[RSAPublicKey, str]] = {}
        self._last_iat: dict[str, float] = {}

    def register(self, key_id: str, public_key: RSAPublicKey, account_number: str) -> None:
        self._keys[key_id] = (public_key, account_number)

    def login(self, token: str, account_number: str | None, now_ns: int) -> tuple[str, str]:
        """Check a token and return (key id, account number).

        Raises:
            RequestError: code 19, with what is wrong; the token's content is not echoed.
        """
        key_id = self._key_id(token)
        public_key, own_account = self._keys[key_id]
        iat = self._verified_iat(token, public_key)
        self._check_fresh(key_id, iat, now_ns / NS_PER_S)
        if account_number is not None and account_number != own_account:
            raise _refused(f"key {key_id} has no access to account {account_number}")
        self._last_iat[key_id] = iat
        return key_id, own_account

    def _key_id(self, token: str) -> str:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            raise _refused("the token is not a JWT") from None
        if not isinstance(key_id, str) or key_id not in self._keys:
            raise _refused(f"unknown key id {key_id!r}")
        return key_id

    @staticmethod
    def _verified_iat(token: str, public_key: RSAPublicKey) -> float:
        try:
            # PyJWT refuses any iat in the future; the venue allows 30 s either way, checked by the caller.
            claims: dict[str, Any] = jwt.decode(
                token, public_key, algorithms=ALGORITHMS, options={"verify_iat": False, "verify_aud": False}
            )
        except jwt.PyJWTError as error:
            raise _refused(f"the signature does not verify ({type(error).__name__})") from None
        iat = claims.get("iat")
        if isinstance(iat, bool) or not isinstance(iat, int | float):
            raise _refused("the claim iat is missing or not a number")
        return float(iat)

    def _check_fresh(self, key_id: str, iat: float, now_s: float) -> None:
        if not abs(iat - now_s) <= self._skew_s_max:
            raise _refused(f"iat is {iat - now_s:+.1f} s off the server's time, at most {self._skew_s_max:.0f}")
        last = self._last_iat.get(key_id)
        if last is not None and iat <= last:
            raise _refused(f"iat {iat} is not later than {last}, used before with key {key_id}")


def _refused(detail: str) -> RequestError:
    return RequestError(ErrorCode.AUTHENTICATION_FAILED, f"authentication failed: {detail}")
