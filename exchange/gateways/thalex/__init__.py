"""Thalex's JSON protocol over WebSocket."""
