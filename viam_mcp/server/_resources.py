"""Resources: a URI for what an assistant reads often, and the calls whose results are its content.

Hosts attach resources to conversations by themselves. So a resource never contains a credential, even where the policy
lets tools reveal it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mcp_types as types
from grpclib.const import Status
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate

from viam_mcp.server import _log_resource
from viam_mcp.server._directory import ThingKind, is_id
from viam_mcp.tools import TOOLS, ListTool, ToolError, json_text, quoted, redacted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from viam_mcp.calls import Result
    from viam_mcp.server._directory import Call

Json = Any

MIME_TYPE = "application/json"
RESOURCE_NOT_FOUND = -32002
"""The code for an unknown URI until 2025-11-25; from 2026-07-28 on it is INVALID_PARAMS.

https://modelcontextprotocol.io/specification/2025-11-25/server/resources#error-handling
"""


@dataclass(frozen=True)
class Read:
    """A call whose result is part of a resource.

    Attributes:
        tool: The tool.
        argument: Its argument that takes the id in the URI; None if it takes none.
        fields: The fields of the thing, or of each thing in a list, that the resource has; empty for all.
    """

    tool: str
    argument: str | None = None
    fields: tuple[str, ...] = ()

    def arguments(self, identifier: str) -> dict[str, Json]:
        """Return the arguments of the call."""
        arguments: dict[str, Json] = {} if self.argument is None else {self.argument: identifier}
        if self.fields and issubclass(TOOLS[self.tool], ListTool):
            arguments["fields"] = list(self.fields)
        return arguments

    def shaped(self, data: dict[str, Json]) -> dict[str, Json]:
        """Return the part of the result that the resource has."""
        if not self.fields:
            return data
        return {
            name: {key: member[key] for key in self.fields if key in member} if isinstance(member, dict) else member
            for name, member in data.items()
        }


@dataclass(frozen=True)
class Resource:
    """A resource, or a template for a resource about each thing of a kind.

    Attributes:
        uri: The URI; a template if `{id}` is in it.
        name: Its short name.
        title: Its name for people.
        description: What it contains.
        reads: The calls whose results it contains.
        kind: The kind of thing that `{id}` is the id of; None without it.
    """

    uri: str
    name: str
    title: str
    description: str
    reads: tuple[Read, ...]
    kind: ThingKind | None = None

    def definition(self) -> dict[str, Json]:
        """Return its entry in the answer to `resources/list` or `resources/templates/list`."""
        address = "uri" if self.kind is None else "uriTemplate"
        return {
            address: self.uri,
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "mimeType": MIME_TYPE,
        }


RESOURCES = (
    Resource(
        "viam://organizations",
        "organizations",
        "Organizations",
        "The organizations that the configured key can reach.",
        (Read("list_organizations"),),
    ),
    Resource(
        "viam://locations/{id}",
        "location",
        "Location and its machines",
        "A location by its id, and the machines directly in it: names, ids, whether each is online.",
        (
            Read("get_location", "location_id"),
            Read("list_robots", "location_id", ("id", "name", "online_state", "last_access")),
        ),
        ThingKind.LOCATION,
    ),
    Resource(
        "viam://machines/{id}",
        "machine",
        "Machine and its parts",
        "A machine by its id, and its parts without their configurations: names, ids, addresses, whether each is "
        "online.",
        (
            Read("get_robot", "robot_id"),
            Read(
                "get_robot_parts",
                "robot_id",
                ("id", "name", "main_part", "fqdn", "online_state", "last_access", "last_updated"),
            ),
        ),
        ThingKind.MACHINE,
    ),
    Resource(
        "viam://parts/{id}/config",
        "part-config",
        "Configuration of a part",
        "The configuration of a machine part by its id, credentials redacted, and when it was last saved.",
        (Read("get_robot_part", "robot_part_id", ("id", "name", "robot", "last_updated", "robot_config")),),
        ThingKind.PART,
    ),
    Resource(
        "viam://fragments/{id}",
        "fragment",
        "Fragment",
        "A fragment by its id: its configuration, credentials redacted, and how many parts use it.",
        (Read("get_fragment", "fragment_id"),),
        ThingKind.FRAGMENT,
    ),
)
"""Every resource and template."""


class Resources:
    """The resources of a server: those for which it offers the tools.

    Args:
        tools: The tools that are offered, by name.
    """

    def __init__(self, tools: Mapping[str, Any]) -> None:
        self._logs = _log_resource.TOOL in tools
        self.offered = tuple(one for one in RESOURCES if all(read.tool in tools for read in one.reads))

    def listing(self) -> dict[str, Json]:
        """Return the answer to `resources/list`."""
        return {"resources": [one.definition() for one in self.offered if one.kind is None]}

    def templates(self) -> dict[str, Json]:
        """Return the answer to `resources/templates/list`."""
        logs = [_log_resource.definition()] if self._logs else []
        return {"resourceTemplates": [*(one.definition() for one in self.offered if one.kind is not None), *logs]}

    def kinds(self) -> dict[str, dict[str, ThingKind | None]]:
        """Return the kind of thing that each variable of each template takes; None for free text."""
        kinds: dict[str, dict[str, ThingKind | None]] = {
            one.uri: {"id": one.kind} for one in self.offered if one.kind is not None
        }
        if self._logs:
            kinds[_log_resource.URI] = {**dict.fromkeys(_log_resource.VARIABLES), "robot_part_id": ThingKind.PART}
        return kinds

    async def read(self, uri: str, call: Call, *, modern: bool) -> dict[str, Json]:
        """Return the answer to `resources/read`.

        Args:
            uri: The URI of the resource.
            call: Runs a tool.
            modern: Whether the client speaks 2026-07-28 or later, which has another code for a missing resource.

        Raises:
            MCPError: There is no resource with that URI, or it could not be read.
        """
        if (log := self._log_at(uri)) is not None:
            result = await call(_log_resource.TOOL, log)
            if result.data is None:
                raise _failure(uri, result, modern)
            return _contents(uri, result.data)
        resource, identifier = self._at(uri, modern)
        data: dict[str, Json] = {}
        for read in resource.reads:
            arguments = read.arguments(identifier)
            result = await call(read.tool, arguments)
            if result.data is None:
                raise _failure(uri, result, modern)
            _add(data, read.shaped(result.data), read.tool, arguments)
        return _contents(uri, redacted(data))

    def _log_at(self, uri: str) -> dict[str, Json] | None:
        """Return the arguments of the call that reads a log, or None if the URI is not that of a log."""
        if not self._logs:
            return None
        try:
            return _log_resource.arguments_at(uri)
        except ToolError as error:
            raise MCPError(code=types.INVALID_PARAMS, message=f"{quoted(uri)}: {error}") from None

    def _at(self, uri: str, modern: bool) -> tuple[Resource, str]:
        for resource in self.offered:
            match = UriTemplate.parse(resource.uri).match(uri)
            if match is None:
                continue
            identifier = str(match.get("id", ""))
            if resource.kind is not None and not is_id(resource.kind, identifier):
                raise _not_found(
                    uri,
                    f"There is no resource {quoted(uri)}: {quoted(identifier)} has not the form of a {resource.kind}'s "
                    f"id. Completion of {resource.uri} gives those that there are.",
                    modern,
                )
            return resource, identifier
        logs = [_log_resource.URI] if self._logs else []
        known = ", ".join([*(one.uri for one in self.offered), *logs]) or "none"
        raise _not_found(uri, f"There is no resource {quoted(uri)}. There are: {known}.", modern)


def _contents(uri: str, data: Json) -> dict[str, Json]:
    return {"contents": [{"uri": uri, "mimeType": MIME_TYPE, "text": json_text(data)}]}


def _add(data: dict[str, Json], more: dict[str, Json], tool: str, arguments: dict[str, Json]) -> None:
    """Add a result to those that were read before, and its warnings after theirs."""
    warnings = [*data.get("warnings", []), *more.get("warnings", [])]
    data.update(more)
    if "next_cursor" in more:
        again = json.dumps({**arguments, "cursor": "…"}, ensure_ascii=False)
        warnings.append(f"There is more than this: call {tool} with {again}, next_cursor in the place of the dots.")
    if warnings:
        data["warnings"] = warnings


def _not_found(uri: str, message: str, modern: bool) -> MCPError:
    code = types.INVALID_PARAMS if modern else RESOURCE_NOT_FOUND
    return MCPError(code=code, message=message, data={"uri": uri})


def _failure(uri: str, result: Result, modern: bool) -> MCPError:
    message = f"{quoted(uri)} could not be read. {result.text}"
    if result.status is Status.NOT_FOUND:
        return _not_found(uri, message, modern)
    wrong = result.outcome == "invalid" or result.status is Status.INVALID_ARGUMENT
    return MCPError(code=types.INVALID_PARAMS if wrong else types.INTERNAL_ERROR, message=message)
