"""An MCP server for the whole fleet-management API of Viam.

`viam_mcp.app` is the API's client and a library of its own; `viam_mcp.server` gives it to MCP clients.
"""

from viam_mcp._version import __version__

__all__ = ["__version__"]
