"""From settings to a fleet that calls can be made to: the Viam cloud, or the embedded sandbox."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from viam_mcp.app import connect
from viam_mcp.settings import KEY_ID_VARIABLE, KEY_VARIABLE, Settings, SettingsError, read_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from viam_mcp.app import AppClient


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings of the command that is running.

    Raises:
        SettingsError: A value cannot be used.
    """
    return read_settings(vars(options), os.environ)


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
    if settings.sandbox:
        # Only who wants the sandbox pays for it.
        from viam_mcp.sandbox import LIVE_INTERVAL, Sandbox

        async with (
            Sandbox.start(live=LIVE_INTERVAL) as sandbox,
            connect(
                sandbox.url,
                api_key_id=sandbox.api_key_id,
                api_key=sandbox.api_key,
                timeout=settings.timeout,
                lazy=lazy,
            ) as app,
        ):
            yield app
        return
    if not settings.has_credentials:
        raise SettingsError(
            f"There are no credentials. Set {KEY_ID_VARIABLE} and {KEY_VARIABLE} to an API key from the Viam app, "
            "or use --sandbox for the embedded demonstration fleet."
        )
    try:
        connection = connect(
            settings.app_url,
            api_key_id=settings.api_key_id,
            api_key=settings.api_key,
            timeout=settings.timeout,
            lazy=lazy,
        )
        app = await connection.__aenter__()
    except ValueError as error:
        raise SettingsError(str(error)) from None
    try:
        yield app
    finally:
        await connection.__aexit__(None, None, None)
