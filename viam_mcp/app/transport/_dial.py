"""Addresses and connections."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlsplit

from grpclib.client import Channel, Handler
from grpclib.config import Configuration
from grpclib.encoding.proto import ProtoCodec
from grpclib.protocol import H2Protocol

from viam_mcp.app.transport._gather import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable

_ALLOWED = "give https://host[:port], a bare host, or http://host:port for a plain local server"

# Pings find out that the peer of a silent log stream is gone. Servers of Viam take one every five seconds.
_CONFIGURATION = Configuration(
    _keepalive_time=30.0,
    _keepalive_timeout=10.0,
    _http2_max_pings_without_data=0,
    _http2_min_sent_ping_interval_without_data=10.0,
)


class DialError(Exception):
    """No connection could be established, so nothing was sent."""

    def __init__(self, message: str, *, hint: str | None = None, permanent: bool = False) -> None:
        """Say what is wrong; `permanent` when dialing again cannot help."""
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
    extra = parts.path.strip("/") or parts.query or parts.fragment
    if scheme not in ("http", "https") or not host or extra or any(c.isspace() for c in rest):
        raise ValueError(f"{url!r} is not the URL of an app: {_ALLOWED}")
    tls = scheme == "https"
    if port == 0:
        raise ValueError(f"{url!r} has port 0, where nothing can listen: {_ALLOWED}")
    return Address(host, port or (443 if tls else 8080), tls)


def open_channel(address: Address, context: ssl.SSLContext | None = None) -> tuple[Channel, Callable[[], None] | None]:
    """A channel to `address` that dials when it is first used, and what is to run in a thread before it does."""
    prepare = None
    if address.tls:
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            # Tens of milliseconds, which neither a start nor the event loop should pay.
            prepare = context.load_default_certs
        context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
        context.set_alpn_protocols(["h2"])
    channel = _Channel(
        address.host,
        address.port,
        ssl=context if address.tls else None,
        # Named, because the default also looks for error details of googleapis, in a pool that is not ours.
        codec=ProtoCodec(),
        config=_CONFIGURATION,
    )
    return channel, prepare


class _Protocol(H2Protocol):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast("asyncio.Transport", Gathering(transport)))


class _Channel(Channel):
    """A channel that sends a call's head and its message as one."""

    def _protocol_factory(self) -> H2Protocol:
        return _Protocol(Handler(), self._config, self._h2_config)


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
            # It missed its pings: already closed, and the channel does not know yet that it is lost.
            protocol.handler.close()
            return False
        return True

    async def dial(self, remaining: float) -> None:
        """Connect, within what remains of the caller's time.

        Raises:
            DialError: If that fails, with the reason in one sentence.
        """
        limit = min(self._limit, remaining)
        try:
            async with asyncio.timeout(limit):
                if self._prepare is not None:
                    await asyncio.to_thread(self._prepare)
                    self._prepare = None
                await self._channel.__connect__()
        except TimeoutError:
            raise DialError(f"could not connect to {self.target} within {limit:.3g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise DialError(
                f"the certificate of {self.target} is not trusted: {error.verify_message}",
                hint="Check the URL and the system's certificates; SSL_CERT_FILE names a file with others.",
                permanent=True,
            ) from error
        except ssl.SSLError as error:
            raise DialError(
                f"{self.target} does not speak TLS as it should: {error.reason or error}",
                hint="For a plain local server use http://host:port.",
                permanent=True,
            ) from error
        except OSError as error:
            raise DialError(f"could not connect to {self.target}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    # Errors of name lookups have negative numbers and texts of their own.
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
