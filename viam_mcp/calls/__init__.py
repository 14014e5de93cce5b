"""The pipeline of one call. Nothing in this package knows MCP."""

from viam_mcp.calls._arguments import parse
from viam_mcp.calls._callers import Grant, open_to
from viam_mcp.calls._calls import DEFAULT_RESULT_BYTES, Calls, Result
from viam_mcp.calls._choice import CORE, ChoiceError, choose
from viam_mcp.calls._confirm import ConfirmOperation
from viam_mcp.calls._fleets import Fleets
from viam_mcp.calls._keys import BroughtKeys, CallersKeys, lent_keys
from viam_mcp.calls._limits import Limits, Turns
from viam_mcp.calls._upstream import Upstream

__all__ = [
    "CORE",
    "DEFAULT_RESULT_BYTES",
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
    "choose",
    "lent_keys",
    "open_to",
    "parse",
]
