"""The fleet that the settings name: the Viam cloud, or the embedded sandbox."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from viam_mcp.app import PROFILE_VARIABLE, Credentials, TokenSource, login_path, open_client, parse_url, read_login
from viam_mcp.assembly.options import DEFAULT_APP_URL, SettingsError
from viam_mcp.assembly.settings import KEY_ID_VARIABLE, KEY_VARIABLE, Settings
from viam_mcp.calls import UpstreamMonitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from viam_mcp.app import AppClient, CallObserver


@dataclass(frozen=True)
class FleetAddress:
    """Where a fleet is, and the credentials for it.

    Attributes:
        url: The URL of the Viam app, or of the sandbox.
        credentials: The server's own credentials; None where every caller brings some.
        timeout: How long a call may take, in seconds.
    """

    url: str
    credentials: TokenSource | None
    timeout: float

    def client(self, credentials: TokenSource, observer: CallObserver) -> AppClient:
        """Return a client with these credentials. The caller closes it."""
        return open_client(self.url, credentials, timeout=self.timeout, observer=observer)


@asynccontextmanager
async def open_address(settings: Settings) -> AsyncIterator[FleetAddress]:
    """Return the address of the fleet. A sandbox runs until the block is left.

    Raises:
        SettingsError: There are neither credentials nor `--sandbox`, or the URL is malformed.
        Unauthenticated: The login of Viam's command line cannot be used.
    """
    own = settings.credentials in ("env", "viam-cli")
    if settings.sandbox:
        # The import takes time that servers without a sandbox need not spend.
        from viam_mcp.sandbox import LIVE_INTERVAL, Sandbox

        async with Sandbox.start(live=LIVE_INTERVAL) as sandbox:
            credentials = Credentials(sandbox.api_key_id, sandbox.api_key) if own else None
            yield FleetAddress(sandbox.url, credentials, settings.timeout)
        return
    try:
        parse_url(settings.app_url)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if settings.credentials == "viam-cli":
        yield _logged_in(settings)
        return
    if own and not settings.has_credentials:
        raise SettingsError(
            f"There are no credentials. Set {KEY_ID_VARIABLE} and {KEY_VARIABLE} to an API key from the Viam app, "
            "use --credentials viam-cli after `viam login`, or --sandbox for the embedded demonstration fleet."
        )
    credentials = Credentials(settings.api_key_id, settings.api_key) if own else None
    yield FleetAddress(settings.app_url, credentials, settings.timeout)


@asynccontextmanager
async def open_fleet(settings: Settings, *, lazy: bool = False) -> AsyncIterator[AppClient]:
    """Return a client of the fleet, which is closed when the block is left.

    Args:
        settings: Which fleet.
        lazy: Whether to send nothing to the fleet yet.

    Raises:
        SettingsError: There are neither credentials nor `--sandbox`, or the URL is malformed.
        AppError: The fleet cannot be reached or refuses the key, unless `lazy`.
    """
    async with open_address(settings) as address:
        if address.credentials is None:
            raise SettingsError(
                f"--credentials {settings.credentials} is for callers over HTTP: use it with serve --transport http."
            )
        app = address.client(address.credentials, UpstreamMonitor())
        try:
            if not lazy:
                await app.session.authenticate()
            yield app
        finally:
            await app.session.close()


def _logged_in(settings: Settings) -> FleetAddress:
    if settings.transport != "stdio":
        raise SettingsError(
            "--credentials viam-cli is the login of one person, so it is not for callers over HTTP: use an API key."
        )
    login = read_login(login_path(os.environ.get(PROFILE_VARIABLE, "")))
    url = settings.app_url
    if login.base_url and url == DEFAULT_APP_URL:
        url = login.base_url
    elif login.base_url and parse_url(url) != parse_url(login.base_url):
        # A token of one app must not be sent to another.
        raise SettingsError(f"--app-url is {url}, and the login of Viam's command line is for {login.base_url}.")
    return FleetAddress(url, login.credentials, settings.timeout)
