"""Which conditions of the account lead to which state, step by step with a clock moved by hand."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import OffReason, RiskReason
from domain.grid import CHANGED, IN_FORCE, Off, grid_of
from domain.instrument import Instrument, InstrumentKind
from domain.order import TradingState
from domain.reports import PositionReport
from trading.risk.account_view import Working
from trading.risk.config import RiskConfig
from trading.risk.drawdown import Drawdown
from trading.risk.limit_changes import changed_limit
from trading.risk.limits import recovery_of
from trading.risk.margin_rate import RATE_ANSWERS_KEPT
from trading.risk.monitor import ExecutionView, RiskMonitor, SignsOfLife
from trading.risk.rooms import rooms_of
from trading.risk.round_trips import RoundTrip
from trading.risk.states import ACCOUNT, FOREVER, Cause, RiskStates

BTC, ETH = "BTC-PERPETUAL", "ETH-PERPETUAL"


def instrument(name: str, lot: str) -> Instrument:
    return Instrument(name, InstrumentKind.PERPETUAL, "X", Decimal(1), Decimal(lot), Decimal(lot))


def position(name: str, size: str, mark: str = "100000") -> PositionReport:
    return PositionReport(name, Decimal(size), Decimal(mark), Decimal(mark), Decimal(0), Decimal(0), Decimal(0))


class Scene:
    """A monitor for which all is well, and a clock."""

    def __init__(self, config: RiskConfig | None = None) -> None:
        self.config = config or RiskConfig()
        self.monitor = RiskMonitor(self.config, (BTC, ETH), RiskStates(recovery_of(self.config)), Drawdown())
        self.monitor.account.on_instruments({BTC: instrument(BTC, "0.001"), ETH: instrument(ETH, "0.01")})
        self.monitor.account.on_positions([], is_snapshot=True)
        self.monitor.account.on_mark(0, 100_000.0)
        self.monitor.account.on_mark(1, 4_000.0)
        self.now_ns = 100 * NS_PER_S
        self.feed_ns = self.execution_ns = self.venue_ns = -1  # -1 = fresh
        self.execution_lots: list[int | None] = [0, 0]

    def step(self, *, milliseconds: int = 100, is_started: bool = True, equity: float = 0.0) -> TradingState:
        self.now_ns += milliseconds * NS_PER_MS
        fresh = [at if at >= 0 else self.now_ns for at in (self.feed_ns, self.execution_ns, self.venue_ns)]
        self.monitor.drawdown.update(equity, self.now_ns)
        self.monitor.evaluate(
            is_started=is_started,
            life=SignsOfLife(*fresh),
            execution=[ExecutionView(lots is not None, lots or 0) for lots in self.execution_lots],
            now_ns=self.now_ns,
            realtime_ns=self.now_ns,
        )
        return self.monitor.verdict(self.now_ns).state

    @property
    def reason(self) -> RiskReason:
        return self.monitor.verdict(self.now_ns).reason

    @property
    def text(self) -> str:
        return self.monitor.verdict(self.now_ns).text


def test_an_account_in_order_is_active() -> None:
    assert Scene().step() is TradingState.ACTIVE


def test_nothing_is_allowed_before_the_venue_has_told_the_account() -> None:
    # Given a monitor that is still starting
    scene = Scene()
    assert scene.step(is_started=False) is TradingState.HALTED
    assert scene.reason is RiskReason.STARTING
    # If everything has been read, I expect active at once
    assert scene.step() is TradingState.ACTIVE


@pytest.mark.parametrize(
    ("sign", "silence_ms", "reason"),
    [
        ("feed_ns", 2000, RiskReason.STALE_MARKET_DATA),
        ("execution_ns", 450, RiskReason.EXECUTION_SUSPECT),
        ("venue_ns", 3000, RiskReason.VENUE_DISCONNECTED),
    ],
)
def test_silence_halts_and_ends_the_halt_by_itself(sign: str, silence_ms: int, reason: RiskReason) -> None:
    # Given a sign of life that stops
    scene = Scene()
    setattr(scene, sign, scene.now_ns)
    # If the silence reaches its bound, and then passes it
    assert scene.step(milliseconds=silence_ms) is TradingState.ACTIVE
    assert scene.step(milliseconds=1) is TradingState.HALTED
    assert scene.reason is reason
    # I expect active as soon as it is heard again
    setattr(scene, sign, -1)
    assert scene.step() is TradingState.ACTIVE


def test_an_execution_that_has_died_is_told_apart_from_one_that_never_lived() -> None:
    # Given an execution that has given no sign of life yet
    scene = Scene()
    scene.execution_ns = 0
    assert scene.step() is TradingState.HALTED
    assert "no sign of life of execution yet" in scene.text
    # If it lives, dies, and its heartbeat is erased at once
    scene.execution_ns = -1
    assert scene.step() is TradingState.ACTIVE
    scene.execution_ns = 0
    # I expect risk to remember that it lived
    assert scene.step() is TradingState.HALTED
    assert "execution has died" in scene.text


def test_a_position_above_its_limit_lets_only_its_instrument_reduce() -> None:
    # Given 0.101 BTC short with a limit of 0.1
    scene = Scene()
    scene.monitor.account.on_positions([position(BTC, "-0.101")], is_snapshot=False)
    scene.execution_lots = [-101, 0]
    # If it is judged, I expect BTC to reduce and ETH to be free
    assert scene.step() is TradingState.REDUCING
    assert scene.monitor.verdict(scene.now_ns, 0).reason is RiskReason.POSITION_LIMIT
    assert scene.monitor.verdict(scene.now_ns, 1).state is TradingState.ACTIVE
    # and free again at the limit itself
    scene.monitor.account.on_positions([position(BTC, "-0.1")], is_snapshot=False)
    scene.execution_lots = [-100, 0]
    assert scene.step() is TradingState.ACTIVE


def test_gross_notional_counts_every_holding_of_the_account() -> None:
    # Given 0.1 BTC long, 1 ETH short, and a future that we do not quote
    scene = Scene(RiskConfig(gross_notional_max_usd=20_000.0))
    future = position("BTC-25DEC26", "0.05", mark="110000")
    scene.monitor.account.on_positions([position(BTC, "0.1"), position(ETH, "-1"), future], is_snapshot=True)
    scene.execution_lots = [100, -100]
    # If summed, I expect 10,000 + 4,000 + 5,500 gross and 11,500 net
    assert scene.monitor.account.gross_notional == pytest.approx(19_500.0)
    assert scene.monitor.account.net_notional == pytest.approx(11_500.0)
    # and a limit to be told: ETH is above the 0.1 base units too
    assert scene.step() is TradingState.REDUCING
    scene.monitor.account.on_mark(0, 130_000.0)
    scene.step()
    assert scene.monitor.verdict(scene.now_ns, 0).reason is RiskReason.NOTIONAL_LIMIT


def test_a_loss_from_the_peak_halts_for_good() -> None:
    # Given an equity that rose to 100 USD
    scene = Scene(RiskConfig(loss_from_peak_max_usd=250.0))
    scene.step(equity=100.0)
    # If it falls to 150 below zero, I expect no halt yet, and one cent further a halt
    assert scene.step(equity=-150.0) is TradingState.ACTIVE
    assert scene.step(equity=-150.01) is TradingState.HALTED
    # that stays when the equity comes back
    assert scene.step(equity=100.0) is TradingState.HALTED
    assert scene.reason is RiskReason.LOSS_FROM_PEAK


def test_after_a_resume_losses_count_from_where_the_equity_is() -> None:
    # Given a halt for loss
    scene = Scene()
    scene.step(equity=-300.0)
    # If the operator resumes
    scene.monitor.states.resume(scene.now_ns)
    scene.monitor.drawdown.restart_from_here()
    # I expect recovering, not the same halt again
    assert scene.step(equity=-300.0) is TradingState.RECOVERING


def test_a_missing_mark_of_something_held_halts() -> None:
    # Given a position whose mark is lost
    scene = Scene()
    scene.monitor.account.on_positions([position(BTC, "0.01")], is_snapshot=False)
    scene.execution_lots = [10, 0]
    scene.monitor.account.on_mark(0, math.nan)
    # If it is judged, I expect a halt; with the mark of a flat instrument missing, none
    assert scene.step() is TradingState.HALTED
    assert scene.reason is RiskReason.NOT_FINITE
    scene.monitor.account.on_mark(0, 100_000.0)
    scene.monitor.account.on_mark(1, 0.0)
    assert scene.step() is TradingState.ACTIVE


def test_a_difference_of_positions_is_borne_for_a_while_and_then_reduces() -> None:
    # Given that execution counts one lot more than the venue
    scene = Scene(RiskConfig(position_difference_s=2.0))
    scene.execution_lots = [1, 0]
    # If it goes away in time, I expect nothing
    assert scene.step(milliseconds=1900) is TradingState.ACTIVE
    scene.execution_lots = [0, 0]
    assert scene.step() is TradingState.ACTIVE
    scene.execution_lots = [1, 0]
    # If it persists, I expect the instrument to reduce until it is gone
    assert scene.step() is TradingState.ACTIVE
    assert scene.step(milliseconds=2001) is TradingState.REDUCING
    assert scene.reason is RiskReason.POSITION_DIFFERS
    scene.execution_lots = [0, 0]
    assert scene.step() is TradingState.ACTIVE


def test_more_orders_than_the_gate_can_have_let_pass_halt_for_the_cooldown() -> None:
    # Given a gate that lets 100 orders pass in a second
    scene = Scene(RiskConfig(cooldown_s=5.0, recovery_step_s=1.0))
    # If 150 are seen in one, I expect nothing; if 151 are, a halt that lasts
    scene.monitor.on_orders_sent([scene.now_ns] * 150)
    assert scene.step() is TradingState.ACTIVE
    scene.monitor.on_orders_sent([scene.now_ns])
    assert scene.step() is TradingState.HALTED
    assert scene.reason is RiskReason.ORDER_RATE
    assert scene.step(milliseconds=2000) is TradingState.HALTED
    assert scene.step(milliseconds=5000) is TradingState.RECOVERING
    assert scene.step(milliseconds=5000) is TradingState.ACTIVE


def test_a_snapshot_forgets_what_it_does_not_name() -> None:
    # Given a position
    scene = Scene()
    scene.monitor.account.on_positions([position(BTC, "0.02")], is_snapshot=False)
    # If a snapshot without it comes, I expect flat
    scene.monitor.account.on_positions([], is_snapshot=True)
    assert scene.monitor.account.holding(0).position == 0


def test_the_peak_and_the_first_equity_of_the_day_are_kept() -> None:
    # Given equity over midnight
    drawdown = Drawdown()
    day_ns = 86_400 * NS_PER_S
    for equity, at_ns in ((5.0, 10), (20.0, day_ns - 1), (12.0, day_ns), (30.0, day_ns + 1)):
        drawdown.update(equity, at_ns)
    # If asked, I expect the highest value and the first of the second day
    assert (drawdown.peak, drawdown.day, drawdown.day_start_equity) == (30.0, 1, 12.0)
    # and that a NaN is seen but spoils nothing
    drawdown.update(math.nan, day_ns + 2)
    assert math.isnan(drawdown.from_peak)
    assert drawdown.peak == 30.0


def test_an_instrument_on_which_venue_and_session_differ_is_halted_alone() -> None:
    # Given two instruments on which all agree
    scene = Scene()
    lots = {BTC: "0.001", ETH: "0.01"}
    listed = {name: instrument(name, lot) for name, lot in lots.items()}
    for row, name in enumerate((BTC, ETH)):
        scene.monitor.account.on_session_grid(row, grid_of(listed[name]), IN_FORCE)
    scene.monitor.account.on_positions([position(ETH, "0.05", "4000")], is_snapshot=True)
    scene.execution_lots[1] = 5
    assert scene.step() is TradingState.ACTIVE

    def expect(eth: TradingState, words: str = "") -> None:
        assert scene.step() is TradingState.ACTIVE  # the account and the other go on
        assert scene.monitor.verdict(scene.now_ns, 0).state is TradingState.ACTIVE
        verdict = scene.monitor.verdict(scene.now_ns, 1)
        assert verdict.state is eth
        assert words in verdict.text
        assert (verdict.reason is RiskReason.INSTRUMENT_OFF) == bool(words)
        # whatever happens, risk counts in the lots that the session began with
        assert scene.monitor.account.holding(1).instrument == listed[ETH]

    expect(TradingState.ACTIVE)
    # If a reconnect shows another lot, none at all, or the old one again
    scene.monitor.account.on_instruments({**listed, ETH: instrument(ETH, "0.001")})
    expect(TradingState.HALTED, "restart the session")
    scene.monitor.account.on_instruments({BTC: listed[BTC]})
    expect(TradingState.HALTED, "no longer lists it")
    scene.monitor.account.on_instruments(listed)
    expect(TradingState.ACTIVE)
    # If market_data says so, or the session began with another grid than risk
    scene.monitor.account.on_session_grid(1, grid_of(listed[ETH]), Off(OffReason.INSTRUMENT_CHANGED, CHANGED))
    expect(TradingState.HALTED, "restart the session")
    scene.monitor.account.on_session_grid(1, grid_of(instrument(ETH, "0.1")), IN_FORCE)
    expect(TradingState.HALTED, "lot_size 0.1")


def test_a_stop_loss_halts_its_instrument_until_it_is_flat_and_the_cooldown_is_over() -> None:
    # Given a long of 0.05 BTC entered at 100,000
    scene = Scene(RiskConfig(cooldown_s=5.0, recovery_step_s=1.0, stop_loss_bps=100))
    scene.monitor.account.on_positions([position(BTC, "0.05")], is_snapshot=False)
    assert scene.step() is TradingState.ACTIVE
    # If the mark falls by 1 %, I expect BTC halted and to be closed, and ETH to go on
    scene.monitor.account.on_mark(0, 99_000.0)
    assert scene.step() is TradingState.HALTED
    assert scene.reason is RiskReason.STOP_LOSS
    assert scene.monitor.verdict(scene.now_ns, 1).state is TradingState.ACTIVE
    assert list(scene.monitor.positions.exits) == [0]
    # and that to last when the mark comes back while something is held, and for the cool-down after that
    scene.monitor.account.on_mark(0, 100_000.0)
    assert scene.step(milliseconds=20_000) is TradingState.HALTED
    scene.monitor.account.on_positions([position(BTC, "0")], is_snapshot=False)
    assert scene.step() is TradingState.HALTED
    assert scene.monitor.positions.exits == {}
    assert scene.step(milliseconds=4_900) is TradingState.HALTED
    assert scene.step() is TradingState.RECOVERING
    assert scene.monitor.verdict(scene.now_ns, 1).state is TradingState.ACTIVE
    assert scene.step(milliseconds=3_000) is TradingState.ACTIVE


def test_take_profit_counts_what_the_position_cost() -> None:
    # Given a long of 1 ETH at 4,000 that cost 1.5 $ in fees, and a take profit of 10 bps before an exit for nothing
    scene = Scene(RiskConfig(position_max_base=2.0, take_profit_bps=10, exit_fee_bps=0))
    scene.monitor.account.on_positions([position(ETH, "1", "4000")], is_snapshot=False)
    trip = RoundTrip()
    trip.open_costs = Decimal("1.5")
    scene.monitor.round_trips = {ETH: trip}
    # If the mark gains 4 $, I expect nothing; with 5.5 $, the exit
    scene.monitor.account.on_mark(1, 4_004.0)
    assert scene.step() is TradingState.ACTIVE
    scene.monitor.account.on_mark(1, 4_005.5)
    assert scene.step() is TradingState.HALTED
    assert scene.reason is RiskReason.TAKE_PROFIT


def test_too_much_on_one_side_reduces_where_both_sides_together_would_not() -> None:
    # Given 10,000 $ net allowed and 20,000 gross
    scene = Scene(RiskConfig(position_max_base=5.0, gross_notional_max_usd=20_000.0, net_notional_max_usd=10_000.0))
    scene.monitor.account.on_positions([position(BTC, "0.09"), position(ETH, "-2", "4000")], is_snapshot=True)
    assert scene.step() is TradingState.ACTIVE
    # If the short is closed and more bought, I expect only reducing orders to pass
    scene.monitor.account.on_positions([position(BTC, "0.09"), position(ETH, "0.5", "4000")], is_snapshot=True)
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.NET_NOTIONAL


def test_value_at_risk_reduces_and_what_cannot_be_judged_may_not_grow() -> None:
    # Given a limit of 100 $ and 0.05 BTC (5,000 $) that move 10 $/√s, which is 70 $ in an hour at 99 %
    scene = Scene(RiskConfig(position_max_base=2.0, value_at_risk_max_usd=100.0))
    scene.monitor.account.on_positions([position(BTC, "0.05")], is_snapshot=False)
    assert scene.step() is TradingState.REDUCING
    scene.monitor.account.on_sigma(0, 10.0)
    assert scene.step() is TradingState.ACTIVE
    # If it moves twice as much, I expect reducing; a short in what moves with it takes that away
    scene.monitor.account.on_sigma(0, 20.0)
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.VALUE_AT_RISK
    scene.monitor.account.on_positions([position(ETH, "-1", "4000")], is_snapshot=False)
    scene.monitor.account.on_sigma(1, 0.8)
    scene.monitor.account.on_correlation(0, 1, 0.9)
    assert scene.step() is TradingState.ACTIVE
    # and none of it when they turn out to move against each other
    scene.monitor.account.on_correlation(0, 1, -0.9)
    assert scene.step() is TradingState.REDUCING


def test_expected_shortfall_has_a_limit_of_its_own() -> None:
    # Given 0.05 BTC that move 10 $/√s: 69.8 $ at risk in an hour at 99 %, 80.0 $ lost on average beyond it
    scene = Scene(RiskConfig(position_max_base=2.0, value_at_risk_max_usd=75.0, expected_shortfall_max_usd=81.0))
    scene.monitor.account.on_positions([position(BTC, "0.05")], is_snapshot=False)
    scene.monitor.account.on_sigma(0, 10.0)
    assert scene.step() is TradingState.ACTIVE
    # If the limit is one dollar less, I expect reducing, though value at risk is within its own
    scene.monitor.config = changed_limit(scene.monitor.config, "expected_shortfall_max_usd", "79").config
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.EXPECTED_SHORTFALL


@pytest.mark.parametrize("cause", sorted(set(Cause) - {Cause.STARTING}, key=lambda cause: cause.value))
def test_watching_goes_on_in_every_state(cause: Cause) -> None:
    # Given a cause that holds
    scene = Scene()
    scene.monitor.states.hold(cause, ACCOUNT, "held", 0, FOREVER)
    # If the account gets over a limit meanwhile, I expect risk to see it, and when it has gone
    scene.monitor.account.on_positions([position(BTC, "9")], is_snapshot=False)
    scene.step()
    assert scene.monitor.states.is_held(Cause.POSITION_LIMIT, 0)
    assert scene.monitor.interval_ns == RiskConfig().interval_min_ms * NS_PER_MS
    scene.monitor.account.on_positions([position(BTC, "0")], is_snapshot=False)
    scene.step()
    assert not scene.monitor.states.is_held(Cause.POSITION_LIMIT, 0)
    assert scene.monitor.interval_ns == RiskConfig().interval_ms * NS_PER_MS


def test_margin_and_a_near_liquidation_reduce() -> None:
    # Given a long of 1 ETH at 4,000 with 1,000 $ of margin, 400 required: 280 to maintain
    scene = Scene(RiskConfig(position_max_base=2.0, stop_loss_bps=0, margin_use_max=0.5))
    scene.monitor.account.on_positions([position(ETH, "1", "4000")], is_snapshot=False)
    scene.monitor.account.on_margin(1_000.0, 400.0)
    assert scene.step() is TradingState.ACTIVE
    # If more than half is required, I expect reducing
    scene.monitor.account.on_margin(1_000.0, 501.0)
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.MARGIN_USE
    # If a fifth of the 720 $ down to 3,280 is left, too
    scene.monitor.account.on_margin(1_000.0, 400.0)
    scene.monitor.account.on_mark(1, 3_424.5)
    assert scene.step() is TradingState.ACTIVE
    scene.monitor.account.on_mark(1, 3_423.5)
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.LIQUIDATION_NEAR


def test_orders_that_use_up_the_margin_leave_risk_calm_and_the_gate_no_room() -> None:
    # Given that 5 % of 100,000 $ may be used, a fifth of what is held or out, and nothing held
    scene = Scene(RiskConfig(margin_use_max=0.05, position_max_base=1.0))
    account = scene.monitor.account
    # If orders of our own need more: 0.3 BTC on either side
    account.on_margin(100_000.0, 6_000.0, {BTC: Working(Decimal("0.3"), Decimal("0.3"))})
    # I expect no cause, for nothing is held that could be reduced, and room for 0.25 BTC, all orders counted
    assert scene.step() is TradingState.ACTIVE
    assert rooms_of(account, scene.config).margin == pytest.approx(25_000.0)
    # If 0.2 of it is filled, I expect the same, less what is held since
    account.on_positions([position(BTC, "0.2")], is_snapshot=False)
    assert scene.step() is TradingState.ACTIVE
    assert rooms_of(account, scene.config).margin == pytest.approx(5_000.0)
    account.on_margin(100_000.0, 8_000.0, {BTC: Working(Decimal("0.2"), Decimal("0.3"))})
    assert scene.step() is TradingState.ACTIVE
    assert rooms_of(account, scene.config).margin == pytest.approx(5_000.0)
    # If what is held needs it, I expect reducing, and no end of it as the orders go
    account.on_positions([position(BTC, "0.26")], is_snapshot=False)
    account.on_margin(100_000.0, 8_000.0, {BTC: Working(Decimal("0.14"), Decimal("0.3"))})
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.MARGIN_USE
    assert "required margin 5200.00, our orders aside, is 5.2% of 100000.00, limit 5%" in scene.text
    account.on_margin(100_000.0, 5_200.0)
    assert scene.step() is TradingState.REDUCING


def test_what_is_bought_between_two_answers_leaves_less_room_to_liquidation_at_once() -> None:
    # Given 10,000 $ behind nothing
    scene = Scene(RiskConfig(liquidation_move_min=0.05, maintenance_fraction=0.7))
    account = scene.monitor.account
    account.on_margin(10_000.0, 0.0)
    before = rooms_of(account, scene.config).liquidation
    # If 0.1 BTC are bought and the next answer is not there yet
    account.on_positions([position(BTC, "0.1")], is_snapshot=False)
    # I expect exactly so much less room, and no more to change with the answer
    assert rooms_of(account, scene.config).liquidation == pytest.approx(before - 10_000.0)
    account.on_margin(10_000.0, 2_000.0)
    assert rooms_of(account, scene.config).liquidation == pytest.approx(before - 10_000.0)


def test_orders_of_others_leave_us_the_margin_that_they_do_not_use() -> None:
    # Given that a manual order alone requires 8,000 of 10,000 $, of which 80 % may be used
    scene = Scene(RiskConfig(margin_use_max=0.8))
    account = scene.monitor.account
    manual = {BTC: Working(bought=Decimal("0.4"))}
    account.on_margin(10_000.0, 8_000.0, manual, manual)
    # I expect no room for orders of ours
    assert rooms_of(account, scene.config).margin == pytest.approx(0.0)
    # ... and none of it to be lost when it is ours
    account.on_margin(10_000.0, 8_000.0, manual)
    assert rooms_of(account, scene.config).margin == pytest.approx(40_000.0)


def test_while_the_orders_are_not_known_all_that_is_required_counts() -> None:
    scene = Scene(RiskConfig(margin_use_max=0.8))
    scene.monitor.account.on_margin(10_000.0, 6_000.0, None)
    assert rooms_of(scene.monitor.account, scene.config).margin == pytest.approx(10_000.0)
    assert scene.monitor.account.margin_rate(0.2) == 0.2


def test_margin_for_orders_that_are_not_known_yet_teaches_no_rate() -> None:
    # Given 1,000 of 2,000 $ required for a ladder of which one order of 500 $ has been reported
    scene = Scene(RiskConfig(margin_use_max=0.8))
    account = scene.monitor.account
    account.on_margin(2_000.0, 1_000.0, {BTC: Working(bought=Decimal("0.005"))})
    # I expect the room of the configured rate
    assert rooms_of(account, scene.config).margin == pytest.approx(8_000.0)


def test_a_rate_that_leaves_no_room_is_forgotten_and_quoting_goes_on() -> None:
    # Given an answer from between the reports of two orders: it seems to ask for 80 % of the first
    scene = Scene(RiskConfig(margin_use_max=0.8))
    account = scene.monitor.account
    account.on_margin(2_000.0, 400.0, {BTC: Working(bought=Decimal("0.005"))})
    assert rooms_of(account, scene.config).margin == pytest.approx(2_000.0)
    # If nothing fits any more, so that no answer shows a rate, for long
    for _ in range(RATE_ANSWERS_KEPT):
        account.on_margin(2_000.0, 0.0)
    # I expect the room of the configured rate again
    assert rooms_of(account, scene.config).margin == pytest.approx(8_000.0)


def test_a_venue_that_asks_for_more_margin_than_configured_is_taken_at_its_word() -> None:
    # Given a rate of 20 % in the configuration, and a venue that asks for 40 % of orders of 0.1 BTC
    scene = Scene(RiskConfig(margin_use_max=0.05))
    account = scene.monitor.account
    assert account.margin_rate(0.2) == 0.2
    account.on_margin(100_000.0, 4_000.0, {BTC: Working(sold=Decimal("0.1"))})
    assert rooms_of(account, scene.config).margin == pytest.approx(12_500.0)
    # If the orders are gone, I expect it not to be forgotten: they would come back too large, and go again
    account.on_margin(100_000.0, 0.0)
    assert rooms_of(account, scene.config).margin == pytest.approx(12_500.0)
    # If positions that offset each other need less, I expect the configured rate
    account.on_positions([position(BTC, "0.1"), position(ETH, "-2.5", "4000")], is_snapshot=False)
    account.on_margin(100_000.0, 400.0)
    assert account.margin_rate(0.2) == 0.2


def test_the_loss_of_a_day_halts_until_an_operator_resumes() -> None:
    scene = Scene(RiskConfig(loss_of_day_max_usd=100.0))
    scene.monitor.drawdown.day_start_equity = 60.0  # an earlier run of the day lost as much
    scene.monitor.drawdown.day = 0
    assert scene.step(equity=-40.0) is TradingState.ACTIVE
    assert scene.step(equity=-40.5) is TradingState.HALTED
    assert scene.reason is RiskReason.LOSS_OF_DAY
    assert scene.step(equity=100.0) is TradingState.HALTED


def test_a_losing_streak_halts_for_the_cooldown_and_counts_anew() -> None:
    scene = Scene(RiskConfig(losing_streak_max=3, cooldown_s=5.0, recovery_steps=0))
    trip = RoundTrip()
    scene.monitor.round_trips = {BTC: trip}
    trip.losses = 2
    assert scene.step() is TradingState.ACTIVE
    trip.losses = 3
    assert scene.step() is TradingState.HALTED
    assert scene.reason is RiskReason.LOSING_STREAK
    assert scene.step(milliseconds=4_000) is TradingState.HALTED
    assert scene.step(milliseconds=5_100) is TradingState.ACTIVE
