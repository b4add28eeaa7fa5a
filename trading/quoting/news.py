"""What a look at the session has brought; apart from sight.py, which compiles kernels when it is imported."""

from __future__ import annotations

from enum import IntFlag
from typing import Protocol

import numpy as np
import numpy.typing as npt


class News(IntFlag):
    """Of one instrument, since the last look."""

    ROWS = 1  # account, limits or ticker
    BOOK = 2
    CANDLE = 4  # one has closed: look at it, and then for the rest
    FILL = 8
    DEFINITION = 16  # the instrument's row was written
    LOST = 32  # records were overwritten before they were read


class Sees(Protocol):
    """What can be looked through: a SIGHT record, shape (1,) (session_sight.py makes one)."""

    @property
    def record(self) -> npt.NDArray[np.void]: ...
