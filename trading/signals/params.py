"""From configuration to the parameter record of the signals: units are converted here, once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trading.signals.config import SignalsConfig


def write_signal_params(
    params: npt.NDArray[np.void], config: SignalsConfig, tick_size: float, lot_size: float, lot_base: float
) -> None:
    """Fill a SIGNAL_PARAMS record, shape (1,), for an instrument with these steps ($, size units, base units)."""
    values: dict[str, float] = {"is_enabled": config.is_enabled}
    assert set(values) == set(params.dtype.names or ()), "a parameter without a value, or the other way round"
    for name, value in values.items():
        params[name][0] = value
