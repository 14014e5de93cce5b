"""`viam-mcp doctor`: what is configured, what can be reached, what the key may do, what to fix."""

from __future__ import annotations

import asyncio
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from viam_mcp._version import __version__
from viam_mcp.app import AppError, PermissionDenied
from viam_mcp.cli._calls import chosen_tools, open_calls
from viam_mcp.cli._fleet import open_fleet, settings_of
from viam_mcp.proto.app import AuthorizedPermissions
from viam_mcp.settings import KEY_ID_VARIABLE, KEY_VARIABLE, SettingsError, add_options
from viam_mcp.tools import quoted

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Iterator

    from viam_mcp.app import AppClient
    from viam_mcp.settings import Settings

# What decides whether the tools of a fleet's daily work will be allowed, in the service's own names.
_PERMISSIONS = (
    "read_organization",
    "write_organization",
    "read_location",
    "write_location",
    "read_robot",
    "write_robot",
    "read_robot_config",
    "read_robot_logs",
    "read_fragment",
    "write_fragment",
)


class Finding(NamedTuple):
    """One thing that was looked at: whether it is in order, what was found, and what to do if it is not."""

    good: bool
    what: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its flags."""
    add_options(parser, "fleet", "tools", "calls")


def run(options: argparse.Namespace) -> int:
    """Print the findings; 1 if anything needs to be fixed."""
    return asyncio.run(_examine(settings_of(options)))


async def _examine(settings: Settings) -> int:
    faults = 0
    async for finding in _findings(settings):
        print(f"{'ok  ' if finding.good else 'FIX '} {finding.what}", flush=True)
        faults += not finding.good
    print("Everything is in order." if not faults else f"{faults} to fix.")
    return 1 if faults else 0


async def _findings(settings: Settings) -> AsyncIterator[Finding]:
    yield Finding(True, f"viam-mcp {__version__}, Python {platform.python_version()}, mcp {version('mcp')}")
    for finding in _configuration(settings):
        yield finding
    try:
        async with open_fleet(settings) as app:
            where = "the embedded sandbox" if settings.sandbox else settings.app_url
            yield Finding(True, f"fleet: {where} answers and takes the key")
            async with open_calls(settings, app) as calls:
                yield Finding(True, f"calls: files folder and policy can be used; {len(calls.tools)} tools are offered")
            async for finding in _rights(app):
                yield finding
    except SettingsError as error:
        yield Finding(False, str(error))
    except AppError as error:
        yield Finding(False, f"fleet: {error}")


def _configuration(settings: Settings) -> Iterator[Finding]:
    """What can be judged without asking anybody."""
    if settings.sandbox:
        yield Finding(True, "credentials: none needed for the sandbox")
    elif settings.has_credentials:
        yield Finding(True, f"credentials: API key {settings.api_key_id} from {KEY_ID_VARIABLE} and {KEY_VARIABLE}")
    elif settings.api_key or settings.api_key_id:
        missing = KEY_ID_VARIABLE if settings.api_key else KEY_VARIABLE
        yield Finding(False, f"credentials: {missing} is not set; both it and the other half are needed")
    try:
        tools = chosen_tools(settings)
    except SettingsError as error:
        yield Finding(False, f"tools: {error}")
    else:
        yield Finding(True, f"tools: {len(tools)} chosen{', read-only' if settings.read_only else ''}")


async def _rights(app: AppClient) -> AsyncIterator[Finding]:
    """What the key may do, for each organization that it can see."""
    try:
        organizations = await app.list_organizations()
    except PermissionDenied:
        organizations = []
    if not organizations:
        yield Finding(False, "rights: the key sees no organization; give it a role on one in the Viam app")
    for organization in organizations:
        asked = AuthorizedPermissions(
            resource_type="organization", resource_id=organization.id, permissions=_PERMISSIONS
        )
        granted = {name for answer in await app.check_permissions([asked]) for name in answer.permissions}
        missing = [name for name in _PERMISSIONS if name not in granted]
        may = "everything that was asked for" if not missing else f"all but {', '.join(missing)}"
        yield Finding(True, f"rights: organization {quoted(organization.name)} ({organization.id}): {may}")
