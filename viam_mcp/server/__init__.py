"""The fleet as an MCP server."""

from viam_mcp.server._requests import lent_keys, pipelines
from viam_mcp.server._server import SERVER_NAME, FleetServer, build_server

__all__ = ["SERVER_NAME", "FleetServer", "build_server", "lent_keys", "pipelines"]
