from __future__ import annotations

import msgspec
import pytest

from domain.errors import ConfigError
from venues.config import THALEX_TESTNET_URL, VenueConfig, venue_proxy, venue_url


def test_the_local_venue_is_where_the_supervisor_says():
    url = venue_url(VenueConfig(kind="local"), {"RINGMAKER_VENUE_URL": "ws://127.0.0.1:9/ws"})
    assert url == "ws://127.0.0.1:9/ws"


def test_a_local_venue_without_address_is_refused_with_what_to_do():
    with pytest.raises(ConfigError, match="RINGMAKER_VENUE_URL"):
        venue_url(VenueConfig(kind="local"), {})


def test_the_thalex_address_comes_from_the_environment_then_the_config_then_the_testnet():
    thalex = VenueConfig(kind="thalex")
    assert venue_url(thalex, {}) == THALEX_TESTNET_URL
    configured = VenueConfig(kind="thalex", url="wss://example.test/ws")
    assert venue_url(configured, {}) == "wss://example.test/ws"
    assert venue_url(configured, {"THALEX_WS_URL": "ws://127.0.0.1:1/"}) == "ws://127.0.0.1:1/"


def test_an_address_that_is_no_websocket_is_refused():
    with pytest.raises(ConfigError, match=r"https://thalex\.com"):
        venue_url(VenueConfig(kind="thalex", url="https://thalex.com"), {})


def test_the_proxy_of_the_environment_leads_to_the_real_venue_alone():
    environ = {"RINGMAKER_VENUE_PROXY": "socks5://127.0.0.1:1080"}
    assert venue_proxy(VenueConfig(kind="thalex"), environ) == "socks5://127.0.0.1:1080"
    assert venue_proxy(VenueConfig(kind="local"), environ) == ""
    assert venue_proxy(VenueConfig(kind="local", proxy="http://127.0.0.1:3128"), environ) == "http://127.0.0.1:3128"


@pytest.mark.parametrize(
    "section",
    [
        {"backoff_ms_min": 500, "backoff_ms_max": 100},
        {"feed_dead_ms": 250, "feed_probe_ms": 250},
        {"orders_dead_ms": 1000, "ping_interval_ms": 1000},
        {"cancel_on_disconnect_s": 1, "ping_interval_ms": 1000},
        {"transport": "carrier pigeon"},
        {"connect_tries_max": 0},
        {"no_such_key": 1},
        {"ticker_delay": "10ms"},
        {"ticker_delay": "60000ms"},
        {"book_delay": "5000ms", "channel_silent_ms": 5000},
        {"book_grouping": -1},
        {"extra_underlyings": ["btc usd"]},
    ],
)
def test_values_that_cannot_work_together_are_refused(section: dict[str, object]):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(section, VenueConfig)
