"""From settings and a fleet to the road that calls take."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from viam_mcp.logs import Options as TailOptions
from viam_mcp.logs import Tails
from viam_mcp.policy import open_gate
from viam_mcp.server import Calls, ChoiceError, choose
from viam_mcp.settings import Settings, SettingsError
from viam_mcp.tools import Files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.policy import Gate
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


def calls_maker(
    settings: Settings,
    app: AppClient,
    *,
    audited: Callable[[Mapping[str, Any]], None] | None = None,
    **options: Any,
) -> Callable[[Mapping[str, type[Tool]], Path | None], Calls]:
    """What makes roads to this fleet, as the settings have them.

    Each road is for the tools that it is given, under the policy of the file that it is given; None stands for
    the settings' policy. Those of the same policy have one gate.

    Args:
        settings: The settings.
        app: The fleet.
        audited: Told of every entry of the audit.
        options: What `Calls` takes besides.

    Raises:
        SettingsError: The files folder is not a folder.
    """
    files = None
    if settings.files_dir is not None:
        try:
            files = Files(settings.files_dir)
        except OSError as error:
            raise SettingsError(f"--files-dir: {error.strerror or error}: {settings.files_dir}") from None

    tail_options = TailOptions(
        ring_entries=settings.log_entries,
        ring_bytes=settings.log_bytes,
        linger=settings.log_linger,
        most_tails=settings.max_tails,
    )
    tails = Tails(app, tail_options)

    @cache
    def gate(policy: Path | None) -> Gate:
        return open_gate(
            app,
            policy=policy or settings.policy,
            audit=settings.audit,
            read_only=settings.read_only,
            dry_run=settings.dry_run,
            watch=audited,
        )

    def make(tools: Mapping[str, type[Tool]], policy: Path | None) -> Calls:
        return Calls(
            tools,
            app,
            gate(policy),
            files=files,
            max_result_bytes=settings.max_result_bytes,
            tails=tails,
            **options,
        )

    return make


@asynccontextmanager
async def open_calls(settings: Settings, app: AppClient) -> AsyncIterator[Calls]:
    """The road that calls to this fleet take, as the settings have it.

    Raises:
        SettingsError: A name of a tool is not one, or the files folder is not a folder.
        PolicyError: The policy cannot be used.
    """
    calls = calls_maker(settings, app)(chosen_tools(settings), None)
    async with calls.tails:
        yield calls
