"""Time, on a machine that may be slow or busy with others: how long to wait, and how time grows with data."""

from __future__ import annotations

import gc
import time
from math import inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0
"""Seconds after which what should have happened is taken for stuck."""

_TIMES = 4
_TRIES = 5


def is_linear(work: Callable[[Any], object], data: Callable[[int], Any], size: int) -> bool:
    """Whether work takes longer with more data only as there is more of it.

    Four times the data takes four times as long then. It would be sixteen times if the work grew with the square.

    Args:
        work: What is done with the data.
        data: Makes data of a size.
        size: How large it is at most.
    """
    small, large = data(size // _TIMES), data(size)
    least_small = least_large = inf
    work(small)  # what only the first time takes
    # The least of several is what the work takes: whatever disturbs it only adds to that.
    for _ in range(_TRIES):
        least_small = min(least_small, _seconds(work, small))
        least_large = min(least_large, _seconds(work, large))
        if least_large < 2 * _TIMES * least_small:
            return True
    return False


def _seconds(work: Callable[[Any], object], data: Any) -> float:
    """What this thread computes meanwhile: neither its waiting for a turn, nor the garbage of other tests."""
    gc.disable()
    try:
        begun = time.thread_time()
        work(data)
        return time.thread_time() - begun
    finally:
        gc.enable()
