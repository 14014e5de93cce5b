"""Whoever wants to know what goes on between a client and the app, or to have a say in it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

_NOTHING: Mapping[str, str] = {}


class CallObserver(Protocol):
    """Sees every call of a client that has one answer, once however often it is sent, and every repetition of any."""

    def calling(self, rpc: str) -> AbstractContextManager[Mapping[str, str]]:
        """Around a call with one answer, uploads among them, which ends with the error that the block ends with.

        A stream of answers is none: it may last for days, and how it ends says nothing of how it went.

        Args:
            rpc: Its short name, such as `GetRobot`.

        Returns:
            A context that gives headers to send along. An exception of its own keeps the call from being made.
        """

    def repeating(self, rpc: str, status: str) -> None:
        """A call is about to be sent again.

        Args:
            rpc: Its short name.
            status: Why: the name of a gRPC status.
        """


class NoObserver:
    """A observer that does not look."""

    def calling(self, rpc: str) -> AbstractContextManager[Mapping[str, str]]:
        """See `CallObserver`."""
        return nullcontext(_NOTHING)

    def repeating(self, rpc: str, status: str) -> None:
        """See `CallObserver`."""
