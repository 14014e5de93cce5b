"""MCP over the stdin and stdout of this process.

https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/stdio
"""

from viam_mcp.server.stdio._serve import serve
from viam_mcp.server.stdio._stdio import StdioError, open_stdio

__all__ = ["StdioError", "open_stdio", "serve"]
