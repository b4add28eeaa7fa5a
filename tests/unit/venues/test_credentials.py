from __future__ import annotations

import asyncio
import json
import multiprocessing
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from domain.clock import NS_PER_S, SimClock
from domain.errors import CredentialsError
from venues.config import VenueConfig
from venues.credentials import Credentials, TokenSigner, read_credentials

THALEX = VenueConfig(kind="thalex")
NOW_NS = 1_795_223_038 * NS_PER_S


def _environ(pem: str) -> dict[str, str]:
    return {"THALEX_TEST_API_KEY_ID": "K123456789", "THALEX_TEST_PRIVATE_KEY": pem}


def _issued_at(token: str, pem: str) -> float:
    public_key = load_pem_private_key(pem.encode(), password=None).public_key()
    assert jwt.get_unverified_header(token) == {"alg": "RS512", "kid": "K1", "typ": "JWT"}
    options = {"verify_iat": False}
    claims = jwt.decode(token, public_key, algorithms=["RS512"], options=options)  # type: ignore[arg-type]
    return float(claims["iat"])


def test_a_key_may_be_text_or_escaped_or_quoted_or_a_file(pem: str, tmp_path: Path):
    path = tmp_path / "key.pem"
    path.write_text(pem)
    escaped = pem.replace("\n", "\\n")
    for value in (pem, escaped, f'"{escaped}"', f"'{pem}'", str(path), f' "{path}" '):
        credentials = read_credentials(THALEX, _environ(value))
        assert credentials.key_id == "K123456789"
        assert credentials.private_key.strip() == pem.strip()


def test_missing_keys_are_named_with_what_to_do(pem: str):
    with pytest.raises(CredentialsError, match=r"THALEX_TEST_API_KEY_ID and THALEX_TEST_PRIVATE_KEY not set"):
        read_credentials(THALEX, {})
    with pytest.raises(CredentialsError, match="THALEX_TEST_PRIVATE_KEY not set"):
        read_credentials(THALEX, {"THALEX_TEST_API_KEY_ID": "K1", "THALEX_TEST_PRIVATE_KEY": '""'})
    assert CredentialsError.exit_code == 3


def test_a_bad_key_is_refused_without_being_repeated(pem: str):
    secret_line = pem.splitlines()[3]
    mangled = pem.replace(secret_line, secret_line[:-7])
    with pytest.raises(CredentialsError) as refused:
        read_credentials(THALEX, _environ(mangled))
    assert secret_line[:20] not in str(refused.value)
    with pytest.raises(CredentialsError) as unreadable:
        read_credentials(THALEX, _environ(secret_line))  # neither PEM nor a path
    assert secret_line[:20] not in str(unreadable.value)


def test_a_key_of_another_kind_is_refused():
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(CredentialsError, match="RSA"):
        read_credentials(THALEX, _environ(key.decode()))


def test_the_local_exchange_leaves_its_key_in_a_file(pem: str, tmp_path: Path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"key_id": "KLOCAL", "private_key": pem}))
    credentials = read_credentials(VenueConfig(), {"RINGMAKER_VENUE_KEY_FILE": str(path)})
    assert credentials == Credentials("KLOCAL", pem)
    path.write_text("{}")
    with pytest.raises(CredentialsError, match=str(path)):
        read_credentials(VenueConfig(), {"RINGMAKER_VENUE_KEY_FILE": str(path)})


def test_credentials_do_not_show_the_private_key():
    assert "secret" not in repr(Credentials("K1", "secret"))


def test_each_token_is_later_than_the_one_before_though_the_clock_stands(pem: str, state_dir: Path):
    clock = SimClock(realtime_ns=NOW_NS)
    credentials = Credentials("K1", pem)
    first, second = TokenSigner(credentials, state_dir, clock), TokenSigner(credentials, state_dir, clock)
    stamps = [_issued_at(signer.token(), pem) for signer in (first, second, first, second)]
    assert stamps == sorted(set(stamps))
    clock.step_realtime(-5 * NS_PER_S)
    assert _issued_at(first.token(), pem) > stamps[-1]


def test_a_clock_that_once_ran_far_ahead_does_not_lock_us_out(pem: str, state_dir: Path):
    clock = SimClock(realtime_ns=NOW_NS + 3600 * NS_PER_S)
    signer = TokenSigner(Credentials("K1", pem), state_dir, clock)
    signer.token()
    clock.step_realtime(-3600 * NS_PER_S)
    assert _issued_at(signer.token(), pem) == NOW_NS / NS_PER_S


def _sign_many(pem: str, state_dir: Path, count: int, results: multiprocessing.Queue[list[str]]) -> None:
    signer = TokenSigner(Credentials("K1", pem), state_dir, SimClock(realtime_ns=NOW_NS))
    results.put([signer.token() for _ in range(count)])


def test_processes_that_share_a_key_never_issue_the_same_time(pem: str, state_dir: Path):
    # given three processes that sign at once, all of them with a clock that stands
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[str]] = context.Queue()
    workers = [context.Process(target=_sign_many, args=(pem, state_dir, 20, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    batches = [results.get(timeout=180) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
    # I expect 60 different times, growing within each process
    stamps = [[_issued_at(token, pem) for token in batch] for batch in batches]
    assert len({stamp for batch in stamps for stamp in batch}) == 60
    assert all(batch == sorted(batch) for batch in stamps)


def test_a_login_keeps_the_next_one_waiting_until_it_is_answered(pem: str, state_dir: Path):
    order: list[str] = []
    signer = TokenSigner(Credentials("K1", pem), state_dir, SimClock(realtime_ns=NOW_NS))

    async def login(name: str, answer_after_s: float) -> None:
        async with signer.login_token():
            order.append(f"{name} sent")
            await asyncio.sleep(answer_after_s)
            order.append(f"{name} answered")

    async def both() -> None:
        await asyncio.gather(login("first", 0.1), login("second", 0.0))

    asyncio.run(both())
    assert order == ["first sent", "first answered", "second sent", "second answered"]


def test_who_cannot_wait_logs_in_beside_a_login_that_is_not_answered(pem: str, state_dir: Path):
    order: list[str] = []
    signer = TokenSigner(Credentials("K1", pem), state_dir, SimClock(realtime_ns=NOW_NS))

    async def stuck(is_in_the_way: asyncio.Event, is_over: asyncio.Event) -> None:
        async with signer.login_token():
            is_in_the_way.set()
            await is_over.wait()
            order.append("answered")

    async def both() -> None:
        is_in_the_way, is_over = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(stuck(is_in_the_way, is_over))
        await is_in_the_way.wait()
        async with signer.login_token(wait_s=0.05):
            order.append("errand")
        is_over.set()
        await first

    asyncio.run(both())
    assert order == ["errand", "answered"]


def _logged_in(signer: TokenSigner, pem: str) -> float:
    """Log in with a token that the venue takes; return its time, Unix s."""

    async def login() -> str:
        async with signer.login_token() as token:
            return token

    return _issued_at(asyncio.run(login()), pem)


@pytest.mark.parametrize("step_s", [3600, -3600, -5])
def test_a_wall_clock_that_is_set_wrong_does_not_lock_us_out(pem: str, state_dir: Path, step_s: int):
    # given two processes of one key that have logged in
    clock = SimClock(monotonic_ns=NS_PER_S, realtime_ns=NOW_NS)
    signers = [TokenSigner(Credentials("K1", pem), state_dir, clock) for _ in range(2)]
    stamps = [_logged_in(signer, pem) for signer in signers]
    # if the wall clock is stepped while time goes on, and more start
    clock.step_realtime(step_s * NS_PER_S)
    clock.advance(60 * NS_PER_S)
    signers.append(TokenSigner(Credentials("K1", pem), state_dir, clock))
    stamps += [_logged_in(signer, pem) for signer in signers]
    # I expect times that the venue still takes, each later than all before
    assert stamps == sorted(set(stamps))
    assert all(abs(stamp - (NOW_NS / NS_PER_S + 60)) <= 10 for stamp in stamps[2:])


def test_a_clock_that_is_set_right_after_refusals_is_believed_again(pem: str, state_dir: Path):
    # given a machine whose monotonic clock stood still for an hour, as in a suspend
    clock = SimClock(monotonic_ns=NS_PER_S, realtime_ns=NOW_NS)
    signer = TokenSigner(Credentials("K1", pem), state_dir, clock)
    _logged_in(signer, pem)
    clock.step_realtime(3600 * NS_PER_S)
    assert _issued_at(signer.token(), pem) < NOW_NS / NS_PER_S + 60
    # if the venue refuses the token
    signer.refused()
    # I expect the next one to go by the wall clock
    assert _issued_at(signer.token(), pem) == NOW_NS / NS_PER_S + 3600


@pytest.mark.parametrize("is_given", [True, False])
def test_a_disk_that_takes_no_file_keeps_nobody_from_logging_in(pem: str, tmp_path: Path, is_given: bool):
    (tmp_path / "state").write_text("no folder")
    state_dir = tmp_path / "state" if is_given else None
    signer = TokenSigner(Credentials("K1", pem), state_dir, SimClock(realtime_ns=NOW_NS))
    first, second = _logged_in(signer, pem), _logged_in(signer, pem)
    assert first < second


@pytest.mark.parametrize("content", ["", "nonsense", "\0" * 40, "1795223038000               "])
def test_a_damaged_or_earlier_file_is_no_obstacle(pem: str, state_dir: Path, content: str):
    signer = TokenSigner(Credentials("K1", pem), state_dir, SimClock(realtime_ns=NOW_NS))
    signer.token()
    (path,) = state_dir.glob("token-iat-*")
    path.write_text(content)
    another = TokenSigner(Credentials("K1", pem), state_dir, SimClock(realtime_ns=NOW_NS + NS_PER_S))
    assert _logged_in(another, pem) >= NOW_NS / NS_PER_S + 1
