"""One WebSocket connection, carried by picows (default) or by websockets."""
