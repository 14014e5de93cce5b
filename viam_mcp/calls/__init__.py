"""The pipeline of one call, what limits it, and the pool of clients. Nothing in this package knows MCP."""

from viam_mcp.calls._access import Access, CallerCredential, open_to, opens_now
from viam_mcp.calls._arguments import parse
from viam_mcp.calls._choice import CORE, ChoiceError, choose
from viam_mcp.calls._concurrency import ConcurrencyLimiter, call_limiter
from viam_mcp.calls._confirm_operation import ConfirmOperation
from viam_mcp.calls._errors import ClientPoolError
from viam_mcp.calls._keys import BroughtKeys, CallersKeys, KeyForRequest, KeySource, key_loans
from viam_mcp.calls._limits import Busy, Kind, Limit, LimitReached, Limits, Quantity, Slot, table
from viam_mcp.calls._pipeline import DEFAULT_RESULT_BYTES, Pipeline, Result
from viam_mcp.calls._pool import ClientPool
from viam_mcp.calls._upstream import UpstreamMonitor

__all__ = [
    "CORE",
    "DEFAULT_RESULT_BYTES",
    "Access",
    "BroughtKeys",
    "Busy",
    "CallerCredential",
    "CallersKeys",
    "ChoiceError",
    "ClientPool",
    "ClientPoolError",
    "ConcurrencyLimiter",
    "ConfirmOperation",
    "KeyForRequest",
    "KeySource",
    "Kind",
    "Limit",
    "LimitReached",
    "Limits",
    "Pipeline",
    "Quantity",
    "Result",
    "Slot",
    "UpstreamMonitor",
    "call_limiter",
    "choose",
    "key_loans",
    "open_to",
    "opens_now",
    "parse",
    "table",
]
