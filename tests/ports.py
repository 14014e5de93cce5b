"""The port that a grpclib server listens on, which it was asked to choose."""

from __future__ import annotations

from asyncio import Server
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpclib.server


def port_of(server: grpclib.server.Server) -> int:
    """Return the port of a server that listens on one socket."""
    listening = server._server
    assert isinstance(listening, Server)
    (socket,) = listening.sockets
    port: int = socket.getsockname()[1]
    return port
