"""Every limit, broken on one running session after the other: what was breached, what was done, how soon, what is held.

    pytest -s tests/integration/test_limits_in_session.py     prints the table

Times are those of the exchange's log alone: from the line of what breached the limit (the jump of the mark, the fill,
the answer that told of margin or funding) to the last order that added risk being gone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from domain.clock import NS_PER_MS
from messages.commands import Halt, Reduce
from tests.risk_session import BOUND_WIDTH, CANCEL_MS, FLAT_S, PERPETUAL, WIDE, Market, trading
from tests.sessions import wait_until

LIMITS = (
    WIDE
    + """
venue_silent_ms = 1500
market_data_stale_ms = 600
mark_stale_ms = 1000
"""
)
CONFIG = """
[venue]
kind = "thalex"

[instruments."BTC-PERPETUAL"]

[strategy]
levels = 1
order_size_base = 0.03
position_soft_base = 0.3
position_hard_base = 0.5

[execution]
flatten_passive_s = 0.2

[risk]
position_max_base = 5.0
cooldown_s = 1.0
recovery_steps = 2
recovery_step_s = 0.15
"""
OFF = 1e6  # a limit that nothing reaches
REPEATS = 5
MARGIN_RATIO = 0.2  # the exchange's own
MARGIN_TOLD_S = 1.2  # the venue is asked for margin once a second


class Row(NamedTuple):
    """One line of the table. `silence_ms` is what the limit itself allows; the figure counts it in."""

    cause: str
    breached: str
    action: str
    cancel_ms: float
    flat_s: float | None
    position: float
    silence_ms: float = 0.0

    @property
    def text(self) -> str:
        flat = "" if self.flat_s is None else f"{self.flat_s:.2f}"
        allowed = f" ({self.silence_ms:.0f} allowed)" if self.silence_ms else ""
        return (
            f"| {self.cause} | {self.breached} | {self.action} | {self.cancel_ms:.0f}{allowed} | {flat} | "
            f"{self.position:g} |"
        )


class Table:
    """What was measured."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(row.text, flush=True)

    def show(self) -> None:
        print(
            "\n| cause | breached | done | ms to orders gone | s to flat | position after |\n|---|---|---|---|---|---|"
        )
        print("\n".join(row.text for row in self.rows))
        at_once = [row.cancel_ms for row in self.rows if not row.silence_ms]
        if at_once:
            print(f"median {statistics.median(at_once):.0f} ms, largest {max(at_once):.0f} ms, of {len(at_once)}")


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    table = Table()
    yield table
    table.show()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with trading(tmp_path_factory.mktemp("limits"), LIMITS, config=CONFIG) as market:
        yield market


@pytest.fixture
def market(running: Market) -> Iterator[Market]:
    """The running session, flat and calm before, every limit wide again afterwards."""
    running.calm()
    yield running
    running.operator.call("admin/set_funding", {"instrument_name": PERPETUAL})
    running.operator.call("admin/set_margin", {"spot_move_ratio": MARGIN_RATIO})
    for name, value in WIDE_AGAIN.items():
        running.limit(name, value)


WIDE_AGAIN = {
    "position_max_base": 5.0, "order_size_max_base": 0.05, "gross_notional_max_usd": 1e9, "net_notional_max_usd": 1e9,
    "stop_loss_bps": 0, "trailing_stop_bps": 0, "take_profit_bps": 0, "losing_streak_max": 0,
    "expected_shortfall_max_usd": 0, "value_at_risk_max_usd": 0,
    "margin_use_max": 0.8, "liquidation_distance_min": 0.2, "order_rate_max_per_s": 100,
    "loss_from_peak_max_usd": OFF, "loss_of_day_max_usd": OFF, "flatten_on_halt": "false",
}  # fmt: skip


def reason_of(market: Market, begun: int, reason: str) -> dict[str, Any]:
    """Return risk's own line about the state that it took for a reason."""
    return market.wait_for_decision(
        begun, lambda line: line["decision"] == "state" and line["reason"] == reason, f"the state changes for {reason}"
    )


def orders_gone_ms(market: Market, since_ns: int, side: str | None = None) -> float:
    """Return how long after `since_ns` the last order of `side` (None = any) that could add to a position was gone."""
    wait_until(lambda: market.gone_ns(since_ns, time.monotonic_ns(), side) is not None, 10.0, "the orders are gone")
    time.sleep(0.2)  # and stay so
    gone_ns = market.gone_ns(since_ns, time.monotonic_ns(), side)
    assert gone_ns is not None, "orders came back"
    assert gone_ns > since_ns, "no order was open that could be cancelled"
    return (gone_ns - since_ns) / NS_PER_MS


def check(table: Table, row: Row) -> None:
    """Add a row; its times are within five times what is promised."""
    table.add(row)
    assert row.cancel_ms - row.silence_ms <= CANCEL_MS * BOUND_WIDTH, row
    assert row.flat_s is None or row.flat_s <= FLAT_S * BOUND_WIDTH, row


# ---- exits: the position is closed ---------------------------------------------------------------------


class Exit(NamedTuple):
    """A rule that closes a position: the limit, and the moves of the market that break it."""

    limit: str
    value: float
    reason: str
    moves: tuple[float, ...]


EXITS = [
    *[Exit("stop_loss_bps", 20.0, "STOP_LOSS", (-400.0,))] * REPEATS,
    Exit("take_profit_bps", 20.0, "TAKE_PROFIT", (400.0,)),
    Exit("trailing_stop_bps", 15.0, "TRAILING_STOP", (300.0, -250.0)),
]


@pytest.mark.parametrize("exit_rule", EXITS, ids=lambda rule: rule.limit)
def test_a_jump_of_the_price_closes_the_position(market: Market, table: Table, exit_rule: Exit) -> None:
    # Given a long, and one rule
    market.become("buy")
    market.session.wait_for_quotes()
    market.limit(exit_rule.limit, exit_rule.value)
    for move in exit_rule.moves[:-1]:
        market.jump(move)
        time.sleep(0.3)
        market.session.wait_for_quotes()
    begun = len(market.decisions())
    # If the market moves against it
    breached_ns = market.jump(exit_rule.moves[-1])
    # I expect the quotes gone, the position closed, and quotes again after the cool-down
    told = reason_of(market, begun, exit_rule.reason)
    cancel_ms = orders_gone_ms(market, breached_ns)
    flat_s = market.wait_flat(breached_ns)
    closed = [line["decision"] for line in market.decisions()[begun:] if line["decision"].startswith("position_")]
    check(table, Row(exit_rule.reason, numbers(told), "halted, closed", cancel_ms, flat_s, market.held_by_venue()))
    assert market.held_by_venue() == 0.0, closed
    market.session.wait_for_quotes()


# ---- losses: halted until an operator resumes ----------------------------------------------------------


@pytest.mark.parametrize("limit", ["loss_from_peak_max_usd", "loss_of_day_max_usd"])
def test_a_loss_halts_for_good_and_flattens(market: Market, table: Table, limit: str) -> None:
    market.become("buy")
    market.session.wait_for_quotes()
    lost = lost_so_far(market, limit)
    market.limit(limit, lost + 6.0)
    market.limit("flatten_on_halt", "true")
    begun = len(market.decisions())
    breached_ns = market.jump(-400.0)
    reason = limit.removesuffix("_max_usd").upper()
    told = reason_of(market, begun, reason)
    cancel_ms = orders_gone_ms(market, breached_ns)
    flat_s = market.wait_flat(breached_ns)
    check(table, Row(reason, numbers(told), "halted, flattened", cancel_ms, flat_s, market.held_by_venue()))
    assert market.risk()["latched"] == [reason.lower()]
    assert market.open_sides() == set()


def test_a_funding_shock_is_a_loss_like_any_other(market: Market, table: Table) -> None:
    # Given a long, 5 $ that may be lost
    market.become("buy")
    market.session.wait_for_quotes()
    market.limit("loss_from_peak_max_usd", lost_so_far(market, "loss_from_peak_max_usd") + 5.0)
    market.limit("flatten_on_halt", "true")
    begun = len(market.decisions())
    # If funding takes 10 $ a second, which the next answer of the venue tells
    shocked_ns = market.do("set_funding", instrument_name=PERPETUAL, rate=100.0)
    told = reason_of(market, begun, "LOSS_FROM_PEAK")
    cancel_ms = orders_gone_ms(market, shocked_ns)
    breached_ns = last_before(market, "private/portfolio", shocked_ns + round(cancel_ms * NS_PER_MS))
    flat_s = market.wait_flat(breached_ns)
    total_ms = (breached_ns - shocked_ns) / NS_PER_MS
    cause = f"LOSS_FROM_PEAK by funding (told {total_ms:.0f} ms after it began)"
    row = Row(cause, numbers(told), "halted, flattened", cancel_ms - total_ms, flat_s, market.held_by_venue())
    check(table, row)
    assert market.risk()["latched"] == ["loss_from_peak"]


def test_round_trips_lost_in_a_row_halt(market: Market, table: Table) -> None:
    # Given that one round trip may be lost; those of before count once more
    market.limit("losing_streak_max", 1)
    time.sleep(0.2)
    market.calm()
    market.trade_by_hand("buy", 0.02)
    market.session.wait_for_quotes()
    begun = len(market.decisions())
    # If it is sold again, at a loss by the fees alone
    breached_ns = market.trade_by_hand("sell", 0.02)
    told = reason_of(market, begun, "LOSING_STREAK")
    cancel_ms = orders_gone_ms(market, breached_ns)
    check(table, Row("LOSING_STREAK", numbers(told), "halted", cancel_ms, None, market.held_by_venue()))
    market.session.wait_for_quotes()


# ---- too much is held: only what reduces ---------------------------------------------------------------


class Held(NamedTuple):
    """A limit on what is held, broken by a trade by hand."""

    limit: str
    value: float
    reason: str


HELD = [
    Held("position_max_base", 0.05, "POSITION_LIMIT"),
    Held("gross_notional_max_usd", 10_000.0, "NOTIONAL_LIMIT"),
    Held("net_notional_max_usd", 4_000.0, "NET_NOTIONAL"),
    Held("value_at_risk_max_usd", 1.0, "VALUE_AT_RISK"),
    Held("expected_shortfall_max_usd", 1.0, "EXPECTED_SHORTFALL"),
    Held("margin_use_max", 0.01, "MARGIN_USE"),
]


@pytest.mark.parametrize("held", HELD, ids=lambda held: held.limit)
def test_a_position_changed_by_hand_leaves_only_the_reducing_side(market: Market, table: Table, held: Held) -> None:
    # Given a limit that what is held obeys, now that the margin of the last test is given back
    if held.limit == "margin_use_max":
        time.sleep(MARGIN_TOLD_S)
    market.limit(held.limit, held.value)
    market.session.wait_for_quotes()
    begun = len(market.decisions())
    size = 0.06 if held.limit != "gross_notional_max_usd" else 0.11
    # If somebody buys on the session's own account, past it
    breached_ns = market.trade_by_hand("buy", size)
    # I expect no bid any more, and asks: the room for margin too is gone with the fill, before the venue tells of it
    told = reason_of(market, begun, held.reason)
    cancel_ms = orders_gone_ms(market, breached_ns, "buy")
    wait_until(lambda: market.open_sides() == {"sell"}, 10.0, "asks alone rest")
    check(table, Row(f"{held.reason} by hand", numbers(told), "reducing", cancel_ms, None, market.held_by_venue()))


def test_takers_on_one_side_never_fill_us_beyond_the_limit(market: Market, table: Table) -> None:
    # Given room for two orders
    market.limit("position_max_base", 0.06)
    # If takers sell and sell
    market.become("buy", 0.06)
    filled_ns = int(market.fills()[-1]["monotonic_ns"])
    for _ in range(10):
        market.operator.call(
            "admin/take",
            {"instrument_name": PERPETUAL, "direction": "sell", "amount": 0.05, "price": 99_000},
        )
        time.sleep(0.05)
    # I expect the bid off from the last fill on, and not a lot more than was allowed
    bids = [line for line in market.log() if line["side"] == "buy" and line["monotonic_ns"] > filled_ns]
    assert [line for line in bids if line["status"] in ("open", "partially_filled")] == [], market.log()[-12:]
    assert market.held_by_venue() == 0.06
    assert market.open_sides() == {"sell"}
    assert market.risk()["state"] == "active"
    table.add(Row("one-sided takers", "position 0.06, limit 0.06 base units", "no bid is sent", 0, None, 0.06))


@pytest.mark.parametrize("limit", ["margin_use_max", "liquidation_distance_min"])
def test_a_margin_squeeze_leaves_only_the_reducing_side(market: Market, table: Table, limit: str) -> None:
    # Given a long of 0.03
    market.become("buy")
    market.session.wait_for_quotes()
    begun = len(market.decisions())
    if limit == "margin_use_max":
        # If the venue asks 20 times the margin, which its next answer tells
        market.limit("margin_use_max", 0.1)
        begun = len(market.decisions())
        squeezed_ns = market.do("set_margin", spot_move_ratio=MARGIN_RATIO * 20)
        reason = "MARGIN_USE"
    else:
        market.limit("liquidation_distance_min", 0.999)
        breached_ns = market.jump(-300.0)
        reason = "LIQUIDATION_NEAR"
    told = reason_of(market, begun, reason)
    if limit == "margin_use_max":
        breached_ns = market.told_ns("private/account_summary", squeezed_ns)
    cancel_ms = orders_gone_ms(market, breached_ns, "buy")
    wait_until(lambda: market.open_sides() == {"sell"}, 10.0, "asks alone rest")
    check(table, Row(f"{reason} by squeeze", numbers(told), "reducing", cancel_ms, None, market.held_by_venue()))


# ---- silence and doubt ---------------------------------------------------------------------------------


def test_a_position_that_execution_does_not_know_of_leaves_only_the_reducing_side(market: Market, table: Table) -> None:
    # Given an execution that is told nothing of the account any more
    market.limit("position_difference_s", 0.5)
    session_id = connection_of(market, "execution")
    market.do("fault", kind="drop", channel="account.", session=session_id, probability=1.0, duration_s=30)
    begun = len(market.decisions())
    # If somebody buys on its account
    breached_ns = market.trade_by_hand("buy", 0.02)
    told = reason_of(market, begun, "POSITION_DIFFERS")
    cancel_ms = orders_gone_ms(market, breached_ns, "buy")
    check(
        table,
        Row("POSITION_DIFFERS", numbers(told), "reducing", cancel_ms, None, market.held_by_venue(), silence_ms=500),
    )
    market.operator.call("admin/clear_faults")
    market.trade_by_hand("sell", 0.02)  # told again: both sides agree


class Silence(NamedTuple):
    """Somebody from whom nothing is heard. `channel`: what is dropped; empty = everything, a black hole."""

    who: str
    reason: str
    allowed_ms: float
    channel: str = ""


SILENCES = [
    Silence("risk", "VENUE_DISCONNECTED", 1500),
    Silence("market_data", "STALE_MARKET_DATA", 600),
    Silence("market_data", "NOT_FINITE", 1000, "ticker."),
]


@pytest.mark.parametrize("silence", SILENCES, ids=lambda silence: silence.reason)
def test_silence_takes_every_quote_away_until_it_ends(market: Market, table: Table, silence: Silence) -> None:
    if silence.channel:
        market.become("buy")  # without a mark nothing that is held can be judged
        market.session.wait_for_quotes()
    session_id = connection_of(market, silence.who)
    begun = len(market.decisions())
    fault = (
        {"kind": "drop", "channel": silence.channel, "probability": 1.0} if silence.channel else {"kind": "blackhole"}
    )
    breached_ns = market.do("fault", **fault, session=session_id, duration_s=2.5)
    if silence.channel:  # nor is it told when it asks
        market.operator.call("admin/fault", {"kind": "error", "method": "public/ticker", "code": 20, "count": 1000})
    told = reason_of(market, begun, silence.reason)
    cancel_ms = orders_gone_ms(market, breached_ns)
    row = Row(silence.reason, numbers(told), "halted", cancel_ms, None, market.held_by_venue(), silence.allowed_ms)
    check(table, row)
    market.session.wait_for_quotes()


# ---- orders, operator ----------------------------------------------------------------------------------


def test_orders_that_the_gate_cannot_have_let_pass_halt(market: Market, table: Table) -> None:
    begun = len(market.decisions())
    market.jump(50.0)
    quotes_move(market)
    breached_ns = time.monotonic_ns()
    market.limit("order_rate_max_per_s", 1)
    told = reason_of(market, begun, "ORDER_RATE")
    cancel_ms = orders_gone_ms(market, breached_ns)
    check(table, Row("ORDER_RATE", numbers(told), "halted", cancel_ms, None, market.held_by_venue()))


@pytest.mark.parametrize(("command", "side"), [(Halt("test"), None), (Reduce(), "buy")], ids=["halt", "reduce"])
def test_the_operator_is_obeyed_at_once(market: Market, table: Table, command: Halt | Reduce, side: str | None) -> None:
    market.become("buy")
    market.session.wait_for_quotes()
    begun = len(market.decisions())
    asked_ns = time.monotonic_ns()
    assert market.session.send(command).ok
    told = reason_of(market, begun, "OPERATOR")
    cancel_ms = orders_gone_ms(market, asked_ns, side)
    name = "halt" if side is None else "reduce"
    check(
        table, Row(f"operator: {name}", numbers(told), told["state"].lower(), cancel_ms, None, market.held_by_venue())
    )


# ---- words ---------------------------------------------------------------------------------------------


def numbers(told: dict[str, Any]) -> str:
    return str(told["text"]).removeprefix(f"{PERPETUAL}: ")


def lost_so_far(market: Market, limit: str) -> float:
    """Return what is lost already, so that the limit counts from here."""
    told = market.risk()
    if limit == "loss_from_peak_max_usd":
        return max(0.0, float(told["equity_peak"]) - float(told["equity"]))
    return max(0.0, float(told["day_start_equity"]) - float(told["equity"]))


def last_before(market: Market, method: str, until_ns: int) -> int:
    """Return when the account was told something for the last time before `until_ns`."""
    asked = [line["monotonic_ns"] for line in market.lines() if line.get("method") == method]
    return int(max(at for at in asked if at <= until_ns))


def connection_of(market: Market, actor: str) -> str:
    """Return the exchange's id of the connection that an actor has now."""
    import psutil

    port = int(market.exchange.url.rpartition(":")[2].partition("/")[0])
    peers = {line["peer"]: line["session"] for line in market.lines() if line["event"] == "connect"}
    for connection in psutil.Process(market.session.actor_pid(actor)).net_connections("tcp"):
        if connection.raddr and connection.raddr.port == port:
            return str(peers[f"{connection.laddr.ip}:{connection.laddr.port}"])
    raise AssertionError(f"{actor} has no connection")


def quotes_move(market: Market) -> None:
    """Let the background move the book after a jump, until our quotes have followed it."""
    market.operator.call("admin/start_flow")
    time.sleep(0.5)
    market.operator.call("admin/stop_flow")
    market.session.wait_for_quotes()
