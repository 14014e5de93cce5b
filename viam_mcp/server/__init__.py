"""The fleet as an MCP server."""

from viam_mcp.server._arguments import parse
from viam_mcp.server._callers import Grant, open_to
from viam_mcp.server._calls import DEFAULT_RESULT_BYTES, Calls, Result
from viam_mcp.server._choice import CORE, ChoiceError, choose
from viam_mcp.server._confirm import Asker, ConfirmOperation
from viam_mcp.server._fleets import Fleets
from viam_mcp.server._keys import BroughtKeys, CallersKeys, lent_keys
from viam_mcp.server._limits import Limits, Turns
from viam_mcp.server._server import SERVER_NAME, build_server, end_streams, subscribers
from viam_mcp.server._stdio import stdio
from viam_mcp.server._upstream import Upstream

__all__ = [
    "CORE",
    "DEFAULT_RESULT_BYTES",
    "SERVER_NAME",
    "Asker",
    "BroughtKeys",
    "CallersKeys",
    "Calls",
    "ChoiceError",
    "ConfirmOperation",
    "Fleets",
    "Grant",
    "Limits",
    "Result",
    "Turns",
    "Upstream",
    "build_server",
    "choose",
    "end_streams",
    "lent_keys",
    "open_to",
    "parse",
    "stdio",
    "subscribers",
]
