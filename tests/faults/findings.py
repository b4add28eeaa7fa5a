"""What a row of the suite found: samples against their bounds, and what did not hold. Printed, and kept as JSON."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Broken(NamedTuple):
    """Something that must hold and did not. `round_number` 0 = at the end of the row."""

    round_number: int
    text: str


class Sample(NamedTuple):
    """One figure; `load` is the machine's load average (one minute) when it was taken."""

    value: float
    round_number: int
    load: float


class Measure:
    """One figure of a row: samples in one unit, and the bound that none may exceed; None = only reported."""

    def __init__(self, name: str, unit: str, bound: float | None) -> None:
        self.name = name
        self.unit = unit
        self.bound = bound
        self.samples: list[Sample] = []

    def quantile(self, part: float) -> float:
        """Return the smallest sample that `part` of all do not exceed."""
        values = sorted(sample.value for sample in self.samples)
        return values[max(math.ceil(part * len(values)) - 1, 0)]

    @property
    def worst(self) -> Sample:
        return max(self.samples, key=lambda sample: sample.value)

    def beyond(self, slack: float) -> list[Sample]:
        """Return the samples beyond `slack` times the bound."""
        if self.bound is None:
            return []
        return [sample for sample in self.samples if sample.value > self.bound * slack]

    def as_json(self) -> dict[str, Any]:
        worst = self.worst
        return {
            "name": self.name,
            "unit": self.unit,
            "bound": self.bound,
            "n": len(self.samples),
            "p50": self.quantile(0.5),
            "p99": self.quantile(0.99),
            "max": worst.value,
            "max_in_round": worst.round_number,
            "max_at_load": worst.load,
            "ok": not self.beyond(1.0),
        }


def load_now() -> float:
    """Return the machine's load average over one minute."""
    return os.getloadavg()[0]


def tell_nobody(_line: str) -> None:
    """Failures are read when the row is over."""


class Findings:
    """All that one row of the suite found.

    Args:
        row: name of the row.
        seed: what its rounds were drawn from.
        slack: how many times a bound may be exceeded: 1 where bounds are judged, 5 in tests.
        load_now: the machine's load average; each figure is kept with the one that it was taken at.
        tell: hears of each failure as it comes.

    Attributes:
        load: load average of the machine before and after, one minute each: figures are as good as it is low.
    """

    def __init__(
        self,
        row: str,
        seed: int,
        *,
        slack: float = 1.0,
        load_now: Callable[[], float] = load_now,
        tell: Callable[[str], None] = tell_nobody,
    ) -> None:
        self.row = row
        self.seed = seed
        self.slack = slack
        self._load_now = load_now
        self._tell = tell
        self.load: list[float] = []
        self.broken: list[Broken] = []
        self.counts: dict[str, int] = {}
        self._measures: dict[str, Measure] = {}

    def measure(self, name: str, value: float, unit: str, round_number: int, bound: float | None = None) -> None:
        """Take one sample."""
        measure = self._measures.setdefault(name, Measure(name, unit, bound))
        assert (measure.unit, measure.bound) == (unit, bound), f"{name} was measured in another unit or bound"
        sample = Sample(value, round_number, self._load_now())
        measure.samples.append(sample)
        if bound is not None and value > bound * self.slack:
            self._tell(self._missed(measure, sample))

    def break_rule(self, round_number: int, text: str) -> None:
        """Take down what did not hold."""
        self.broken.append(Broken(round_number, text))
        self._tell(self._line(round_number, text))

    def count(self, what: str, n: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + n

    @property
    def measures(self) -> list[Measure]:
        return list(self._measures.values())

    def failures(self) -> list[str]:
        """Return one line for each broken rule and each measure beyond its bound, with seed and round to replay."""
        lines = [self._line(broken.round_number, broken.text) for broken in self.broken]
        for measure in self.measures:
            lines += [self._missed(measure, sample) for sample in measure.beyond(self.slack)]
        return lines

    def as_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "seed": self.seed,
            "load": self.load,
            "counts": self.counts,
            "measures": [measure.as_json() for measure in self.measures],
            "failures": self.failures(),
            "ok": not self.failures(),
        }

    def _missed(self, measure: Measure, sample: Sample) -> str:
        bound = f"{measure.bound:g}" if self.slack == 1 else f"{self.slack:g} × {measure.bound:g}"
        text = f"{measure.name} {sample.value:g} {measure.unit}, bound {bound}, at load {sample.load:.1f}"
        return self._line(sample.round_number, text)

    def _line(self, round_number: int, text: str) -> str:
        where = f"round {round_number}" if round_number else "at the end"
        return f"{self.row}, seed {self.seed}, {where}: {text}"


def table(findings: Sequence[Findings]) -> str:
    """Return all measures as lines of equal columns; `load` is the machine's when the largest was measured."""
    lines = [f"{'row':<12} {'measure':<28} {'n':>5} {'p50':>9} {'p99':>9} {'max':>9} {'load':>5} {'bound':>8} unit  "]
    for found in findings:
        for measure in found.measures:
            bound = "-" if measure.bound is None else f"{measure.bound:g}"
            figures = (measure.quantile(0.5), measure.quantile(0.99), measure.quantile(1.0))
            p50, p99, worst = (f"{value:.0f}" if abs(value) >= 10 else f"{value:.2f}" for value in figures)
            verdict = "" if measure.bound is None else "ok" if not measure.beyond(1.0) else "MISSED"
            lines.append(
                f"{found.row:<12} {measure.name:<28} {len(measure.samples):>5} {p50:>9} {p99:>9} {worst:>9} "
                f"{measure.worst.load:>5.1f} {bound:>8} {measure.unit:<5} {verdict}".rstrip()
            )
    return "\n".join(lines)
