"""The fleet as an MCP server."""

from viam_mcp.server._callers import Shares
from viam_mcp.server._calls import DEFAULT_RESULT_BYTES, Calls, Result
from viam_mcp.server._choice import CORE, ChoiceError, choose
from viam_mcp.server._confirm import Asker, ConfirmOperation
from viam_mcp.server._server import SERVER_NAME, build_server
from viam_mcp.server._stdio import stdio

__all__ = [
    "CORE",
    "DEFAULT_RESULT_BYTES",
    "SERVER_NAME",
    "Asker",
    "Calls",
    "ChoiceError",
    "ConfirmOperation",
    "Result",
    "Shares",
    "build_server",
    "choose",
    "stdio",
]
