"""Health, metrics, traces and logs, for operators of a server over HTTP. A server on stdio does not import it."""

from viam_mcp.operations._health import Health
from viam_mcp.operations._logs import JsonFormatter
from viam_mcp.operations._metrics import FOLDER_VARIABLE, Metrics, forget_worker
from viam_mcp.operations._requests import Requests, in_request
from viam_mcp.operations._routes import OPERATIONS, operations_routes
from viam_mcp.operations._tracing import tracer

__all__ = [
    "FOLDER_VARIABLE",
    "OPERATIONS",
    "Health",
    "JsonFormatter",
    "Metrics",
    "Requests",
    "forget_worker",
    "in_request",
    "operations_routes",
    "tracer",
]
