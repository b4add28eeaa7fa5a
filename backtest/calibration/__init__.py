"""σ, A, κ and market impact of recorded market data, with confidence, and the quotes that they imply."""
