"""Our own orders of a session as requests that a replay serves: same moments at the exchange, prices, sizes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from backtest.engine.records import AMEND, CANCEL, INSERT, POST_ONLY, REQUEST
from domain.clock import NS_PER_S
from domain.codes import OrderEventKind

GRACE_NS = NS_PER_S  # an order that was filled whole stays so long in the replay, which may fill it a little later
_KINDS = {OrderEventKind.ACCEPTED: INSERT, OrderEventKind.AMENDED: AMEND, OrderEventKind.CANCELLED: CANCEL}


def own_requests(answers: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Return REQUEST rows by time: what the exchange carried out, at the moment when it did.

    An order that ended by a fill is cancelled a second later: live it was no longer there to be filled. Requests that
    the exchange refused changed nothing and are left out.

    Args:
        answers: ANSWER rows by exchange time; those of orders that are not ours have id 0 and are left out.
    """
    rows: list[tuple[int, ...]] = []
    for answer in answers[answers["order_id"] != 0]:
        kind, time_ns = int(answer["kind"]), int(answer["exchange_time_ns"])
        what = tuple(int(answer[name]) for name in ("order_id", "side", "price_ticks", "size_lots"))
        if kind in _KINDS:
            rows.append((time_ns, 0, _KINDS[OrderEventKind(kind)], *what, POST_ONLY))
        elif kind == OrderEventKind.FILLED and answer["remaining_lots"] == 0:
            rows.append((time_ns + GRACE_NS, 0, CANCEL, *what, 0))
    requests = np.array(rows, REQUEST)
    return requests[np.argsort(requests["local_time_ns"], kind="stable")]
