"""Which key a request is done with: the server's, one that its caller has here, or one that it brings along."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections import defaultdict
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import mcp_types as types
from grpclib.const import Status
from mcp.shared.exceptions import MCPError

from viam_mcp.app import Credentials, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from viam_mcp.app import AccessToken, Exchange, TokenSource
    from viam_mcp.calls._callers import Grant

ID_HEADER, KEY_HEADER = "viam-api-key-id", "viam-api-key"

_LONGEST = 4_096


class KeyProblem(Exception):  # noqa: N818 - KeyError is taken
    """A key cannot be read; the message says which, and what to do."""


@dataclass(frozen=True)
class KeyName:
    """Where the key of a caller is. Not the key: a file of callers is no place for keys.

    Attributes:
        api_key_id: Its id.
        variable: The environment variable that holds the key; empty if a file does.
        file: The file that holds the key, and nothing else.
    """

    api_key_id: str
    variable: str = ""
    file: Path | None = None

    def read(self, environment: Mapping[str, str] = os.environ) -> Credentials:
        """The key itself, as it is now: a file may be replaced while the server runs.

        Raises:
            KeyProblem: It is not there, or others can read it.
        """
        if self.file is None:
            key = environment.get(self.variable, "").strip()
            where = f"the variable {self.variable}"
        else:
            key, where = _read(self.file), f"the file {self.file}"
        if not key:
            raise KeyProblem(f"{where} holds no key")
        return Credentials(self.api_key_id, key)


@dataclass(frozen=True)
class Presented:
    """What a request is done with.

    Attributes:
        credentials: Gets access tokens.
        secret: What no two of them have in common; empty for the server's own.
    """

    credentials: TokenSource
    secret: str = field(default="", repr=False)


def _whole(credentials: Credentials) -> str:
    """A key with its id, in a text that no other key and id make."""
    return f"{len(credentials.api_key_id)}:{credentials.api_key_id}{credentials.api_key}"


class Source(Protocol):
    """Finds the key for a request."""

    def __call__(self, ctx: ServerRequestContext[Any, Any], grant: Grant | None) -> Presented:
        """What the request is done with.

        Args:
            ctx: The request.
            grant: What its caller may reach; None where callers need no credential.

        Raises:
            MCPError: There is no key for it.
        """


class CallersKeys:
    """The keys of callers, who have them on this computer.

    Args:
        others: What those do their requests with who have none; None: they do none.
    """

    def __init__(self, others: TokenSource | None = None) -> None:
        self._others = others

    def __call__(self, ctx: ServerRequestContext[Any, Any], grant: Grant | None) -> Presented:
        """See `Source`."""
        if grant is not None and grant.key is not None:
            try:
                credentials = grant.key.read()
            except KeyProblem as error:
                raise MCPError(
                    code=types.INTERNAL_ERROR, message=f"The operator of this server has to repair your key: {error}."
                ) from None
            return Presented(credentials, _whole(credentials))
        if self._others is None:
            raise MCPError(
                code=types.INVALID_REQUEST,
                message="There is no key of a Viam organization for you: the operator of this server has to name one "
                "beside your token.",
            )
        return Presented(self._others)


_LOANS: ContextVar[ExitStack | None] = ContextVar("viam_mcp_loans", default=None)
"""What ends the loans of the request that is worked on."""


async def lent_keys(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware of the MCP server, which `BroughtKeys` needs: when a request is done with, its key is gone.

    A connection that is made meanwhile keeps the context that it was made in. So the context does not have the
    key, only what ends its loan.
    """
    with ExitStack() as loans:
        token = _LOANS.set(loans)
        try:
            return await call_next(ctx)
        finally:
            _LOANS.reset(token)


class BroughtKeys:
    """Keys that come with each request. They are kept for as long as the request is worked on, and nowhere else."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        # One for each request with the key; those who do without one meanwhile know its hash.
        self._lent: defaultdict[bytes, list[Credentials]] = defaultdict(list)

    def __call__(self, ctx: ServerRequestContext[Any, Any], grant: Grant | None) -> Presented:
        """See `Source`."""
        headers = {} if ctx.request is None else ctx.request.headers
        key_id, key = headers.get(ID_HEADER, "").strip(), headers.get(KEY_HEADER, "").strip()
        if not key_id or not key or len(key_id) + len(key) > _LONGEST:
            raise MCPError(
                code=types.INVALID_REQUEST,
                message=f"This server takes the API key of a Viam organization from each request: send its id as "
                f"{ID_HEADER} and the key as {KEY_HEADER}.",
            )
        credentials = Credentials(key_id, key)
        loans = _LOANS.get()
        assert loans is not None  # noqa: S101 - the server has the middleware
        whole = _whole(credentials)
        digest = hashlib.blake2b(whole.encode(), key=self._secret).digest()
        self._lent[digest].append(credentials)
        loans.callback(self._end, digest)
        return Presented(_Brought(key_id, partial(self._lent_now, digest)), whole)

    def _end(self, digest: bytes) -> None:
        self._lent[digest].pop()
        if not self._lent[digest]:
            del self._lent[digest]

    def _lent_now(self, digest: bytes) -> Credentials | None:
        """The key with this hash, while a request with it is worked on."""
        return self._lent[digest][-1] if digest in self._lent else None


class _Brought:
    """Gets tokens with a key while any request brings it: what is made for one may go on for another."""

    def __init__(self, api_key_id: str, lent: Callable[[], Credentials | None]) -> None:
        self.api_key_id = api_key_id
        self._lent = lent

    async def token(self, exchange: Exchange, refused: str | None) -> AccessToken:
        """See `TokenSource`."""
        credentials = self._lent()
        if credentials is None:
            raise Unauthenticated(
                Status.UNAUTHENTICATED, "the request that brought the key is over", hint="Ask again, with the key."
            )
        return await credentials.token(exchange, refused)

    def secrets(self) -> Iterable[str]:
        """See `TokenSource`."""
        credentials = self._lent()
        return () if credentials is None else credentials.secrets()


def _read(path: Path) -> str:
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyProblem(f"others than its owner can read the file {path} with a key: chmod 600 {path}")
        return path.read_text()[:_LONGEST].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyProblem(
            f"the file {path} with a key cannot be read: {getattr(error, 'strerror', 'not text')}"
        ) from None
