"""The web server: listens, keeps slow clients from piling up, and ends without cutting off what runs."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from sse_starlette.sse import AppStatus
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from viam_mcp.app._gather import Gathering
from viam_mcp.server.http._errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp

GRACE_SECONDS = 25
"""How long running calls may take to finish once the server is told to stop."""
HEAD_SECONDS = 15.0
"""How long the head of a request may take to arrive."""

_KEEP_ALIVE_SECONDS = 75  # longer than reverse proxies do, which otherwise send into a closed connection


class HttpServer(uvicorn.Server):
    """Serves a web app until it is told to stop.

    Args:
        app: The app.
        listeners: The sockets to accept connections on.
        tls: The certificate; None for plain HTTP.
        on_start: Called when connections are accepted.
        on_stop: What ends the streams that would never end by themselves, when the server is told to stop.
        grace_seconds: How long running calls may take to finish after that.
        head_seconds: How long the head of a request may take to arrive.
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
        head_seconds: float = HEAD_SECONDS,
    ) -> None:
        config = uvicorn.Config(
            cast("Any", app),  # each of the two has names of its own for the same types
            http=_protocol(head_seconds),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # Who calls is said by their credential; nothing here depends on their address.
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=grace_seconds,
            ssl_context_factory=None if tls is None else lambda config, default: tls,
        )
        super().__init__(config)
        self._listeners = list(listeners)
        self._on_start = on_start
        self._on_stop = on_stop
        # It would cut off every stream at once, those of running calls too.
        AppStatus.enable_automatic_graceful_drain = False

    async def run_until_stopped(self) -> None:
        """Serve until `stop`, and then until what runs has finished."""
        await self.serve(self._listeners)

    def stop(self) -> None:
        """Accept nothing more, let running calls finish, and end; told again, do not wait for them."""
        if self.should_exit:
            for task in self.server_state.tasks:
                task.cancel()
        self.should_exit = True
        for end in self._on_stop:
            end()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, as uvicorn calls it."""
        await super().startup(sockets)
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, as uvicorn calls it. What had to be cancelled gets to write down that it was."""
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=5)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the server: uvicorn would end the process by the one that stopped it."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A socket on an address.

    Args:
        host: The address, or a name of one.
        port: The port, or 0 for a free one.

    Raises:
        HttpError: Nothing can listen there.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=2_048)
        # Connections inherit it. asyncio sets it by itself only where the socket's protocol number is given, which
        # Python does not, and without it an answer that is written in two parts takes 40 ms more.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]
        raise HttpError(f"cannot listen on {host} port {port}: {reason}.") from None


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """What serves a certificate; None if there is none.

    Args:
        certificate: The certificate and those between it and a root, in PEM.
        key: Its private key in PEM, without a passphrase; None if it is in the same file.

    Raises:
        HttpError: They cannot be used.
    """
    if certificate is None:
        if key is not None:
            raise HttpError("--tls-key needs --tls-cert, the certificate that it is the key of.")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a way to ask for one, a passphrase is an error rather than a question on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        reason = error.reason or "not PEM, or a key with a passphrase"
        raise HttpError(f"--tls-cert {certificate}, --tls-key {key or certificate}: {reason}.") from None
    except OSError as error:
        raise HttpError(f"--tls-cert {certificate}, --tls-key {key or certificate}: {error.strerror}.") from None
    return context


def _protocol(head_seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's protocol with a limit on how long a request's head may take: without one, a connection that
    sends a byte now and then is kept for ever."""
    base: Any = AutoHTTPProtocol

    class Protocol(base):  # type: ignore[misc]
        _waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(Gathering(transport))
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._unwatch()

        def on_response_complete(self) -> None:
            self.transport.flush()
            super().on_response_complete()

        def _watch(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._unwatch()
            elif self._waiting is None:
                self._waiting = self.loop.call_later(head_seconds, self.transport.close)

        def _unwatch(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

    return Protocol
