"""What an MCP request says about its caller, and the pipeline that its calls go through."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from viam_mcp.calls import ClientPoolError, key_loans, opens_now
from viam_mcp.policy import LOCAL, Caller
from viam_mcp.tools import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from viam_mcp.calls import Access, CallerCredential, ClientPool, Pipeline

    Context = ServerRequestContext[Any, Any]

_LONGEST_PROGRAM = 100


def access_of(ctx: Context) -> Access | None:
    """Return what the credential of a request opens; None where callers need none, as on stdio."""
    credential = _credential_of(ctx)
    return None if credential is None else credential.access


def caller_of(ctx: Context) -> Caller:
    """Return who sent a request: the credential's caller, or the user of this computer."""
    credential, parameters = _credential_of(ctx), ctx.session.client_params
    program = "" if parameters is None else f"{parameters.client_info.name} {parameters.client_info.version}"
    program = sanitize(program)[:_LONGEST_PROGRAM]
    if credential is None:
        return Caller(LOCAL.id, program)
    return Caller(credential.access.caller, program, opens=partial(opens_now, credential))


def pipelines(pool: ClientPool) -> Callable[[Context], Pipeline]:
    """Return what finds the pipeline for a request in a pool. It raises MCPError if there is none."""

    def find(ctx: Context) -> Pipeline:
        headers = {} if ctx.request is None else ctx.request.headers
        try:
            return pool.pipeline(headers, access_of(ctx))
        except ClientPoolError as error:
            code = types.INVALID_REQUEST if error.is_callers_fault else types.INTERNAL_ERROR
            raise MCPError(code=code, message=str(error)) from None

    return find


async def lent_keys(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Middleware for requests that bring their keys: a key is gone when its request is done with."""
    with key_loans():
        return await call_next(ctx)


def _credential_of(ctx: Context) -> CallerCredential | None:
    if ctx.request is None or "user" not in ctx.request.scope:
        return None
    # Every request that passed the authentication has one. Without it, this fails, and so does the request.
    credential: CallerCredential = ctx.request.user.access_token
    return credential
