"""The road that every call takes: arguments validated, one method of the fleet, the answer shaped.

Whoever calls, over MCP or from the shell, calls here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from pydantic_core import to_json

from viam_mcp.app import AppError
from viam_mcp.server._arguments import parse, unknown_tool
from viam_mcp.tools import Done, Environment, ListTool, ToolError, collect, fit, sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

    from viam_mcp.app import AppClient
    from viam_mcp.tools import Files, Progress, Tool

logger = logging.getLogger("viam_mcp.server")

Json = Any

DEFAULT_RESULT_BYTES = 65_536
"""How many bytes of compact JSON a result takes at most, if nobody says otherwise."""


@dataclass(frozen=True)
class Result:
    """What a call came to.

    Attributes:
        data: The structured answer; None for an error.
        text: The same for a reader of text, or what went wrong.
    """

    data: dict[str, Json] | None
    text: str

    @property
    def is_error(self) -> bool:
        """Whether the call failed."""
        return self.data is None


class Calls:
    """Runs calls against one fleet.

    Args:
        tools: The tools that may be called, by name.
        app: The fleet.
        files: The folder that tools may use; None for none.
        max_result_bytes: How large a result may be, in bytes of compact JSON.
        at_once: How many calls run at the same time; more wait for their turn.
    """

    def __init__(
        self,
        tools: Mapping[str, type[Tool]],
        app: AppClient,
        *,
        files: Files | None = None,
        max_result_bytes: int = DEFAULT_RESULT_BYTES,
        at_once: int = 64,
    ) -> None:
        self.tools = tools
        self._app = app
        self._files = files
        self._budget = max_result_bytes
        self._turns: AbstractAsyncContextManager[Any] = anyio.Semaphore(at_once)

    async def call(self, name: str, arguments: Mapping[str, Json], progress: Progress) -> Result:
        """Run one call to its end. Whatever goes wrong comes back as an error result."""
        try:
            kind = self.tools.get(name)
            if kind is None:
                raise unknown_tool(name, self.tools)
            tool = parse(kind, arguments)
            environment = Environment(files=self._files, progress=progress)
            async with self._turns:
                data = await self._run(tool, environment)
            if environment.notes:
                data["warnings"] = [*data.get("warnings", []), *environment.notes]
            return Result(data, to_json(data).decode())
        except (ToolError, AppError) as error:
            return Result(None, sanitize(str(error)))
        except Exception:
            # The caller learns that it was our fault and nothing else: the text of an unforeseen
            # exception may hold anything.
            logger.exception("call of %s failed", name)
            return Result(
                None, f"{name} failed inside this server, whose log says more. Whether anything was done is not known."
            )

    async def _run(self, tool: Tool, environment: Environment) -> dict[str, Json]:
        """What the tool answers, as JSON."""
        if isinstance(tool, ListTool):
            await tool.execute(self._app, environment)
            return await collect(tool, self._app, reveal=False, budget=self._budget)
        returns = tool.spec.returns
        # What a thing was called is asked before it is gone.
        subject = await tool.subject(self._app) if isinstance(returns, Done) else None
        value = await tool.execute(self._app, environment)
        data, warnings = fit(returns.encode(value if subject is None else subject, reveal=False), self._budget)
        if warnings:
            data["warnings"] = warnings
        return data
