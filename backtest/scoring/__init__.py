"""How far a queue model can be trusted: a session's own orders played again, against what became of them."""
