"""A signal of one's own: large candles that close far from where they opened go on for a while.

    [strategy.signals]
    is_enabled = true
    user = "docs/my_signal.py"
    parameters = { volume_factor_min = 2.0 }

Called when a candle closes; above 0 it expects a rise. It is held within ±1, shifts the reservation price with the
other signals, and is in the evaluation: `./cli.py report`.
"""

from trading.signals.candles import candle_index, candles_kept

parameters = {"volume_factor_min": (1.2, 1.0, 100.0), "candles": (20.0, 2.0, 200.0)}


def signal(q):
    signals = q["signals"]
    n = min(int(q["user_signal"]["candles"]), candles_kept(signals))
    volume = 0.0
    for age in range(n):
        i = candle_index(signals, age)
        volume += (signals["candle_bought"][i] + signals["candle_sold"][i]) / n
    i = candle_index(signals, 0)
    newest = signals["candle_bought"][i] + signals["candle_sold"][i]
    reach = signals["candle_high"][i] - signals["candle_low"][i]
    if reach <= 0.0 or newest < q["user_signal"]["volume_factor_min"] * volume:
        return 0.0
    return (signals["candle_close"][i] - signals["candle_open"][i]) / reach
