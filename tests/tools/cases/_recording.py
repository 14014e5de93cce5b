"""What a case calls its tool with, for tests that do something else with every tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from viam_mcp.app import AppError
from viam_mcp.tools import TOOLS, Environment, Files, ListTool, ToolError, Whole, collect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox


class _Recorder:
    """Stands in for the MCP client of a case: the first call of one tool is kept and not made."""

    def __init__(self, name: str, app: AppClient, files: Files) -> None:
        self.arguments: dict[str, Any] | None = None
        self._name = name
        self._app = app
        self._environment = Environment(files=files)

    async def __call__(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        if name == self._name:
            self.arguments = arguments
            raise _RecordedError
        return await self._run(name, arguments)

    async def error(self, name: str, /, **arguments: Any) -> str:
        try:
            await self._run(name, arguments)
        except (AppError, ToolError) as error:
            return str(error)
        raise AssertionError(f"{name} had to fail")

    async def result(self, name: str, arguments: dict[str, Any], **options: Any) -> Any:
        return await self(name, **arguments)

    async def _run(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        tool = TOOLS[name].model_validate_json(to_json(arguments))
        if isinstance(tool, ListTool):
            return await collect(tool, self._app, reveal=False, budget=1 << 24, environment=self._environment)
        returns = tool.spec.returns
        assert isinstance(returns, Whole)
        return returns.encode(await tool.execute(self._app, self._environment), reveal=False)


class _RecordedError(Exception):
    """Ends a case once its call is known."""


@dataclass
class _Fleet:
    """What a case takes for a fleet behind an MCP server."""

    sandbox: Sandbox
    app: AppClient
    call: _Recorder
    files: Path

    def id(self, table: str, name: str) -> str:
        return str(self.value(f"SELECT id FROM {table} WHERE name = ?", name))

    def value(self, sql: str, *values: Any) -> Any:
        return self.sandbox.store.value(sql, *values)


async def arguments_of(
    case: Callable[[Any], Awaitable[None]], name: str, sandbox: Sandbox, app: AppClient, files: Path
) -> dict[str, Any]:
    """Return what a case calls a tool with. What it does before that is done.

    Args:
        case: The case.
        name: The tool.
        sandbox: The fleet.
        app: A client of it.
        files: A folder for files.
    """
    call = _Recorder(name, app, Files(files))
    try:
        await case(_Fleet(sandbox, app, call, files))
    except* _RecordedError:
        pass
    assert call.arguments is not None, f"the case of {name} does not call it"
    return call.arguments
