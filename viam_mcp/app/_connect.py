"""`connect()`: from a URL and credentials to a client that is ready."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from viam_mcp.app._client import AppClient
from viam_mcp.app.credentials._credentials import Credentials
from viam_mcp.app.transport._dial import open_channel, parse_url
from viam_mcp.app.transport._session import DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, Session

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator

    from viam_mcp.app._observer import CallObserver
    from viam_mcp.app.credentials._credentials import TokenSource

__all__ = ["DEFAULT_URL", "connect", "open_client"]

DEFAULT_URL = "https://app.viam.com"


@asynccontextmanager
async def connect(
    url: str = DEFAULT_URL,
    *,
    api_key_id: str = "",
    api_key: str = "",
    credentials: TokenSource | None = None,
    location_id: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
    lazy: bool = False,
    ssl_context: ssl.SSLContext | None = None,
    observer: CallObserver | None = None,
) -> AsyncGenerator[AppClient]:
    """Open a client of the Viam app, and close it on the way out.

        async with connect(api_key_id=..., api_key=...) as app:
            for organization in await app.list_organizations():
                ...

    The access token is fetched, kept fresh, and fetched again when the server refuses it; a connection
    that broke is established again by the next call.

    Args:
        url: `https://host[:port]` or a bare host for TLS, `http://host:port` for a plain local server.
        api_key_id: The id of the API key, a UUID.
        api_key: The API key.
        credentials: What to authenticate with instead of an API key, such as a login of Viam's command line.
        location_id: What methods with an optional `location_id` fall back to.
        timeout: Seconds for a call with all its repetitions.
        connect_timeout: Seconds to establish a connection.
        lazy: Return at once and dial at the first call, instead of finding out here whether the server
            answers and takes the key.
        ssl_context: The TLS settings to use instead of the system's certificates; TLS 1.2 and HTTP/2
            are required in any case.
        observer: Sees every call.

    Yields:
        The client.

    Raises:
        ValueError: If the URL is malformed or the key is empty.
        AppError: If the server cannot be reached or refuses the key, unless `lazy`.
    """
    app = open_client(
        url,
        credentials or Credentials(api_key_id, api_key),
        location_id=location_id,
        timeout=timeout,
        connect_timeout=connect_timeout,
        ssl_context=ssl_context,
        observer=observer,
    )
    try:
        if not lazy:
            await app.session.authenticate()
        yield app
    finally:
        await app.session.close()


def open_client(
    url: str,
    credentials: TokenSource,
    *,
    location_id: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
    ssl_context: ssl.SSLContext | None = None,
    observer: CallObserver | None = None,
) -> AppClient:
    """Make a client that connects at its first call. The caller closes it with `app.session.close()`.

    Args:
        url: As for `connect`, and so are the others.
        credentials: What to authenticate with.
        location_id: What methods with an optional `location_id` fall back to.
        timeout: Seconds for a call with all its repetitions.
        connect_timeout: Seconds to establish a connection.
        ssl_context: The TLS settings to use.
        observer: Sees every call.

    Raises:
        ValueError: If the URL is malformed.
    """
    channel, prepare = open_channel(parse_url(url), ssl_context)
    session = Session(
        channel,
        credentials=credentials,
        timeout=timeout,
        connect_timeout=connect_timeout,
        prepare=prepare,
        observer=observer,
    )
    return AppClient(session, {}, location_id)
