"""Metrics for Prometheus.

Labels are names of tools, methods and outcomes, whose number is known. No label names a caller, or anything of a fleet.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The variable with the folder in which workers share their metrics. It is read when this module is imported."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)

GAUGES = {
    "calls_running": "Calls that run",
    "calls_waiting": "Calls that wait",
    "fleets_open": "Connections to the Viam app that are kept open, one for each caller's key",
    "tails_open": "Parts whose live logs are followed",
    "subscribers": "Subscriptions to live logs",
}


class Metrics:
    """The metrics.

    Args:
        gauges: Functions that return the present values of `GAUGES`, by name.
    """

    def __init__(self, gauges: Mapping[str, Callable[[], int]]) -> None:
        self._registry = CollectorRegistry()
        options: dict[str, Any] = {"namespace": "viam_mcp", "registry": self._registry}
        self._calls = Counter("tool_calls", "Calls, by tool and outcome", ["tool", "outcome"], **options)
        self._seconds = Histogram(
            "tool_call_seconds", "How long calls took, with waiting", ["tool"], buckets=_SECONDS, **options
        )
        # The library takes a lock and goes through all labels at each lookup.
        self._ended, self._lasted = cache(self._calls.labels), cache(self._seconds.labels)
        self._repeats = Counter("upstream_retries", "Calls of the Viam app made again", ["rpc", "status"], **options)
        self._confirmations = Counter("confirmations", "Questions, by what came of them", ["outcome"], **options)
        self._gauges = {
            name: (Gauge(name, text, multiprocess_mode="livesum", **options), gauges[name])
            for name, text in GAUGES.items()
            if name in gauges
        }

    def called(self, tool: str, outcome: str, seconds: float) -> None:
        """Count a call that has ended."""
        self._ended(tool, outcome).inc()
        self._lasted(tool).observe(seconds)

    def repeated(self, rpc: str, status: str) -> None:
        """Count a call of the Viam app that is sent again because of a status."""
        self._repeats.labels(rpc, status).inc()

    def confirmation(self, outcome: str) -> None:
        """Count a question that was asked, or an answer to one."""
        self._confirmations.labels(outcome).inc()

    def sample(self) -> None:
        """Set the gauges to the present values. Workers do this regularly, for another may answer for all."""
        for gauge, read in self._gauges.values():
            gauge.set(read())

    def text(self) -> bytes:
        """Return the metrics of all workers, in the format of Prometheus."""
        self.sample()
        if os.environ.get(FOLDER_VARIABLE):
            together = CollectorRegistry()
            MultiProcessCollector(together)  # type: ignore[no-untyped-call]
            return generate_latest(together)
        return generate_latest(self._registry)


def forget_worker(folder: str, process: int) -> None:
    """Take the gauges of a worker that has ended out of the sums in a folder. Its counters stay."""
    mark_process_dead(process, folder)  # type: ignore[no-untyped-call]
