"""What this server makes of its calls to the Viam app: it stops asking what does not answer, counts, and traces."""

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
    """Watches the calls of one client of the app.

    Args:
        breaker: Knows what is not answered.
        on_repeat: Told when a call is sent again: its rpc, and the status that it ended with before.
        tracer: Makes spans; None where nobody traces, which then costs nothing.
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
            Busy: It went unanswered lately.
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
    # The text of an error may quote what it is about, and traces go to other places than the answer.
    with (
        watching as headers,
        tracer.start_as_current_span(
            rpc, kind=SpanKind.CLIENT, attributes={"rpc.system": "grpc", "rpc.method": rpc}, record_exception=False
        ),
    ):
        carrier = {**headers}
        inject(carrier)
        yield carrier
