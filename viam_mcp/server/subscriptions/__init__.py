"""Subscriptions to the logs of parts, in both eras of the protocol."""

from viam_mcp.server.subscriptions._notifier import INTERVAL
from viam_mcp.server.subscriptions._subscriptions import Subscriptions

__all__ = ["INTERVAL", "Subscriptions"]
