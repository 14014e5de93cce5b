"""The web server: it listens, limits slow clients, and ends without cutting off running calls."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from sse_starlette.sse import AppStatus
from uvicorn.config import STARTUP_FAILURE

from viam_mcp.calls import Limits
from viam_mcp.http._connections import HEAD_SECONDS, STALL_SECONDS, Connection, ConnectionLimits
from viam_mcp.http._errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp

GRACE_SECONDS = 25
"""How long running calls may take to finish once the server is told to stop."""

_BACKLOG = 2_048
_KEEP_ALIVE_SECONDS = 75  # longer than reverse proxies do, which otherwise send into a closed connection


class HttpServer(uvicorn.Server):
    """Serves a web app until it is told to stop.

    Args:
        app: The app.
        listeners: The sockets to accept connections on.
        tls: The certificate; None for plain HTTP.
        on_start: Called when connections are accepted.
        on_stop: Called when the server is told to stop. They end the streams that have no end of their own.
        grace_seconds: How long running calls may take to finish after that.
        limits: How many connections there may be.
        head_seconds: How long the head of a request may take to arrive.
        stall_seconds: How long a client may take to read 16 KB that were sent to it.
    """

    def __init__(
        self,
        app: ASGIApp,
        listeners: Sequence[socket.socket],
        *,
        tls: ssl.SSLContext | None = None,
        on_start: Callable[[], None] = lambda: None,
        on_stop: Sequence[Callable[[], None]] = (),
        grace_seconds: int = GRACE_SECONDS,
        limits: Limits | None = None,
        head_seconds: float = HEAD_SECONDS,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        config = uvicorn.Config(
            cast("Any", app),  # Starlette and uvicorn name the same types differently
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # Callers are known by their credentials. Nothing depends on the address that a proxy names.
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=grace_seconds,
            ssl_context_factory=None if tls is None else lambda config, default: tls,
        )
        super().__init__(config)
        self._listeners = list(listeners)
        self._on_start = on_start
        self._limits = ConnectionLimits(limits or Limits(), head_seconds, stall_seconds)
        self._on_stop = on_stop
        # Otherwise every stream would be cut off at once, those of running calls too.
        AppStatus.enable_automatic_graceful_drain = False

    async def run_until_stopped(self) -> None:
        """Serve until `stop`, and then until running calls have finished."""
        await self.serve(self._listeners)

    def stop(self) -> None:
        """Accept no more connections, let running calls finish, and end. Called again, do not wait for them."""
        if self.should_exit:
            for task in self.server_state.tasks:
                task.cancel()
        self.should_exit = True
        for end in self._on_stop:
            end()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections. uvicorn calls this; its own method gives a TLS handshake a minute."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise SystemExit(STARTUP_FAILURE)
        protocol = partial(
            Connection,
            self._limits,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        tls = self.config.ssl
        handshake = None if tls is None else self._limits.head_seconds
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                protocol, sock=listener, ssl=tls, ssl_handshake_timeout=handshake, backlog=_BACKLOG
            )
            for listener in self._listeners
        ]
        self.started = True
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop. uvicorn calls this. Calls that had to be cancelled get the time to write that to the audit."""
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=5)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command: uvicorn would end the process with the signal that stopped it."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    Args:
        host: The address, or a name of it.
        port: The port, or 0 for a free one.

    Raises:
        HttpError: The address cannot be listened on.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        # Connections inherit the option. asyncio sets it only on sockets that name their protocol, which this one does
        # not. Without it an answer that is written in two parts takes 40 ms more.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]
        raise HttpError(f"cannot listen on {host} port {port}: {reason}.") from None


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the TLS context for a certificate, or None for none.

    Args:
        certificate: The certificate and those between it and a root, in PEM.
        key: Its private key in PEM, without a passphrase; None if it is in the same file.

    Raises:
        HttpError: They cannot be used.
    """
    if certificate is None:
        if key is not None:
            raise HttpError("--tls-key needs --tls-cert, the certificate of that key.")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A passphrase that is needed and empty is an error. Otherwise OpenSSL would ask for it on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        reason = error.reason or "not PEM, or a key with a passphrase"
        raise HttpError(f"--tls-cert {certificate}, --tls-key {key or certificate}: {reason}.") from None
    except OSError as error:
        raise HttpError(f"--tls-cert {certificate}, --tls-key {key or certificate}: {error.strerror}.") from None
    return context
