"""The interface through which another part of a program follows, or stops, the calls of a client."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

__all__ = ["CallObserver", "NoObserver"]

_NOTHING: Mapping[str, str] = {}


class CallObserver(Protocol):
    """Follows the calls of a client: each call that has one answer, once, and each repetition of any call."""

    def calling(self, rpc: str) -> AbstractContextManager[Mapping[str, str]]:
        """Return a context that surrounds one call, an upload for example, and sees the error that it ends with.

        A stream of answers is none: it may last for days, and how it ends says nothing of how it went.

        Args:
            rpc: Its short name, such as `GetRobot`.

        Returns:
            A context that gives headers to send along. An exception of its own keeps the call from being made.
        """

    def repeating(self, rpc: str, status: str) -> None:
        """Take note that a call is about to be sent again.

        Args:
            rpc: Its short name.
            status: Why: the name of a gRPC status.
        """


class NoObserver:
    """An observer that does nothing."""

    def calling(self, rpc: str) -> AbstractContextManager[Mapping[str, str]]:
        """See `CallObserver`."""
        return nullcontext(_NOTHING)

    def repeating(self, rpc: str, status: str) -> None:
        """See `CallObserver`."""
