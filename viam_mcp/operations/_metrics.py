"""Numbers for Prometheus.

No label ever names a caller, a machine or anything else of a fleet: there are tools, rpcs and outcomes, whose
number is known beforehand.
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
"""Names the folder in which workers put their numbers together; it is read when this module is imported."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)

GAUGES = {
    "calls_running": "Calls that run",
    "calls_waiting": "Calls that wait for their turn",
    "fleets_open": "Connections to the Viam app that are kept open, one for each caller's key",
    "tails_open": "Parts whose live logs are followed",
    "subscribers": "Those who follow live logs",
}


class Metrics:
    """What is counted.

    Args:
        gauges: What tells the present value of each of `GAUGES`.
    """

    def __init__(self, gauges: Mapping[str, Callable[[], int]]) -> None:
        self._registry = CollectorRegistry()
        options: dict[str, Any] = {"namespace": "viam_mcp", "registry": self._registry}
        self._calls = Counter("tool_calls", "Calls, by tool and outcome", ["tool", "outcome"], **options)
        self._seconds = Histogram(
            "tool_call_seconds", "How long calls took, with waiting", ["tool"], buckets=_SECONDS, **options
        )
        # The library looks for a lock and goes through all labels each time that it is asked.
        self._ended, self._lasted = cache(self._calls.labels), cache(self._seconds.labels)
        self._repeats = Counter("upstream_retries", "Calls of the Viam app made again", ["rpc", "status"], **options)
        self._confirmations = Counter("confirmations", "Questions, by what came of them", ["outcome"], **options)
        self._gauges = {
            name: (Gauge(name, text, multiprocess_mode="livesum", **options), gauges[name])
            for name, text in GAUGES.items()
            if name in gauges
        }

    def called(self, tool: str, outcome: str, seconds: float) -> None:
        """A call has ended."""
        self._ended(tool, outcome).inc()
        self._lasted(tool).observe(seconds)

    def repeated(self, rpc: str, status: str) -> None:
        """A call of the Viam app is sent again because of that status."""
        self._repeats.labels(rpc, status).inc()

    def confirmation(self, outcome: str) -> None:
        """Something has come of a question, or there is a new one."""
        self._confirmations.labels(outcome).inc()

    def sample(self) -> None:
        """Read the gauges. Workers whose numbers others give out do this now and then."""
        for gauge, read in self._gauges.values():
            gauge.set(read())

    def text(self) -> bytes:
        """All numbers, of all workers, as Prometheus reads them."""
        self.sample()
        if os.environ.get(FOLDER_VARIABLE):
            together = CollectorRegistry()
            MultiProcessCollector(together)  # type: ignore[no-untyped-call]
            return generate_latest(together)
        return generate_latest(self._registry)


def forget_worker(folder: str, process: int) -> None:
    """Take the gauges of a worker that has ended out of the sum in a folder; what it counted stays counted."""
    mark_process_dead(process, folder)  # type: ignore[no-untyped-call]
