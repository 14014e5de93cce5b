"""From an address to a connection, and what is wrong where none can be made."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from grpclib.config import Configuration
from grpclib.encoding.proto import ProtoCodec

from viam_mcp.app.transport._connection import (
    EXPECTS_TLS,
    SAYS_NOTHING,
    SPEAKS_HTTP1,
    SPEAKS_OTHERWISE,
    ClientChannel,
    ClientProtocol,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from grpclib.client import Channel

__all__ = ["Address", "DialError", "Dialer", "open_channel", "parse_url", "tls_error"]

_ALLOWED = "give https://host[:port], a bare host, or http://host:port for a plain local server"

# Pings detect that the peer of a silent log stream is gone. Viam's servers accept one every five seconds.
_CONFIGURATION = Configuration(
    _keepalive_time=30.0,
    _keepalive_timeout=10.0,
    _http2_max_pings_without_data=0,
    _http2_min_sent_ping_interval_without_data=10.0,
)


# OpenSSL's reasons for an answer that is not TLS, and for a server that offers no HTTP/2.
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
)
_NOT_HTTP2 = ("NO_APPLICATION_PROTOCOL", "TLSV1_ALERT_NO_APPLICATION_PROTOCOL")
_TLS_HINT = "TLS 1.2 or newer is needed; for a plain local server use http://host:port."
_HINTS = {
    EXPECTS_TLS: "Use https:// instead of http://.",
    SPEAKS_HTTP1: "Check the port: it may be the one for web pages instead of the app's.",
    SPEAKS_OTHERWISE: "Check the host and the port.",
    SAYS_NOTHING: "Check the URL; a server that expects TLS is reached by https://.",
}


class DialError(Exception):
    """No connection could be established, so nothing was sent."""

    def __init__(self, message: str, *, hint: str | None = None, permanent: bool = False) -> None:
        """Make the error. `permanent` says that dialing again cannot help."""
        super().__init__(message)
        self.hint = hint
        self.permanent = permanent


class Address(NamedTuple):
    """Where a server listens, and whether it speaks TLS."""

    host: str
    port: int
    tls: bool


def parse_url(url: str) -> Address:
    """Read the address of an app server.

    Args:
        url: `https://host[:port]` or a bare `host[:port]`, TLS on port 443 unless told otherwise;
            `http://host[:port]`, plain, on port 8080 unless told otherwise.

    Raises:
        ValueError: If it is anything else.
    """
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator:
        scheme, rest = "https", url
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"the URL of the app is malformed ({error}): {_ALLOWED}") from None
    if parts.username is not None:
        # The URL is not repeated here, since what stands before the @ may be a password.
        raise ValueError(f"the URL of the app holds a user name: {_ALLOWED}")
    if scheme not in ("http", "https"):
        raise ValueError(f"the URL of the app begins with {f'{scheme}://'!r}, which no app is reached by: {_ALLOWED}")
    extra = parts.path.strip("/") or parts.query or parts.fragment
    if not host or extra or any(c.isspace() for c in rest):
        raise ValueError(f"{url!r} is not the URL of an app: {_ALLOWED}")
    tls = scheme == "https"
    if port == 0:
        raise ValueError(f"{url!r} has port 0, where nothing can listen: {_ALLOWED}")
    return Address(host, port or (443 if tls else 8080), tls)


def open_channel(address: Address, context: ssl.SSLContext | None = None) -> tuple[Channel, Callable[[], None] | None]:
    """Return a channel to `address` that dials when it is first used, and what has to run in a thread before."""
    prepare = None
    if address.tls:
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            # Loading takes tens of milliseconds, so it is done in a thread, and only if a connection is made.
            prepare = context.load_default_certs
        context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
        context.set_alpn_protocols(["h2"])
    channel = ClientChannel(
        address.host,
        address.port,
        ssl=context if address.tls else None,
        # With grpclib's default it would look for error details in protobuf's default pool, which is not ours.
        codec=ProtoCodec(),
        config=_CONFIGURATION,
    )
    return channel, prepare


class Dialer:
    """Connects a channel when it has no connection, or has lost it, within bounded time."""

    __slots__ = ("_channel", "_limit", "_prepare", "target")

    def __init__(self, channel: Channel, limit: float, prepare: Callable[[], None] | None = None) -> None:
        """Dial `channel` within `limit` seconds, after `prepare` has run in a thread once."""
        self._channel = channel
        self._limit = limit
        self._prepare = prepare
        self.target = f"{channel._scheme}://{channel._authority}"

    @property
    def connected(self) -> bool:
        """Whether a call can be sent at once."""
        if not self._channel._connected:
            return False
        protocol = self._channel._protocol
        if protocol is not None and protocol.connection.is_closing():
            # The connection was closed for a missed ping, and the channel has not been told yet.
            protocol.handler.close()
            return False
        return not isinstance(protocol, ClientProtocol) or protocol.greeting.done()

    async def dial(self, remaining: float) -> None:
        """Connect, within what remains of the caller's time, and see that it is HTTP/2 that answers.

        Raises:
            DialError: If that fails, with the reason in one sentence.
            TimeoutError: If the server takes the connection and then says nothing for all of the caller's time.
        """
        limit = min(self._limit, remaining)
        protocol: object = None
        try:
            async with asyncio.timeout(limit):
                if self._prepare is not None:
                    await asyncio.to_thread(self._prepare)
                    self._prepare = None
                protocol = await self._channel.__connect__()
                if isinstance(protocol, ClientProtocol):
                    # Not `await greeting`: a caller that gives up must not cancel it for the others.
                    await asyncio.wait({protocol.greeting})
        except TimeoutError:
            if protocol is None:
                raise DialError(f"could not connect to {self.target} within {limit:.3g} s") from None
            if limit == remaining:
                # The caller's own time is over, as it is when an answer does not come.
                raise
            raise DialError(f"{self.target} said nothing within {limit:.3g} s") from None
        except ssl.SSLError as error:
            raise tls_error(error, self.target) from error
        except OSError as error:
            if self._channel._ssl is not None and isinstance(error, ConnectionError) and error.errno is None:
                # asyncio raises this, without a text, for a connection that ends during the handshake.
                raise DialError(f"{self.target} ended the TLS handshake", hint=_TLS_HINT) from error
            raise DialError(f"could not connect to {self.target}: {_reason(error)}") from error
        if isinstance(protocol, ClientProtocol) and (problem := protocol.greeting.result()) is not None:
            # A server that is being restarted closes connections too, so that one may be dialed again.
            raise DialError(f"{self.target} {problem}", hint=_HINTS.get(problem), permanent=problem != SAYS_NOTHING)


def tls_error(error: ssl.SSLError, target: str) -> DialError:
    """Return what a failure of TLS means, and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = _missing_authorities() or (
            "Check the URL and the system's certificates; SSL_CERT_FILE names a file with others."
        )
        return DialError(
            f"the certificate of {target} is not trusted: {error.verify_message}", hint=hint, permanent=True
        )
    if error.reason in _NOT_TLS:
        return DialError(
            f"{target} does not speak TLS", hint="For a plain local server use http://host:port.", permanent=True
        )
    if error.reason in _NOT_HTTP2:
        return DialError(
            f"{target} speaks TLS, but not HTTP/2, which gRPC needs",
            hint="Check the URL: it may be the address of web pages instead of the app's.",
            permanent=True,
        )
    reason = (error.reason or str(error)).replace("_", " ").lower()
    return DialError(
        f"{target} does not speak TLS as it should: {reason}",
        hint=_TLS_HINT,
    )


def _missing_authorities() -> str | None:
    """Return what to do about certificate authorities that should be on this computer and are not."""
    paths = ssl.get_default_verify_paths()
    for variable, exists in ((paths.openssl_cafile_env, Path.is_file), (paths.openssl_capath_env, Path.is_dir)):
        if (named := os.environ.get(variable)) and not exists(Path(named)):
            return f"{variable} names {named}, which does not exist: correct or unset it."
    if paths.cafile is None and (paths.capath is None or not any(Path(paths.capath).iterdir())):
        return "This computer has no certificates of authorities: install them, or name a file with SSL_CERT_FILE."
    return None


def _reason(error: OSError) -> str:
    # Errors of name lookups have negative numbers, which os.strerror does not know.
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
