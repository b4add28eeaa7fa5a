# ruff: noqa: E501 - prose and tables of a page

"""Write docs/calibration.md from the two real recordings.

.venv/bin/python -m scripts.calibration_page > docs/calibration.md
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from domain import jit

os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

from backtest.calibration.calibrate import Calibration, Settings, calibrate
from backtest.calibration.output import text_lines, toml_text, window_table
from backtest.data.convert import Options
from backtest.data.findings import Repair
from domain.errors import ExitCode

RECORDINGS = Path("../shared/data/binance")
PARTS = {
    "2024-07-18, 23:57 UTC": ("usdm_btcusdt_20240718.gz", "usdm_btcusdt_20240719.gz"),
    "2023-04-04, 23:58 UTC": ("usdm_btcusdt_20230404.dat.gz", "usdm_btcusdt_20230405.dat.gz"),
}
HEAD = """# Calibration: what is fitted, how, and how stable it is

    ./cli.py calibrate DATA… [--inventory-bound BASE] [--order-size BASE] [--config FILE.toml] [--repair NAME] [--json] [--output FILE.toml]

prints σ, A, κ and market impact with confidence, a γ for a wished bound of the inventory, the quotes and fills that they imply, and a
configuration: `backtest --config` takes it as it stands, a session's own file the keys of its `[strategy]`. DATA are the parts of one recording of any format of
[data.md](data.md); a fault in it is refused with the `--repair` that mends it, as of `backtest` and `optimize`. `--help` lists all options; `--windows` prints the table below for your own data.

## What is fitted

| number | unit | from | how | confidence (95 %) |
|---|---|---|---|---|
| σ | $/√s | the mid on a clock grid (250 ms), zero returns counted, outages skipped | √(Σr² / time) | the larger of two errors: that of independent returns (their fourth moment), and that between windows of 60 s |
| σ without bounce | $/√s | the same | √((Σr² + 2·Σr·r₋₁) / time), Zhou (1996) | the same |
| A, κ | 1/s, 1/$ | hypothetical quotes of 1 s at mid ± δ: how far the farthest public trade came, from the mid at posting | maximum likelihood: P(no trade reaches δ in T) = exp(−A·T·exp(−κδ)), a Gumbel distribution, by counts in 20 depths | the larger of Fisher's information and the sandwich of the windows' scores; Student's t |
| impact λ | $ per base unit | on a clock grid (1 s) the change r of the mid, the signed volume q of takers, and that of the interval before, p | least squares r = now·q + later·p; λ = now + later, what is left at the end of the next interval ([models.md](models.md#market-impact)) | the larger of White's error and that between the windows |
| γ | 1/$ | σ, A, κ, order size Δ, bound | skew·bound = half-spread of GLFT (ξ = γ), by bisection | |

- The mid is of the touch with the venue's best-price stream let in, as a quoter sees it.
- Depths run from one step to the depth that 3 % of the quotes are reached at: near the touch, where the exponential holds.
- R² is of the straight line through ln λ̂ over δ, weighted by counts: the number by which a live quoter judges its fit.
- Fills an hour are 2·3600·A·exp(−κ·half-spread): what comes as deep as our quotes, if all of it were ours. A queue in front
  of us takes its part: a backtest says how much.
- A fixed quote is what is measured: with a volatile mid and a long life it is reached because the mid comes to it, and A and
  κ come out smaller than those of a quote that is moved all the time. Let `fit_interval_ms` be the time for which your quotes stand.
- Generated markets with known σ, A, κ and impact (`.venv/bin/python -m backtest.synthetic`): of 20 seeds at least 16 intervals hold the
  truth, for each of the four, in a test; of the impact all 20 do, whether it is 2 $ or nothing.

## Two real recordings

Binance USD-M BTCUSDT, tick 0.1 $: whole, and in windows of 60 s beside what the estimators of a live quoter say at the
end of each window; both with `--repair clock`. This page is generated: `.venv/bin/python -m scripts.calibration_page > docs/calibration.md`.

- Minutes differ: σ by a factor of 2.6 in one recording and 5.8 in the other. Chance alone would leave σ uncertain by 15 %; with
  what lies between the minutes it is 30 to 45 %. Eight minutes tell a scale, not a third digit.
- κ is known to a quarter, most of it by chance: only about a hundred quotes were reached at the first depth.
- Every window gives a finite fit; κ stays within a factor of 3, impact within 3.1 on one day and 5.2 on the other.
- Impact is much the same whatever the interval: from 0.1 s to 2 s it is 0.27 to 0.30 $ per BTC on the first recording and 0.13 to 0.15 on the
  second, and at 1 s a tenth or less of what an interval shows is taken back by the next. For orders of 0.01 that is
  0.003 $: it matters to who trades whole units.
- The live estimators start from a prior (σ 5 $/√s, half-life 60 s): their first minutes still show it. Their A, κ and
  impact forget with 600 s, so that they follow the day, not the minute.
- The floor is the maker fee of the default configuration (1 bp). It is wider than the model alone wants on both days.
"""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for title, names in PARTS.items():
        found = calibrate([RECORDINGS / name for name in names], Options(repairs=frozenset({Repair.CLOCK})), Settings())
        parts.append(_section(title, found))
    return "\n".join(parts)


def _section(title: str, found: Calibration) -> str:
    lines = [f"### {title}", "", "```", *text_lines(found), "```", "", *window_table(found), "", "```toml"]
    return "\n".join([*lines, toml_text(found).rstrip(), "```", ""])


def main() -> int:
    """Print the page; returns the exit code."""
    if not RECORDINGS.is_dir():
        print(f"error: {RECORDINGS} is absent: the page is made from its recordings", file=sys.stderr)
        return int(ExitCode.USAGE)
    sys.stdout.write(page())
    return int(ExitCode.CLEAN)


if __name__ == "__main__":
    sys.exit(main())
