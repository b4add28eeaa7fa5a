from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from domain.clock import NS_PER_S
from domain.errors import ConfigError
from domain.instrument import Instrument, InstrumentKind
from messages.commands import Flatten, Pause, SetParameter
from runtime.config import Config, load_config
from runtime.roles import EXPIRY_NS_MIN, ROLE, resolve, roles_in, with_instrument, with_names

NOW_NS = 1_800_000_000 * NS_PER_S
DAY_NS = 86_400 * NS_PER_S


def instrument(name: str, expires_in_ns: int, kind: InstrumentKind = InstrumentKind.FUTURE) -> Instrument:
    one = Decimal(1)
    return Instrument(name, kind, f"{name[:3]}USD", one, one, one, one, NOW_NS + expires_in_ns)


LISTED = {
    one.name: one
    for one in (
        instrument("BTC-25DEC26", 34 * DAY_NS),
        instrument("BTC-27NOV26", 6 * DAY_NS),
        instrument("BTC-21NOV26", EXPIRY_NS_MIN - 1),
        instrument("BTC-27NOV26-PERPETUAL", 6 * DAY_NS, InstrumentKind.ROLL),
        instrument("ETH-25DEC26", 34 * DAY_NS),
        instrument("BTC-PERPETUAL", 0, InstrumentKind.PERPETUAL),
    )
}


def config_of(folder: Path, text: str) -> Config:
    path = folder / "roles.toml"
    path.write_text(text)
    return load_config(path)


def test_the_nearest_expiry_is_the_first_and_one_that_is_about_to_go_does_not_count() -> None:
    roles = ["BTC-FUTURE-1", "BTC-FUTURE-2", "ETH-FUTURE-1"]
    assert resolve(roles, LISTED, NOW_NS) == {
        "BTC-FUTURE-1": "BTC-27NOV26",
        "BTC-FUTURE-2": "BTC-25DEC26",
        "ETH-FUTURE-1": "ETH-25DEC26",
    }


def test_a_role_that_nothing_fills_is_told_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="futures of BTC with an hour or more to go: BTC-27NOV26, BTC-25DEC26"):
        resolve(["BTC-FUTURE-3"], LISTED, NOW_NS)
    with pytest.raises(ConfigError, match="none"):
        resolve(["SOL-FUTURE-1"], LISTED, NOW_NS)


def test_a_role_is_replaced_wherever_it_stands(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        '[instruments."BTC-PERPETUAL"]\n[instruments."BTC-FUTURE-1".strategy]\nlevels = 2\n'
        '[strategies.BTC]\ninstruments = ["BTC-PERPETUAL", "BTC-FUTURE-1"]\n'
        '[hedge.BTCUSD]\ninstrument = "BTC-FUTURE-1"\nband_base = 0.02\n',
    )
    assert roles_in(config) == ["BTC-FUTURE-1"]
    found = with_names(config, {"BTC-FUTURE-1": "BTC-27NOV26"})
    assert list(found.instruments) == ["BTC-PERPETUAL", "BTC-27NOV26"]
    assert found.instruments["BTC-27NOV26"].strategy.levels == 2
    assert found.strategies["BTC"].instruments == ["BTC-PERPETUAL", "BTC-27NOV26"]
    assert found.hedge["BTCUSD"].instrument == "BTC-27NOV26"
    assert roles_in(found) == []


def test_an_instrument_by_role_and_by_name_is_refused(tmp_path: Path) -> None:
    config = config_of(tmp_path, '[instruments."BTC-27NOV26"]\n[instruments."BTC-FUTURE-1"]\n')
    with pytest.raises(ConfigError, match="BTC-27NOV26, which has a section of its own"):
        with_names(config, {"BTC-FUTURE-1": "BTC-27NOV26"})


@pytest.mark.parametrize("name", ["BTC-25DEC26", "BTC-PERPETUAL", "BTC-FUTURE-0", "BTC-FUTURE-10"])
def test_the_venues_own_names_are_no_roles(name: str) -> None:
    assert ROLE.fullmatch(name) is None


def test_a_command_may_name_an_instrument_by_its_role() -> None:
    names = {"BTC-FUTURE-1": "BTC-27NOV26"}
    assert with_instrument(SetParameter("BTC-FUTURE-1.levels", "2"), names) == SetParameter("BTC-27NOV26.levels", "2")
    assert with_instrument(Flatten("BTC-FUTURE-1"), names) == Flatten("BTC-27NOV26")
    for other in (SetParameter("BTC-FUTURE-10.levels", "2"), SetParameter("risk.cooldown_s", "1"), Flatten(), Pause()):
        assert with_instrument(other, names) == other
