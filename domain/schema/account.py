"""Account and risk, numbers 200 to 299: what we hold, what it earned, what is allowed."""

from __future__ import annotations

from domain.schema.fields import Field, RecordType, floats, ints
from domain.schema.orders import LADDER

ACCOUNT = RecordType(
    "account",
    200,
    "Our holdings and working orders in one instrument, as the venue confirmed them to execution.",
    [
        *ints(
            ("instrument", "row of the instruments table"),
            ("updated_time_ns", "monotonic"),
            ("is_known", "1 once recovered from the venue; 0 = treat as exposed"),
            ("position_lots", "signed holdings"),
            ("pending_buy_lots", "sent, not yet confirmed or refused"),
            ("pending_sell_lots", "sent, not yet confirmed or refused"),
            ("fill_count", "distinct fills of this session"),
        ),
        *LADDER,
        *ints(
            ("session_time_ns", "monotonic, when the first wish for this instrument was seen"),
            ("bid_quoted_ns", "time with a bid open at the venue"),
            ("ask_quoted_ns", "time with an ask open at the venue"),
            ("bid_allowed_ns", "time in which no limit, pause or filter took the bid away"),
            ("ask_allowed_ns", "time in which no limit, pause or filter took the ask away"),
            ("accounted_time_ns", "monotonic, up to which the four times above are counted"),
        ),
    ],
)

# Money as the ledger has it: decimals in full, so that sums agree to the last digit.
_EXACT_PNL = [
    Field("realised_exact", "text", "decimal, quote currency, before fees"),
    Field("unrealised_exact", "text", "decimal, quote currency"),
    Field("fees_exact", "text", "decimal, quote currency, paid is positive"),
    Field("funding_exact", "text", "decimal, quote currency, received is positive"),
    Field("total_exact", "text", "decimal, quote currency: realised + unrealised - fees + funding"),
]

LIMITS = RecordType(
    "limits",
    201,
    "The limits now in force for one instrument; only risk writes it; older than 500 ms it closes the gate.",
    [
        *ints(
            ("instrument", "row of the instruments table"),
            ("written_time_ns", "monotonic"),
            ("state", "a TradingState"),
            ("reason", "a RiskReason: why the state is not active"),
            ("is_position_known", "1 when the venue has told risk the position"),
            ("position_lots", "signed, as risk knows it from the venue"),
            ("order_lots_max", "largest single order"),
            ("position_lots_max", "largest |position| incl. working orders"),
            ("open_orders_max", "in this instrument"),
            ("order_rate_max", "inserts and amends in any one second, all instruments"),
            ("levels_max", "levels of each side that may be quoted"),
            ("duplicate_window_ns", "the same order again is refused for so long, and until the first is answered"),
            ("room_reason", "a RiskReason: which limit makes gross_notional_room what it is"),
        ),
        *floats(
            ("order_notional_max", "quote currency"),
            ("gross_notional_room", "quote currency that new exposure may still add over all instruments"),
            ("net_long_room", "quote currency that buying may still add to the signed notional of all instruments"),
            ("net_short_room", "quote currency that selling may still take from it"),
            ("mark_price", "quote currency; NaN when unknown"),
            ("collar_low", "lowest price of any order"),
            ("collar_high", "highest price of any order"),
        ),
    ],
)

RISK = RecordType(
    "risk",
    202,
    "What risk knows of the whole account; `*_exact` sum up the rows of `pnl` with the same written_time_ns, and are "
    "empty while one of them is not known.",
    [
        *ints(
            ("written_time_ns", "monotonic"),
            ("state", "a TradingState"),
            ("reason", "a RiskReason"),
            ("is_kill_latched", "1 until an operator resumes"),
            ("is_connected", "1 while risk's own venue connection lives"),
            ("open_orders", "ours, as the venue shows them"),
        ),
        *floats(
            ("equity", "quote currency, profit and loss since the session began"),
            ("equity_peak", "highest equity of the session"),
            ("realised_pnl", "quote currency, before fees"),
            ("unrealised_pnl", "quote currency"),
            ("fees", "quote currency, paid is positive"),
            ("funding", "quote currency, received is positive"),
            ("gross_notional", "quote currency"),
            ("net_notional", "quote currency"),
            ("value_at_risk", "quote currency, by [risk]; NaN while σ of something held is unknown"),
            ("expected_shortfall", "quote currency, by [risk]; NaN likewise"),
        ),
        *_EXACT_PNL,
    ],
)

COMOVEMENT = RecordType(
    "comovement",
    203,
    "How the mids of two instruments move together; measured by risk, one row a pair a < b.",
    [
        *ints(
            ("instrument_a", "row of the instruments table"),
            ("instrument_b", "row of the instruments table, larger"),
            ("updated_time_ns", "monotonic, of the newest return"),
            ("samples", "returns taken in"),
            ("is_warm", "1 = enough of them to be used"),
        ),
        *floats(
            ("variance_a", "of log returns, 1/s"),
            ("variance_b", "of log returns, 1/s"),
            ("covariance", "of log returns, 1/s"),
            ("correlation", "-1 to 1; NaN while one has not moved"),
            ("beta_a_on_b", "return of a for one of b; NaN while b has not moved"),
            ("beta_b_on_a", "return of b for one of a; NaN while a has not moved"),
            ("weight", "sum of the weights of the returns, for a risk that is restarted"),
        ),
    ],
)

PNL = RecordType(
    "pnl",
    204,
    "Profit and loss of the run in one instrument, by risk's own ledger: the venue's trades, fees and funding.",
    [
        *ints(
            ("instrument", "row of the instruments table"),
            ("written_time_ns", "monotonic; the same in all rows and in `risk` that belong together"),
            ("is_known", "0 = something is held and its mark is missing"),
        ),
        *floats(
            ("realised", "quote currency, for display"),
            ("unrealised", "quote currency, for display"),
            ("fees", "quote currency, for display"),
            ("funding", "quote currency, for display"),
            ("total", "quote currency, for display"),
        ),
        *_EXACT_PNL,
    ],
)
