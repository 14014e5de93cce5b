"""The demo fleet behind a real MCP server, and a client whose every result has to fit its schema."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from grpclib.client import Channel
from jsonschema import Draft202012Validator, FormatChecker
from mcp import Client

from tests.stores import store_in
from viam_mcp.app import AppClient, Credentials, Session
from viam_mcp.calls import Pipeline
from viam_mcp.policy import Action, Gate, Policy, Rule
from viam_mcp.server import build_server
from viam_mcp.tools import TOOLS, Files, Risk, definition
from viam_mcp.tools.results._output import Readable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mcp_types import CallToolResult

    from viam_mcp.sandbox import Sandbox

# Credentials are given as they are by default: redacted, new ones in a file.
EVERYTHING = Rule("the tests", Action.ALLOW, tools=("*",), risks=frozenset(Risk))

FORMATS = FormatChecker(formats=())
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@FORMATS.checks("date-time", raises=ValueError)
def is_time(value: object) -> bool:
    """Whether a text is a time as RFC 3339 has it."""
    return not isinstance(value, str) or bool(_TIME.fullmatch(value) and datetime.fromisoformat(value))


@cache
def _validator(name: str) -> Draft202012Validator:
    """Of what a tool returns, by the schema that a server lists."""
    return Draft202012Validator(definition(TOOLS[name])["outputSchema"], format_checker=FORMATS)


class ToolCaller:
    """Calls tools as an MCP client does.

    Attributes:
        client: The client.
        answers: The text of every answer, errors too.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.answers: list[str] = []

    async def __call__(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """The structured result of a call that has to succeed."""
        result = await self.result(name, arguments)
        assert not result.is_error, self.answers[-1]
        data: dict[str, Any] = result.structured_content or {}
        return data

    async def error(self, name: str, /, **arguments: Any) -> str:
        """What a call that has to fail says."""
        result = await self.result(name, arguments)
        assert result.is_error, self.answers[-1]
        return self.answers[-1]

    async def result(self, name: str, arguments: dict[str, Any], **options: Any) -> CallToolResult:
        """The whole result of a call, whether it failed or not."""
        result = await self.client.call_tool(name, arguments, **options)
        (content,) = result.content
        assert content.type == "text"
        self.answers.append(content.text)
        if result.is_error:
            assert result.structured_content is None
        else:
            if not isinstance(TOOLS[name].spec.returns, Readable):
                assert json.loads(content.text) == result.structured_content
            _validator(name).validate(result.structured_content)
        return result


@dataclass
class Fleet:
    """A sandbox with everything that leads to it.

    Attributes:
        sandbox: The fleet itself.
        channel: The connection to it.
        app: The client of its API.
        call: Calls tools.
        files: The folder that tools may use.
        audit: The file that says what was done.
    """

    sandbox: Sandbox
    channel: Channel
    app: AppClient
    call: ToolCaller
    files: Path
    audit: Path

    def id(self, table: str, name: str) -> str:
        """The id of the row of that name."""
        identifier = self.value(f"SELECT id FROM {table} WHERE name = ?", name)
        assert identifier, f"no {name!r} in {table}"
        return str(identifier)

    def value(self, sql: str, *values: Any) -> Any:
        """What the fleet's own tables say: the first column of the first row, or None."""
        return self.sandbox.store.value(sql, *values)


@asynccontextmanager
async def connected_to(
    sandbox: Sandbox,
    *,
    mode: Literal["legacy", "auto"],
    folder: Path,
    max_result_bytes: int = 65_536,
    kind: type[AppClient] = AppClient,
) -> AsyncIterator[Fleet]:
    """A sandbox behind an MCP server that allows every tool, and a client of it.

    Args:
        sandbox: The fleet.
        mode: Which era of the protocol the client speaks.
        folder: Where the server keeps its state, and the folder for files.
        max_result_bytes: How large a result may be.
        kind: The class of the fleet's client.
    """
    files, audit = folder / "files", folder / "audit.jsonl"
    files.mkdir()
    address = urlsplit(sandbox.url)
    with store_in(folder) as store:
        async with Channel(address.hostname, address.port) as channel:
            session = Session(channel, credentials=Credentials(sandbox.api_key_id, sandbox.api_key))
            app = kind(session, {})
            gate = Gate(Policy([EVERYTHING]), app, store)
            calls = Pipeline(TOOLS, app, gate, files=Files(files), max_result_bytes=max_result_bytes)
            async with Client(build_server(calls, sandbox=True).mcp, mode=mode, cache=None) as client:
                yield Fleet(sandbox, channel, app, ToolCaller(client), files, audit)
