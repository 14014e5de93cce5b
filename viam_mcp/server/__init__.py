"""The fleet as an MCP server."""

from viam_mcp.server._server import SERVER_NAME, build_server, end_streams, subscribers
from viam_mcp.server._stdio import stdio

__all__ = ["SERVER_NAME", "build_server", "end_streams", "stdio", "subscribers"]
