"""`make run-testnet` against the local exchange: the whole path, signed login included, with a key made here."""

from __future__ import annotations

import signal
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.sessions import INSTRUMENT, RunningSession, StandaloneExchange

THALEX = '[venue]\nkind = "thalex"\nconnect_tries_max = 2\nbackoff_ms_max = 200\n' + INSTRUMENT
NO_KEYS = {"THALEX_TEST_API_KEY_ID": "", "THALEX_TEST_PRIVATE_KEY": ""}


def test_a_signed_login_leads_to_quotes(tmp_path: Path) -> None:
    with (
        StandaloneExchange(tmp_path) as exchange,
        RunningSession(tmp_path, THALEX, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes()
        session.signal(signal.SIGINT)
        assert session.wait(40) == 0, session.said
        assert session.summary["open_orders_at_exit"] == 0
        assert session.summary["venue"] == "thalex"
        assert exchange.open_orders() == {}


def test_no_keys_end_with_exit_code_3_and_what_to_do(tmp_path: Path) -> None:
    with RunningSession(tmp_path, THALEX, environ=NO_KEYS) as session:
        assert session.wait(30) == 3
        assert "THALEX_TEST_API_KEY_ID" in session.said
        assert len(session.said.strip().splitlines()) == 3
        session.assert_nothing_stays()


def test_keys_that_the_venue_refuses_end_with_exit_code_3(tmp_path: Path) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with StandaloneExchange(tmp_path) as exchange:
        environ = {**exchange.environ(), "THALEX_TEST_PRIVATE_KEY": stranger.decode()}
        with RunningSession(tmp_path, THALEX, environ=environ) as session:
            assert session.wait(60) == 3, session.said
            assert "cp .env.example .env" in session.said
            assert stranger.decode().splitlines()[1] not in session.said
            session.assert_nothing_stays()


def test_a_venue_that_cannot_be_reached_ends_with_exit_code_6(tmp_path: Path) -> None:
    with StandaloneExchange(tmp_path) as exchange:
        environ = exchange.environ()
    with RunningSession(tmp_path, THALEX, environ={**environ, "THALEX_WS_URL": "ws://127.0.0.1:9/ws"}) as session:
        assert session.wait(60) == 6, session.said
        assert "127.0.0.1:9" in session.said
        session.assert_nothing_stays()
