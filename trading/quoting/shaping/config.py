"""The parameters of the shaping steps: [strategy.shaping]. Every extra is off unless it is switched on."""

from __future__ import annotations

import msgspec


class ShapingConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What happens to the model's quote before it is rounded, step by step."""
