"""What the supervisor is made of: children, the local exchange, shutdown, status, summary."""
