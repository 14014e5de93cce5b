"""From settings and a fleet to the road that calls take."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from viam_mcp.policy import open_gate
from viam_mcp.server import Calls, ChoiceError, choose
from viam_mcp.settings import Settings, SettingsError
from viam_mcp.tools import Files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from viam_mcp.app import AppClient
    from viam_mcp.tools import Tool


def chosen_tools(settings: Settings) -> dict[str, type[Tool]]:
    """The tools that the settings offer.

    Raises:
        SettingsError: A name of a tool or toolset is not one.
    """
    try:
        return choose(
            toolsets=settings.toolsets,
            tools=settings.tools,
            exclude_tools=settings.exclude_tools,
            read_only=settings.read_only,
        )
    except ChoiceError as error:
        raise SettingsError(str(error)) from None


@asynccontextmanager
async def open_calls(settings: Settings, app: AppClient) -> AsyncIterator[Calls]:
    """The road that calls to this fleet take, as the settings have it.

    Raises:
        SettingsError: A name of a tool is not one, or the files folder is not a folder.
        PolicyError: The policy cannot be used.
    """
    files = None
    if settings.files_dir is not None:
        try:
            files = Files(settings.files_dir)
        except OSError as error:
            raise SettingsError(f"--files-dir: {error.strerror or error}: {settings.files_dir}") from None
    gate = open_gate(
        app,
        policy=settings.policy,
        audit=settings.audit,
        read_only=settings.read_only,
        dry_run=settings.dry_run,
    )
    yield Calls(chosen_tools(settings), app, gate, files=files, max_result_bytes=settings.max_result_bytes)
