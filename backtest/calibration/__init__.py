"""σ, A and κ of recorded market data, with confidence, and the quotes that they imply."""
