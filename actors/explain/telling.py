"""A story and its decisions in words for people, and as data for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from math import ceil, floor
from typing import Any

from actors.explain.decision import Decision
from actors.explain.story import Row, Story
from domain.clock import NS_PER_S, NS_PER_US

# Shaping steps: column, the value at which it does nothing, words.
_SHAPING = (
    ("market_impact_usd", 0.0, "market impact {:+.4f} $"),
    ("flow_factor", 1.0, "one-sided flow ×{:.4g}"),
    ("displacement_factor", 1.0, "displacement ×{:.4g}"),
    ("bid_asymmetry_factor", 1.0, "bid asymmetry ×{:.4g}"),
    ("ask_asymmetry_factor", 1.0, "ask asymmetry ×{:.4g}"),
    ("bid_fill_factor", 1.0, "bid fills ×{:.4g}"),
    ("ask_fill_factor", 1.0, "ask fills ×{:.4g}"),
    ("signal_shift_usd", 0.0, "signals shift {:+.4f} $"),
    ("drift_shift_usd", 0.0, "drift shift {:+.4f} $"),
    ("inventory_cost_usd", 0.0, "inventory cost {:+.4f} $"),
    ("gamma_factor", 1.0, "γ ×{:.4g} for volatility"),
    ("market_stress", 1.0, "market stress ×{:.4g}"),
    ("gamma_signal_factor", 1.0, "γ ×{:.4g} for signals"),
    ("sigma_signal_factor", 1.0, "σ ×{:.4g} for signals"),
    ("decay_signal_factor", 1.0, "κ ×{:.4g} for signals"),
    ("bid_size_factor", 1.0, "bid sizes ×{:.4g}"),
    ("ask_size_factor", 1.0, "ask sizes ×{:.4g}"),
)
_MEASURED = ("prior", "measured", "measured from the book")


def latencies_us(story: Story, sent: Row, decision: Decision) -> dict[str, float | None]:
    """Return how long each step to a message took, µs; None where it is not known.

    book_age: from the frame of the book to the quote; to_send: from the quote to the write; answer: from there until
    the answer was read; venue: from the write to the venue's own stamp, by two clocks, where the answer has one of its
    own: what the venue says of an amended order carries the stamp of its insert.
    """
    terms, book = decision.terms, decision.book
    answer = story.answer_to(sent)
    stamp_ns = answer["exchange_time_ns"] if answer is not None and answer["kind"] == "accepted" else 0
    return {
        "book_age": _us(terms["computed_time_ns"] - book["receive_time_ns"]) if terms and book else None,
        "to_send": _us(sent["monotonic_ns"] - terms["computed_time_ns"]) if terms else None,
        "answer": _us(answer["local_monotonic_ns"] - sent["monotonic_ns"]) if answer is not None else None,
        "venue": _us(stamp_ns - sent["time_ns"]) if stamp_ns else None,
    }


def as_data(story: Story, decisions: Mapping[int, Decision], explained: list[Row]) -> dict[str, Any]:
    """Return everything as plain values, NaN as null."""
    told = []
    for sent in explained:
        decision = decisions[sent["wish_id"]]
        told.append(
            {
                **decision._asdict(),
                "recomputed": decision.again._asdict(),
                "sent": sent,
                "latency_us": latencies_us(story, sent, decision),
            }
        )
        del told[-1]["again"]
    data = {**story._asdict(), "end": story.end, "why_it_ended": why_it_ended(story), "decisions": told}
    return {name: _plain(value) for name, value in data.items()}


def lines_of(story: Story, decisions: Mapping[int, Decision], explained: list[Row]) -> list[str]:
    """Return the story, and the decision behind each of the messages in `explained`."""
    venue = f" (the venue's {story.venue_order_id})" if story.venue_order_id else ""
    lines = [f"order {story.client_order_id or '?'}{venue}: {story.side} {story.instrument}"]
    lines += _timeline(story)
    lines.append(f"end: {why_it_ended(story)}")
    for sent in explained:
        lines += ["", f"{sent['action']} for wish {sent['wish_id']}:"]
        lines += [f"  {name:<11} {text}" for name, text in _steps(story, sent, decisions[sent["wish_id"]])]
    return lines


def why_it_ended(story: Story) -> str:
    """Return one line: what ended the order, and who asked for it."""
    end, asked = story.end, story.cancel_asked
    if end is None:
        return "it lives, as far as the record goes"
    if end["kind"] == "filled":
        return "filled"
    if end["kind"] == "rejected":
        return f"the venue rejected it with code {end['venue_code']}"
    if end["kind"] == "denied":
        return "our own gate denied it"
    venue = f"the venue says {end['reason']}" if end["reason"] else "the venue gave no reason"
    if asked is None or asked["monotonic_ns"] > end["local_monotonic_ns"]:
        return f"cancelled without our asking: {venue}"
    took_ms = (end["local_monotonic_ns"] - asked["monotonic_ns"]) / 1e6
    return f"cancelled as we asked {took_ms:.1f} ms before; {venue}"


def _timeline(story: Story) -> list[str]:
    tick = story.tick_size
    told: list[tuple[int, str]] = []
    for sent in story.sent:
        terms = f" {sent['side']} {sent['size']} at {sent['price']}" if sent["price"] is not None else ""
        wish = f", wish {sent['wish_id']}" if sent["wish_id"] else ""
        told.append((sent["time_ns"], f"we send     {sent['action']}{terms}{wish}"))
    for event in story.events:
        if event["kind"] != "filled":
            reason = f" ({event['reason']})" if event["reason"] else ""
            left = f"{event['remaining_lots'] * story.lot_size:.10g} open at {event['price_ticks'] * tick:.10g}"
            told.append((event["time_ns"], f"venue says  {event['kind']}{reason}, {left}"))
    for fill in story.fills:
        fee = f", fee {fill['fee']} $" if fill["fee"] is not None else ""
        whose = f" as {fill['liquidity']}" if fill["liquidity"] else ""
        told.append((fill["time_ns"], f"venue says  filled {fill['size']} at {fill['price']}{whose}{fee}"))
    return [f"  {_clock(time_ns)}  {text}" for time_ns, text in sorted(told, key=lambda one: one[0])]


def _steps(story: Story, sent: Row, decision: Decision) -> list[tuple[str, str]]:
    terms = decision.terms
    if terms is None:
        return [("recomputed:", decision.again.verdict)]
    return [
        ("market", _market(terms, decision, story.tick_size)),
        ("holdings", f"position {terms['position_base']:+g}, inventory {terms['inventory_base']:+g} base"),
        ("estimates", _estimates(terms)),
        ("fair", _fair(terms)),
        ("model", _model(terms)),
        ("shaping", _shaping(terms)),
        ("prices", _prices(terms)),
        ("ticks", _ticks(terms, decision, story.tick_size)),
        ("levels", _levels(story, sent, decision)),
        ("gate", _gate(decision)),
        ("times", _times(story, sent, decision)),
        ("recomputed:", _again(decision)),
    ]


def _market(terms: Row, decision: Decision, tick: float) -> str:
    text = f"bid {terms['best_bid_ticks'] * tick:.10g}, ask {terms['best_ask_ticks'] * tick:.10g} without ours"
    text += f", mid {terms['mid_price_usd']:.10g}, micro-price {terms['micro_price_usd']:.10g}"
    if (book := decision.book) is not None:
        text += f"; the book {terms['book_position']}: {book['bid_price_1_usd']:.10g} / {book['ask_price_1_usd']:.10g}"
    return text


def _estimates(terms: Row) -> str:
    arrivals = _MEASURED[terms["arrivals_are_measured"]]
    return (
        f"σ {terms['sigma_usd_per_sqrt_s']:.6g} $/√s ({_MEASURED[terms['sigma_is_measured']]}), "
        f"A {terms['arrival_rate_per_s']:.6g} 1/s, κ {terms['arrival_decay_per_usd']:.6g} 1/$ ({arrivals}), "
        f"γ {terms['risk_aversion_per_usd']:.6g} 1/$"
    )


def _fair(terms: Row) -> str:
    others = [
        f"{name} {terms[column]:.10g}"
        for name, column in (("mark", "mark_price_usd"), ("index", "index_price_usd"))
        if terms[column] is not None and math.isfinite(terms[column])
    ]
    funding = f", less funding {terms['funding_usd']:.4g} $" if terms["funding_usd"] else ""
    return f"{terms['fair_price_usd']:.10g}{funding}" + (f" ({', '.join(others)})" if others else "")


def _model(terms: Row) -> str:
    return (
        f"half-spread {terms['half_spread_model_usd']:.6g} $, skew {terms['skew_usd']:+.6g} $ "
        f"({terms['skew_per_unit_usd_per_base']:.6g} $ per base unit held)"
    )


def _shaping(terms: Row) -> str:
    acted = [words.format(terms[column]) for column, neutral, words in _SHAPING if terms[column] != neutral]
    floor = f"floor for fees {terms['half_spread_fee_floor_usd']:.4g} $"
    return ", ".join([*acted, floor, f"half-spread in the end {terms['half_spread_usd']:.6g} $"])


def _prices(terms: Row) -> str:
    return (
        f"reservation {terms['reservation_price_usd']:.10g}, bid {terms['bid_price_usd']:.10g}, "
        f"ask {terms['ask_price_usd']:.10g}"
    )


def _ticks(terms: Row, decision: Decision, tick: float) -> str:
    """Return the first prices after rounding (bids down, asks up), and what else moved or took them away."""
    sides = []
    for side in ("bid", "ask"):
        off = decision.off[side]
        ticks = terms[f"quote_{side}_ticks"]
        rounded = floor(terms["bid_price_usd"] / tick) if side == "bid" else ceil(terms["ask_price_usd"] / tick)
        held = " (held where it was)" if ticks != rounded and f"{side}_post_only" not in decision.clamps else ""
        sides.append(f"{side} {ticks * tick:.10g}{held}" if off == "quoted" else f"{side} off: {off}")
    clamps = f"; bounds that acted: {', '.join(decision.clamps)}" if decision.clamps else ""
    return ", ".join(sides) + clamps


def _levels(story: Story, sent: Row, decision: Decision) -> str:
    if not decision.levels:
        return "not known"
    levels = decision.levels["bid" if sent["side"] == "buy" else "ask"]
    shown = ", ".join(f"{lots * story.lot_size:.10g} at {ticks * story.tick_size:.10g}" for ticks, lots in levels)
    place = next((i for i, (ticks, _) in enumerate(levels, 1) if _is_price(sent, ticks * story.tick_size)), 0)
    whose = f"this is level {place}" if place else "this price is none of them: execution moved it off the book"
    return f"{shown or 'none'}; {whose}"


def _is_price(sent: Row, price: float) -> bool:
    return sent["price"] is not None and math.isclose(float(sent["price"]), price, rel_tol=1e-12)


def _gate(decision: Decision) -> str:
    limits = decision.limits
    if not limits:
        return "passed: it was sent; the limits were not recorded"
    return (
        f"passed; risk {limits['state']}, orders up to {limits['order_lots_max']} lots, position up to "
        f"{limits['position_lots_max']} lots, room {limits['gross_notional_room']:.10g} $, "
        f"collar {limits['collar_low']:.10g} to {limits['collar_high']:.10g}"
    )


def _times(story: Story, sent: Row, decision: Decision) -> str:
    found = latencies_us(story, sent, decision)
    words = (
        ("book_age", "{:.0f} µs after the frame of its book"),
        ("to_send", "written {:.0f} µs later"),
        ("answer", "answered after {:.0f} µs"),
        ("venue", "venue's stamp {:+.0f} µs (two clocks)"),
    )
    return ", ".join(text.format(found[name]) for name, text in words if found[name] is not None)


def _again(decision: Decision) -> str:
    again = decision.again
    if again.verdict == "equal":
        return f"equal ({again.compared} fields, the hash of the state among them, bit for bit)"
    return f"{again.verdict} in {', '.join(again.fields)}" if again.fields else again.verdict


def _us(duration_ns: int) -> float:
    return duration_ns / NS_PER_US


def _clock(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // NS_PER_S, UTC)
    return f"{moment:%H:%M:%S}.{time_ns % NS_PER_S // NS_PER_US:06d}"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
