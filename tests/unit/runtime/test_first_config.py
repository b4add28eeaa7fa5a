"""The configuration that `cli.py init` writes is one that a session takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.errors import UserError
from runtime.config import Config, load_config
from runtime.first_config import write_first_config
from tests.sessions import REPOSITORY
from trading.quoting.presets import PRESETS

BTC, ETH = "BTC-PERPETUAL", "ETH-PERPETUAL"


def written(path: Path, **given: Any) -> Config:
    asked = {"venue": "local", "instrument": BTC, "preset": "none", "price_usd": None, "size_base": None}
    return write_first_config(path, **{**asked, **given})


@pytest.mark.parametrize("venue", ["local", "thalex"])
@pytest.mark.parametrize("instrument", [BTC, ETH, "BTC-FUTURE-1"])
@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_combination_is_a_configuration_that_a_session_takes(
    tmp_path: Path, venue: str, instrument: str, preset: str
) -> None:
    config = written(tmp_path / "mine.toml", venue=venue, instrument=instrument, preset=preset)
    assert config == load_config(tmp_path / "mine.toml")
    assert (config.session, config.venue.kind, list(config.instruments)) == ("mine", venue, [instrument])
    strategy = config.instruments[instrument].strategy
    assert config.risk.position_max_base > strategy.position_hard_base > strategy.position_soft_base


def test_without_wishes_it_quotes_as_the_configuration_that_comes_with_ringmaker(tmp_path: Path) -> None:
    mine = written(tmp_path / "mine.toml")
    given = load_config(REPOSITORY / "configs" / "local.toml")
    assert mine.instruments == given.instruments
    assert (mine.risk, mine.exchange, mine.recorder) == (given.risk, given.exchange, given.recorder)


def test_dollars_follow_price_and_size(tmp_path: Path) -> None:
    # Given an instrument of a thousandth of the price, in orders of a tenth of the notional
    config = written(
        tmp_path / "mine.toml", venue="thalex", instrument="SOL-PERPETUAL", preset="conservative",
        price_usd=100.0, size_base=1.0,
    )  # fmt: skip
    # I expect what scales with the price, with the notional, and with the size
    strategy = config.instruments["SOL-PERPETUAL"].strategy
    assert (strategy.sigma_prior_usd_per_sqrt_s, strategy.arrival_decay_prior_per_usd) == (0.005, 1000.0)
    assert strategy.half_spread_min_usd == pytest.approx(2.0 / 1000)  # the preset's, by the price
    assert strategy.risk_aversion_per_usd == pytest.approx(0.05 * 10)
    assert (config.risk.order_notional_max_usd, config.risk.loss_from_peak_max_usd) == (1000.0, 25.0)
    assert (strategy.order_size_base, strategy.position_hard_base, config.risk.position_max_base) == (1.0, 5.0, 10.0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"venue": "mars"}, "--venue mars: expected local or thalex"),
        ({"instrument": "SOL-PERPETUAL"}, "the local exchange lists BTC and ETH"),
        ({"instrument": "SOL-PERPETUAL", "venue": "thalex"}, "give --price"),
        ({"instrument": "SOL-PERPETUAL", "venue": "thalex", "price_usd": 100.0}, "give --price"),
        ({"price_usd": -1.0}, "expected numbers above 0"),
        ({"size_base": float("nan")}, "expected numbers above 0"),
        ({"preset": "wild"}, "strategy.preset = 'wild': expected one of none, conservative, aggressive"),
    ],
)
def test_what_does_not_go_together_is_refused_and_nothing_stays(
    tmp_path: Path, given: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        written(tmp_path / "mine.toml", **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.txt", "x", "x.toml.bak"])
def test_a_file_that_is_no_toml_is_refused_and_nothing_stays(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"expected a name that ends in \.toml, e\.g\. .*x(\.toml)?\.toml"):
        written(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_sessions_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the file name is the session's name"):
        written(tmp_path / "My Config.toml")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        written(path)
    assert path.read_text() == "mine"
    with pytest.raises(UserError, match="cannot be written"):
        written(tmp_path / "nowhere" / "mine.toml")
