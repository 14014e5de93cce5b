"""From settings to a fleet that calls can be made to: the Viam cloud, or the embedded sandbox."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from viam_mcp.app import PROFILE_VARIABLE, Credentials, TokenSource, login_path, open_client, parse_url, read_login
from viam_mcp.assembly.settings import (
    DEFAULT_APP_URL,
    KEY_ID_VARIABLE,
    KEY_VARIABLE,
    Settings,
    SettingsError,
    read_settings,
)
from viam_mcp.calls import Upstream

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from viam_mcp.app import AppClient, CallObserver


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings of the command that is running.

    Raises:
        SettingsError: A value cannot be used.
    """
    return read_settings(vars(options), os.environ)


@dataclass(frozen=True)
class Place:
    """Where a fleet is, and who this program is there.

    Attributes:
        url: The Viam app, or the sandbox.
        credentials: The program's own; None where every caller brings some.
        timeout: Seconds that a call may take.
    """

    url: str
    credentials: TokenSource | None
    timeout: float

    def client(self, credentials: TokenSource, observer: CallObserver) -> AppClient:
        """A client for these credentials, for whoever closes it."""
        return open_client(self.url, credentials, timeout=self.timeout, observer=observer)


@asynccontextmanager
async def open_place(settings: Settings) -> AsyncIterator[Place]:
    """The place that the settings name; the sandbox is there until the block is left.

    Raises:
        SettingsError: There are neither credentials nor `--sandbox`, or the URL is malformed.
        Unauthenticated: The login of Viam's command line cannot be used.
    """
    own = settings.credentials in ("env", "viam-cli")
    if settings.sandbox:
        # Only who wants the sandbox pays for it.
        from viam_mcp.sandbox import LIVE_INTERVAL, Sandbox

        async with Sandbox.start(live=LIVE_INTERVAL) as sandbox:
            credentials = Credentials(sandbox.api_key_id, sandbox.api_key) if own else None
            yield Place(sandbox.url, credentials, settings.timeout)
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
    yield Place(settings.app_url, credentials, settings.timeout)


@asynccontextmanager
async def open_fleet(settings: Settings, *, lazy: bool = False) -> AsyncIterator[AppClient]:
    """A client of the fleet that the settings name, until the block is left.

    Args:
        settings: Which fleet.
        lazy: Do not ask the fleet anything yet.

    Raises:
        SettingsError: There are neither credentials nor `--sandbox`, or the URL is malformed.
        AppError: The fleet cannot be reached or refuses the key, unless `lazy`.
    """
    async with open_place(settings) as place:
        if place.credentials is None:
            raise SettingsError(
                f"--credentials {settings.credentials} is for callers over HTTP: use it with serve --transport http."
            )
        app = place.client(place.credentials, Upstream())
        try:
            if not lazy:
                await app.session.authenticate()
            yield app
        finally:
            await app.session.close()


def _logged_in(settings: Settings) -> Place:
    if settings.transport != "stdio":
        raise SettingsError(
            "--credentials viam-cli is the login of one person, so it is not for callers over HTTP: use an API key."
        )
    login = read_login(login_path(os.environ.get(PROFILE_VARIABLE, "")))
    url = settings.app_url
    if login.base_url and url == DEFAULT_APP_URL:
        url = login.base_url
    elif login.base_url and parse_url(url) != parse_url(login.base_url):
        # The tokens of one app are not for another.
        raise SettingsError(f"--app-url is {url}, and the login of Viam's command line is for {login.base_url}.")
    return Place(url, login.credentials, settings.timeout)
