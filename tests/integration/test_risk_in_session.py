"""Limits broken on a running session: what risk does, how soon, and what is held afterwards, by the exchange's log."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.risk_session import BOUND_WIDTH, CONFIG, FLAT_S, OWN_KEY, PERPETUAL, WIDE, trading
from tests.sessions import open_orders, wait_until


def test_a_stop_loss_closes_the_position_and_quoting_comes_back(tmp_path: Path) -> None:
    # Given a long and a stop loss of 50 bps
    with trading(tmp_path, "stop_loss_bps = 50.0\n") as market:
        market.become_long()
        # If the market falls by 1,000 $, about 100 bps
        jumped_ns = market.jump(-1_000.0)
        market.wait_for_state("halted", "stop_loss")
        wait_until(lambda: market.position() == 0.0, FLAT_S * BOUND_WIDTH, "the position is flat")
        flat_s = (time.monotonic_ns() - jumped_ns) / 1e9
        # I expect it closed, reduce-only orders alone in the book until then, and quotes again after the cool-down
        made = {line["decision"]: line for line in market.decisions()}
        assert made["close_position"]["cause"] == "stop_loss"
        assert "stop loss 50 bps" in made["close_position"]["text"]
        market.wait_for_state("active", "none")
        market.session.wait_for_quotes()
        print(f"stop loss: flat {flat_s:.2f} s after the jump, of them 0.5 s passive; {made['close_position']['text']}")


def test_a_loss_from_the_peak_halts_and_flattens_for_good(tmp_path: Path) -> None:
    # Given a long, and 20 $ that may be lost from the peak
    limits = "stop_loss_bps = 0.0\nloss_from_peak_max_usd = 20.0\nflatten_on_halt = true\n"
    with trading(tmp_path, limits) as market:
        market.become_long()
        # If the market falls by 1,000 $
        jumped_ns = market.jump(-1_000.0)
        market.wait_for_state("halted", "loss_from_peak")
        wait_until(lambda: market.position() == 0.0, FLAT_S * BOUND_WIDTH, "the position is flat")
        flat_s = (time.monotonic_ns() - jumped_ns) / 1e9
        # I expect every order gone, the position flat, and no quote before an operator resumes
        wait_until(lambda: not open_orders(market.log()), 5.0, "no order is open")
        time.sleep(3.0)
        assert open_orders(market.log()) == {}
        assert market.risk()["latched"] == ["loss_from_peak"]
        assert market.session.cli("resume").returncode == 0
        market.session.wait_for_quotes()
        print(f"loss from peak: flat {flat_s:.2f} s after the jump")


def test_margin_in_use_leaves_only_the_reducing_side(tmp_path: Path) -> None:
    # Given that 5 % of the margin may be used
    with trading(tmp_path, WIDE + "margin_use_max = 0.05\n") as market:
        # If the position is changed by hand, on the session's own account, until 6,000 of 100,000 $ are required
        asks = market.session.status()["instruments"][PERPETUAL]["asks"]
        assert market.session.cli("pause").returncode == 0
        wait_until(lambda: not open_orders(market.log()), 10.0, "no quote of our own is in the way")

        def is_held() -> bool:
            if market.held_by_venue() < 0.3:
                market.trade("buy", asks[0][0] + 500.0, 0.05, OWN_KEY)
            return market.held_by_venue() >= 0.3

        wait_until(is_held, 20.0, "0.3 BTC are held")
        assert market.session.cli("resume").returncode == 0
        # I expect the reason to be said with its numbers, and the reducing side alone to be quoted
        market.wait_for_state("reducing", "margin_use")
        told = next(line for line in market.decisions() if line.get("reason") == "MARGIN_USE")
        assert told["text"].endswith(", limit 5%")
        wait_until(lambda: bool(open_orders(market.log())), 10.0, "quotes are back")
        time.sleep(1.0)
        assert {line["side"] for line in open_orders(market.log()).values()} == {"sell"}
        print(f"margin used up by hand: only asks rest; {told['text']}")


@pytest.mark.parametrize(("margin_percent", "size"), [("20", 0.027), ("40", 0.013)])
def test_orders_that_use_up_the_margin_do_not_make_risk_reduce_and_resume(
    tmp_path: Path, margin_percent: str, size: float
) -> None:
    # Given 550 $ of margin that may be used, three orders of 1,000 $ a side, and a venue that asks for as much of
    # them as is configured, or for twice as much
    config = CONFIG.replace("levels = 1", "levels = 3").replace("order_size_base = 0.03", "order_size_base = 0.01")
    limits, arguments = WIDE + "margin_use_max = 0.0055\n", ("--margin-percent", margin_percent)
    with trading(tmp_path, limits, config=config, exchange_arguments=arguments) as market:
        # If it quotes on while risk reads the margin, every 5 s while nothing is held
        time.sleep(16.0)
        states = [line["state"] for line in market.decisions() if line["decision"] == "state"]
        # I expect risk never to reduce, and as much out as the margin has room for: 2,750 $, or 1,375
        assert "REDUCING" not in states
        assert states[-1] == "ACTIVE"
        for side in ("buy", "sell"):
            out = sum(line["remaining"] for line in open_orders(market.log()).values() if line["side"] == side)
            assert out == pytest.approx(size)
        print(f"margin of {margin_percent} %: {size} BTC a side, risk calm")


@pytest.mark.parametrize("is_risk_killed", [False, True])
def test_one_instrument_is_flattened_on_request_while_the_session_lives(tmp_path: Path, is_risk_killed: bool) -> None:
    with trading(tmp_path) as market:
        market.become_long()
        if is_risk_killed:
            os.kill(market.session.actor_pid("risk"), signal.SIGKILL)
        result = market.session.cli("flatten", "--instrument", PERPETUAL)
        assert result.returncode == 0, result.stdout
        assert market.position() == 0.0
        market.session.wait_for_quotes()
        unknown = market.session.cli("flatten", "--instrument", "DOGE-PERPETUAL")
        assert unknown.returncode != 0
        assert "DOGE-PERPETUAL" in unknown.stdout
