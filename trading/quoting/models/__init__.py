"""The quoting models: how far from the fair price to quote, and how far a position moves the centre.

Symbols: S fair price ($), q position and Δ order size (base units), σ ($/√s), A (1/s) and κ (1/$) of the
arrivals A·exp(−κδ) at depth δ ($), γ risk aversion and ξ aversion to not being filled (1/$), μ drift of the mid
($/s), τ (s).

    bid = S + shift − half_spread        ask = S + shift + half_spread

Pure functions of numbers. A bad input gives NaN, which no quote survives.

    glft, avellaneda_stoikov    closed forms: half-spread, and skew for each base unit held
    value_table                 the exact finite horizon and Cartea-Jaimungal: a linear system, solved beside the ticks
    selection                   which of them an instrument quotes with
"""
