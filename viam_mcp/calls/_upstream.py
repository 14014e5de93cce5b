"""What happens around each call to the Viam app: a circuit breaker, a count of retries, and a span."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind

from viam_mcp.calls._breaker import Breaker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Tracer


class UpstreamMonitor:
    """Observes the calls of one client of the app.

    Args:
        breaker: Stops calls of rpcs that get no answer.
        on_repeat: Called when a call is sent again, with its rpc and the status that it ended with before.
        tracer: Makes spans; None for no spans.
    """

    def __init__(
        self,
        breaker: Breaker | None = None,
        on_repeat: Callable[[str, str], None] | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._breaker = breaker or Breaker()
        self._on_repeat = on_repeat
        self._tracer = tracer

    def calling(self, rpc: str) -> AbstractContextManager[Mapping[str, str]]:
        """See `CallObserver`.

        Raises:
            Busy: The last calls of the rpc got no answer.
        """
        watching = self._breaker.watching(rpc)
        return watching if self._tracer is None else _traced(self._tracer, rpc, watching)

    def repeating(self, rpc: str, status: str) -> None:
        """See `CallObserver`."""
        if self._on_repeat is not None:
            self._on_repeat(rpc, status)


@contextmanager
def _traced(
    tracer: Tracer, rpc: str, watching: AbstractContextManager[Mapping[str, str]]
) -> Iterator[Mapping[str, str]]:
    # The text of an error may quote data of the fleet, and traces go to other places than the answer.
    with (
        watching as headers,
        tracer.start_as_current_span(
            rpc, kind=SpanKind.CLIENT, attributes={"rpc.system": "grpc", "rpc.method": rpc}, record_exception=False
        ),
    ):
        carrier = {**headers}
        inject(carrier)
        yield carrier
