"""The MCP server over Streamable HTTP. A server on stdio does not import it."""

from viam_mcp.http._app import MAX_REQUEST_BYTES, PATH, build_app
from viam_mcp.http._bind import is_loopback, transport_security, url
from viam_mcp.http._body_limits import BodyLimits
from viam_mcp.http._connections import room_for_connections
from viam_mcp.http._endpoint import check_endpoint
from viam_mcp.http._errors import HttpError
from viam_mcp.http._headers import PlainHeaders
from viam_mcp.http._serve import HttpServer, listen, tls_context
from viam_mcp.http.auth._auth import Authentication, by_oauth, by_tokens
from viam_mcp.http.auth._local import LocalOnly, sign_of_others
from viam_mcp.http.auth._oauth import Trust
from viam_mcp.http.auth._tokens import add

__all__ = [
    "MAX_REQUEST_BYTES",
    "PATH",
    "Authentication",
    "BodyLimits",
    "HttpError",
    "HttpServer",
    "LocalOnly",
    "PlainHeaders",
    "Trust",
    "add",
    "build_app",
    "by_oauth",
    "by_tokens",
    "check_endpoint",
    "is_loopback",
    "listen",
    "room_for_connections",
    "sign_of_others",
    "tls_context",
    "transport_security",
    "url",
]
