from __future__ import annotations

from collections import Counter

from runtime.topology import Topology, kind_of, spec_of

NAMES = ["BTC-PERPETUAL", "ETH-PERPETUAL", "BTC-ROLL"]
TWO = Topology(NAMES, {"BTC": ["BTC-PERPETUAL"], "ETH": ["ETH-PERPETUAL"]})


def test_a_strategy_of_several_is_a_strategy_under_a_name_of_its_own() -> None:
    assert kind_of("strategy.BTC") == "strategy"
    assert spec_of("strategy.BTC") == spec_of("strategy")._replace(name="strategy.BTC")


def test_every_strategy_has_a_doorbell_and_execution_too() -> None:
    assert TWO.doorbells == ("strategy.BTC", "strategy.ETH", "execution")
    assert Topology(NAMES).doorbells == ("strategy", "execution")


def test_an_instrument_has_one_strategy_or_is_only_followed() -> None:
    assert [TWO.strategy_of(name) for name in NAMES] == ["strategy.BTC", "strategy.ETH", None]
    assert {Topology(NAMES).strategy_of(name) for name in NAMES} == {"strategy"}


def test_rings_of_strategies_have_one_writer_each_and_their_tables_one_for_each_row() -> None:
    segments = {spec.name: spec for spec in TWO.segments()}
    assert {segments[name].writer for name in ("explanations.BTC", "explanations.ETH")} == {
        "strategy.BTC",
        "strategy.ETH",
    }
    assert "explanations" not in segments
    assert {segments[name].capacity for name in ("wishes", "market")} == {len(NAMES)}
    assert segments["strategy_state"].capacity == 2 * len(NAMES)


def test_segments_have_distinct_names_and_every_actor_its_three() -> None:
    for topology in (TWO, Topology(NAMES)):
        names = Counter(spec.name for spec in topology.segments())
        assert set(names.values()) == {1}
        for actor in topology.actor_names:
            assert {f"heartbeats.{actor}", f"counters.{actor}", f"latency.{actor}"} <= set(names)


def test_a_recorder_starts_after_market_data_and_has_what_it_alone_reads() -> None:
    recorded = Topology(NAMES, {"BTC": ["BTC-PERPETUAL"], "ETH": ["ETH-PERPETUAL"]}, is_recorded=True)
    assert recorded.actor_names[:2] == ("market_data", "recorder")
    assert [actor.name for actor in recorded.actors if actor.is_background] == ["recorder"]
    assert {segment.name for segment in recorded.segments()} - {segment.name for segment in TWO.segments()} == {
        "quote_inputs.BTC", "quote_inputs.ETH", "recorder",
        "heartbeats.recorder", "counters.recorder", "latency.recorder",
    }  # fmt: skip
    assert recorded.doorbells == TWO.doorbells


def test_a_recording_of_the_market_has_nobody_who_quotes() -> None:
    alone = Topology(NAMES, is_recorded=True, is_market_data_only=True)
    assert alone.actor_names == ("market_data", "recorder")
    assert alone.doorbells == ()
    assert {segment.writer for segment in alone.segments()} == {"market_data", "recorder"}
    assert alone.strategy_of("BTC-PERPETUAL") is None
