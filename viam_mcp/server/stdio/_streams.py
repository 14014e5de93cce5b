"""The form of the streams that the SDK's server runs on.

The SDK's own streams have queues and tasks in between, which cost turns of the loop for each message.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from typing import Self

    from mcp.shared.message import SessionMessage


class _Stream:
    async def aclose(self) -> None:
        """Do nothing: the descriptors are closed when serving ends."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Source(_Stream, ABC):
    """The client's messages."""

    @abstractmethod
    async def receive(self) -> SessionMessage:
        """Return the next message.

        Raises:
            EndOfStream: There is none any more.
        """

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class Sink(_Stream, ABC):
    """The server's messages."""

    @abstractmethod
    async def send(self, message: SessionMessage) -> None:
        """Send a message."""
