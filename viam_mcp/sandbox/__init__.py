"""An embedded fleet: a faithful AppService and AuthService over a real socket.

    async with Sandbox.start() as sandbox:
        ...  # connect to sandbox.url with sandbox.api_key_id and sandbox.api_key

It needs no account and no network. The demo fleet is the same every time, apart from its secrets.
"""

from viam_mcp.sandbox.faults import Fault, Faults
from viam_mcp.sandbox.live.generator import LIVE_INTERVAL
from viam_mcp.sandbox.server import Sandbox, StartError, empty, open_fleet

__all__ = ["LIVE_INTERVAL", "Fault", "Faults", "Sandbox", "StartError", "empty", "open_fleet"]
