"""The local exchange: a venue on loopback that speaks Thalex's WebSocket protocol.

The venue-neutral core knows books, matching, accounts, marks and background flow; it speaks integer ticks
and lots inside and has no idea of JSON. `exchange/gateways/` translates one wire protocol each.
It shares no code with the connectors on purpose: a shared encoder would hide a shared mistake.
"""
