"""The exceptions of the client pool."""

from __future__ import annotations


class ClientPoolError(Exception):
    """There is no client for a request. The message tells the caller why, and what to try. Nothing was done.

    Attributes:
        is_callers_fault: Whether the request lacks something; otherwise the server does.
    """

    def __init__(self, message: str, *, is_callers_fault: bool = False) -> None:
        super().__init__(message)
        self.is_callers_fault = is_callers_fault
