from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ConfigError
from runtime.config import load_config
from venues.proxy import PROXY_VARIABLE, proxy_url, shown, without_credentials

GOOD = "socks5://trader:s3cret@proxy.example:1080"


def test_the_environment_goes_before_the_configuration():
    assert proxy_url("", {}) == ""
    assert proxy_url("http://127.0.0.1:3128", {}) == "http://127.0.0.1:3128"
    assert proxy_url("http://127.0.0.1:3128", {PROXY_VARIABLE: GOOD}) == GOOD


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://trader:s3cret@proxy.example:21", "'ftp' is none of http, socks5, socks5h"),
        ("trader:s3cret@proxy.example:21", "is none of"),
        ("socks5://trader:s3cret@proxy.example", "host or port is missing"),
        ("socks5://trader:s3cret@:1080", "host or port is missing"),
        ("socks5://trader:s3cret@proxy.example:none", "no valid address"),
        ("socks5://trader:s3cret@[proxy.example:1", "no valid address"),
        ("http://trader:s3cret@proxy.example:1/path", "ends with the port"),
        ("http://s3cret@proxy.example:1", "a user without a password"),
    ],
)
def test_what_is_no_proxy_is_refused_without_telling_its_password(tmp_path: Path, url: str, told: str):
    with pytest.raises(ConfigError, match=told) as refused:
        proxy_url("", {PROXY_VARIABLE: url})
    assert "s3cret" not in str(refused.value)
    # and in the file, where errors quote the value that they are about
    path = tmp_path / "p.toml"
    path.write_text(f'[venue]\nproxy = "{url}"\n[instruments."BTC-PERPETUAL"]\n')
    with pytest.raises(ConfigError, match=told) as in_file:
        load_config(path)
    assert "s3cret" not in str(in_file.value)


def test_a_proxy_is_spoken_of_by_host_and_port():
    assert shown(GOOD) == "socks5://proxy.example:1080"
    assert shown("socks5://[::1]:1080") == "socks5://[::1]:1080"
    text = "cannot reach socks5://trader:s3cret@proxy.example:1080: password s3cret refused"
    assert without_credentials(text, GOOD) == "cannot reach socks5://***@proxy.example:1080: password *** refused"
