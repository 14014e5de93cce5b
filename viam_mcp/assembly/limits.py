"""The limits of a server, as the settings have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.calls import Limits, table

if TYPE_CHECKING:
    from viam_mcp.assembly.settings import Settings


def limits_of(settings: Settings, connections: int | None = None) -> Limits:
    """Return the limits that the settings describe, with nothing in use.

    Args:
        settings: The settings.
        connections: How many connections this process has room for; None where it accepts none.
    """
    # Callers with neither names nor keys of their own cannot be told apart, so one of them may use all slots.
    alone = settings.auth.kind == "none" and settings.credentials != "headers"
    given = {} if connections is None else {"connections": connections}
    return Limits(
        table(
            calls=settings.max_calls,
            calls_per_caller=settings.max_calls if alone else settings.max_calls_per_caller,
            waiting_calls=settings.max_waiting,
            tails=settings.max_tails,
            request_bytes=settings.max_request_bytes,
            **given,
        )
    )
