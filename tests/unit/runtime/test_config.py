from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ConfigError
from runtime.config import load_config

INSTRUMENT = '[instruments."BTC-PERPETUAL"]\n'
CONFIGS = Path(__file__).resolve().parents[3] / "configs"


def config_of(folder: Path, text: str, name: str = "test.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_configurations_that_we_ship_are_valid() -> None:
    names = [load_config(path).session for path in sorted(CONFIGS.glob("*.toml"))]
    assert {"local", "testnet"} <= set(names)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (INSTRUMENT + "[strategy]\nlevls = 2", "unknown key `levls` in [strategy]; did you mean `levels`?"),
        (
            INSTRUMENT + "[strategy]\nfoo = 2",
            "unknown key `foo` in [strategy]; every key stands in docs/configuration.md",
        ),
        (INSTRUMENT + "[strateg]\n", "unknown key `strateg`; did you mean `strategy`?"),
        ('[instruments."X".strategy]\nlevls = 2', "unknown key `levls` in [instruments"),
        (INSTRUMENT + "[strategy]\nlevels = 'many'", "strategy.levels = 'many': expected a whole number"),
        (INSTRUMENT + "[strategy]\nlevels = 99", "strategy.levels = 99: expected a whole number <= 10"),
        (INSTRUMENT + "[supervisor]\ndead_ms = 300", "dead_ms (300) must be larger than suspect_ms (400)"),
        (INSTRUMENT + "session = 'x'", "unknown key"),
        ("", "no instruments"),
        ('[instruments."X"]\nquote = false', "nothing to do"),
        ("[strategy", "not valid TOML"),
        (INSTRUMENT + "[strategies.A]", "[strategies.A]: object missing required field instruments"),
        (
            INSTRUMENT + "[strategies.A]\ninstruments = []",
            "strategies.A.instruments = []: expected a list of length >= 1",
        ),
        (INSTRUMENT + '[strategies.A]\ninstruments = ["X"]', 'no section [instruments."X"]; there are: BTC-PERPETUAL'),
        (
            INSTRUMENT + '[strategies."A.b"]\ninstruments = ["BTC-PERPETUAL"]',
            "[strategies.A.b]: a name may have letters",
        ),
        (
            INSTRUMENT + '[strategies]\nA.instruments = ["BTC-PERPETUAL"]\nB.instruments = ["BTC-PERPETUAL"]',
            "BTC-PERPETUAL is in strategies.A and in strategies.B: take it out of one",
        ),
        (
            INSTRUMENT + '[hedge.BTCUSD]\ninstrument = "X"\nband_base = 0.1',
            "hedge.BTCUSD.instrument = 'X': no such section in [instruments]: BTC-PERPETUAL",
        ),
        (
            INSTRUMENT + '[hedge.BTCUSD]\ninstrument = "BTC-PERPETUAL"\nband_base = 0.1\norder_size_max_base = 1.0',
            "hedge.BTCUSD.order_size_max_base = 1, but risk.order_size_max_base = 0.05 denies it",
        ),
        (
            INSTRUMENT + '[hedge]\nBTCUSD = {instrument = "BTC-PERPETUAL", band_base = 0.1}\n'
            'ETHUSD = {instrument = "BTC-PERPETUAL", band_base = 0.1}',
            "hedge.ETHUSD.instrument = 'BTC-PERPETUAL' hedges BTCUSD already",
        ),
        (
            INSTRUMENT + '[instruments."X"]\nquote = false\n[strategies.A]\ninstruments = ["BTC-PERPETUAL"]\n'
            '[hedge.BTCUSD]\ninstrument = "X"\nband_base = 0.1',
            "no strategy has X, so none would hedge with it: add it to one of strategies.A",
        ),
        (
            INSTRUMENT + '[instruments."X"]\n[strategies.A]\ninstruments = ["BTC-PERPETUAL"]',
            "no strategy quotes X: add it to one of strategies.A, or set quote = false",
        ),
        (
            INSTRUMENT + "[risk]\nvenue_silent_ms = 1400",
            "risk.venue_silent_ms = 1400 ms, but a connection without news is heard every venue.ping_interval_ms",
        ),
        (
            INSTRUMENT + '[runtime]\nwait = "spin"\nrealtime_priority = 5',
            "runtime.realtime_priority = 5 with runtime.wait = 'spin': nothing else would run on those cores",
        ),
    ],
)
def test_a_fault_is_one_line_with_file_key_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    path = config_of(tmp_path, text)
    with pytest.raises(ConfigError) as refusal:
        load_config(path)
    assert said in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: no such configuration file"):
        load_config(tmp_path / "absent.toml")


def test_a_file_name_that_is_no_session_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is the session.s name"):
        load_config(config_of(tmp_path, INSTRUMENT, "My Session.toml"))


def test_an_instrument_overrides_single_keys_of_the_strategy(tmp_path: Path) -> None:
    text = '[strategy]\nlevels = 2\nlevel_spacing_ticks = 7\n[instruments."A"]\n[instruments."B".strategy]\nlevels = 5'
    config = load_config(config_of(tmp_path, text))
    assert config.instruments["A"].strategy.levels == 2
    assert config.instruments["B"].strategy.levels == 5
    assert config.instruments["B"].strategy.level_spacing_ticks == 7


def test_a_strategy_overrides_single_keys_for_its_instruments_and_an_instrument_those_of_its_strategy(
    tmp_path: Path,
) -> None:
    text = (
        "[strategy]\nlevels = 2\nlevel_spacing_ticks = 7\norder_size_base = 0.02\n"
        '[instruments."A"]\n[instruments."B"]\n[instruments."C".strategy]\nlevels = 5\n'
        '[strategies.one]\ninstruments = ["A"]\n'
        '[strategies.two]\ninstruments = ["B", "C"]\n[strategies.two.strategy]\nlevels = 3\nlevel_spacing_ticks = 9'
    )
    config = load_config(config_of(tmp_path, text))
    found = {name: section.strategy for name, section in config.instruments.items()}
    assert [(own.levels, own.level_spacing_ticks) for own in found.values()] == [(2, 7), (3, 9), (5, 9)]
    assert {own.order_size_base for own in found.values()} == {0.02}
    assert config.topology.strategies == {"strategy.one": ("A",), "strategy.two": ("B", "C")}


def test_without_strategies_one_process_quotes_everything(tmp_path: Path) -> None:
    topology = load_config(config_of(tmp_path, INSTRUMENT + '[instruments."B"]\nquote = false')).topology
    assert topology.strategies == {"strategy": ("BTC-PERPETUAL", "B")}
    assert topology.actor_names == ("market_data", "risk", "execution", "strategy")


def test_a_replay_replaces_that_of_the_file(tmp_path: Path) -> None:
    path = config_of(tmp_path, INSTRUMENT + '[exchange]\nreplay = ["a"]')
    assert load_config(path).exchange.replay == ["a"]
    assert load_config(path, replay=["b", "c"]).exchange.replay == ["b", "c"]
