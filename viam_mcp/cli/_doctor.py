"""`viam-mcp doctor`: what is configured, what can be reached, what the key may do, what to fix."""

from __future__ import annotations

import asyncio
import os
import platform
import stat
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from viam_mcp._version import __version__
from viam_mcp.app import AppError, PermissionDenied
from viam_mcp.assembly.fleet import open_fleet
from viam_mcp.assembly.options import SettingsError, add_options
from viam_mcp.assembly.pipeline import chosen_tools
from viam_mcp.assembly.settings import KEY_ID_VARIABLE, KEY_VARIABLE, settings_of
from viam_mcp.assembly.store import new_store, unwritable
from viam_mcp.policy import PolicyError, load
from viam_mcp.proto.app import AuthorizedPermissions
from viam_mcp.store import KEYS_VARIABLE, SqliteAddress, StoreError, parse_keys, state_folder
from viam_mcp.tools import Files, quoted

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from viam_mcp.app import AppClient
    from viam_mcp.assembly.settings import Settings

# The permissions that the daily work on a fleet needs, by their names in the Viam app.
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
_OTHERS = 0o077
_NAMED = 3  # locations that one finding names


class Finding(NamedTuple):
    """The result of a check: whether it is in order, what was found, and what to do if it is not."""

    good: bool
    what: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its flags."""
    add_options(parser, "fleet", "tools", "calls")


def run(options: argparse.Namespace) -> int:
    """Print the findings, and return 1 if anything has to be fixed."""
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
    if credentials := _credentials(settings):
        yield credentials
    for look in (_tools, _policy, _files, _store):
        yield look(settings)
    yield _state()
    yield _keys()
    try:
        async with open_fleet(settings) as app:
            where = "the embedded sandbox" if settings.sandbox else settings.app_url
            yield Finding(True, f"fleet: {where} answers and takes the key")
            async for finding in _rights(app):
                yield finding
    except SettingsError as error:
        yield Finding(False, str(error))
    except AppError as error:
        yield Finding(False, f"fleet: {error}")


def _credentials(settings: Settings) -> Finding | None:
    """Return what is known of the credentials without sending them. That there are none is found with the fleet."""
    if settings.sandbox:
        return Finding(True, "credentials: none needed for the sandbox")
    if settings.has_credentials:
        return Finding(True, f"credentials: API key {settings.api_key_id} from {KEY_ID_VARIABLE} and {KEY_VARIABLE}")
    if settings.api_key or settings.api_key_id:
        missing = KEY_ID_VARIABLE if settings.api_key else KEY_VARIABLE
        return Finding(False, f"credentials: {missing} is not set; both it and the other half are needed")
    return None


def _tools(settings: Settings) -> Finding:
    try:
        tools = chosen_tools(settings)
    except SettingsError as error:
        return Finding(False, f"tools: {error}")
    return Finding(True, f"tools: {len(tools)} chosen{', read-only' if settings.read_only else ''}")


def _policy(settings: Settings) -> Finding:
    if settings.policy is None:
        return Finding(True, "policy: the built-in one; what is destructive is confirmed")
    try:
        rules = len(load(settings.policy).rules)
    except PolicyError as error:
        return Finding(False, f"policy: {error}")
    return Finding(True, f"policy: {settings.policy}, {_counted(rules, 'rule')}")


def _files(settings: Settings) -> Finding:
    if settings.files_dir is None:
        return Finding(True, "files: no folder; tools read and write no files")
    try:
        Files(settings.files_dir)
    except OSError as error:
        return Finding(False, f"files: {settings.files_dir}: {error.strerror or error}")
    return Finding(True, f"files: {settings.files_dir}")


def _store(settings: Settings) -> Finding:
    """Where operations and the audit are kept. A file is neither opened nor made."""
    try:
        store = new_store(settings)
    except SettingsError as error:
        return Finding(False, f"store: {error}")
    where, address = f"store: {store.address}", store.address
    if isinstance(address, SqliteAddress):
        if reason := unwritable(address.path):
            return Finding(False, f"{where} cannot be written: {reason}; until it can, nothing is changed")
        return Finding(
            True, f"{where} can be written{'' if address.path.exists() else ', and is made when it is needed'}"
        )
    try:
        store.read(lambda tx: tx.now)
    except StoreError as error:
        return Finding(False, f"{where}: {error}; until it can be used, nothing is changed")
    finally:
        store.close()
    return Finding(True, f"{where} answers")


def _state() -> Finding:
    """Check the state folder. Other users must not be able to change what is in it."""
    folder = state_folder()
    try:
        status = folder.stat()
    except FileNotFoundError:
        return Finding(True, f"state: {folder} is made when it is needed, for its owner alone")
    except OSError as error:
        return Finding(False, f"state: {folder}: {error.strerror}")
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISDIR(status.st_mode):
        return Finding(False, f"state: {folder} is not a folder")
    if status.st_uid != os.geteuid():
        return Finding(False, f"state: {folder} belongs to somebody else (user {status.st_uid})")
    if mode & _OTHERS:
        return Finding(False, f"state: {folder} has mode {mode:04o}, which lets others in: chmod 700 {folder}")
    return Finding(True, f"state: {folder}, mode {mode:04o}")


def _keys() -> Finding:
    """What encrypts the keys of the store."""
    text = os.environ.get(KEYS_VARIABLE, "")
    if not text.strip():
        return Finding(True, "state key: in a file beside the store")
    try:
        number = len(parse_keys(text))
    except StoreError as error:
        return Finding(False, f"state key: {KEYS_VARIABLE}: {error}")
    return Finding(True, f"state key: {_counted(number, 'key')} from {KEYS_VARIABLE}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


async def _rights(app: AppClient) -> AsyncIterator[Finding]:
    """Check what the key may do, for each organization that it can see."""
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
        about = f"rights: organization {quoted(organization.name)} ({organization.id})"
        if any(name.startswith("read_") for name in granted):
            may = "everything that was asked for" if not missing else f"all but {', '.join(missing)}"
            yield Finding(True, f"{about}: {may}")
        elif parts := await _locations(app, organization.id):
            yield Finding(True, f"{about}: nothing on the whole of it, but something in {parts}")
        else:
            may = f"no more than {', '.join(sorted(granted))}" if granted else "nothing that was asked for"
            yield Finding(False, f"{about}: {may}; give the key a role in the Viam app")


async def _locations(app: AppClient, org_id: str) -> str:
    """Return the locations that a key sees which is limited to some, or to machines in them; "" for none."""
    try:
        found = [location.name for location in await app.list_locations(org_id)]
    except PermissionDenied:
        return ""
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    return f"{', '.join(map(quoted, found[:_NAMED]))}{more}"
