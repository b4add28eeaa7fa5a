"""Search spaces: the keys and ranges of the configuration, and one clear line for what does not fit it."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from backtest.engine.run import Settings
from backtest.search.space import check_space, read_space, with_values
from domain.errors import ConfigError
from tests.conftest import REPOSITORY


def space_of(folder: Path, text: str) -> dict[str, object]:
    path = folder / "space.toml"
    path.write_text(text)
    space = read_space(path)
    check_space(path, space, Settings())
    return dict(space)


def test_ranges_choices_and_plain_values_become_what_is_drawn(tmp_path: Path) -> None:
    found = space_of(
        tmp_path,
        "[strategy]\nrisk_aversion_per_usd = { low = 0.001, high = 0.1, log = true }\nlevels = { low = 1, high = 3 }\n"
        'model = { choices = ["glft", "avellaneda_stoikov"] }\nfee_floor = false\n'
        "[strategy.signals]\nis_enabled = { choices = [true, false] }\n[execution]\namend_threshold_ticks = 2\n",
    )
    assert found == {
        "strategy.risk_aversion_per_usd": FloatDistribution(0.001, 0.1, log=True),
        "strategy.levels": IntDistribution(1, 3),
        "strategy.model": CategoricalDistribution(["glft", "avellaneda_stoikov"]),
        "strategy.fee_floor": CategoricalDistribution([False]),
        "strategy.signals.is_enabled": CategoricalDistribution([True, False]),
        "execution.amend_threshold_ticks": CategoricalDistribution([2]),
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[strategy]\nlevel = { low = 1, high = 2 }", "strategy.level = 1"),
        ("[strategy]\nlevels = { low = 0, high = 2 }", "strategy.levels = 0"),
        ("[execution]\namend_threshold_ticks = { low = 1, high = 1_000_000 }", "amend_threshold_ticks = 1000000"),
        ("[strategy]\nlevels = { low = 3 }", "strategy.levels: expected low and high"),
        ("[strategy]\nlevels = { low = 3, high = 1 }", "strategy.levels: "),
        ("[strategy]\nmodel = { choices = [] }", "strategy.model: expected choices"),
        ("[risk]\nx = 1", "unknown section or key `risk`"),
        ("[strategy]\n", "nothing to search"),
        ("[strategy", "not valid TOML"),
    ],
)
def test_what_does_not_fit_the_configuration_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        space_of(tmp_path, text)
    assert told in str(refused.value)
    assert "space.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_values_are_laid_over_the_configuration_and_contradictions_refused() -> None:
    changed = with_values(Settings(), {"strategy.levels": 2, "execution.amend_threshold_ticks": 3})
    assert (changed.quoting.levels, changed.execution.amend_threshold_ticks) == (2, 3)
    with pytest.raises(ConfigError, match="position_soft_base"):
        with_values(Settings(), {"strategy.position_soft_base": 1.0})


def test_the_space_that_comes_with_the_project_fits_the_configuration() -> None:
    for path in (REPOSITORY / "configs" / "spaces").glob("*.toml"):
        check_space(path, space := read_space(path), Settings())
        assert space
