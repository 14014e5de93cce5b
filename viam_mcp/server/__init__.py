"""The fleet as an MCP server."""

from viam_mcp.server._calls import DEFAULT_RESULT_BYTES, Calls, Result
from viam_mcp.server._server import SERVER_NAME, build_server
from viam_mcp.server._stdio import stdio

__all__ = ["DEFAULT_RESULT_BYTES", "SERVER_NAME", "Calls", "Result", "build_server", "stdio"]
