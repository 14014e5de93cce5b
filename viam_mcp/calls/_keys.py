"""The API key that a request is done with: the server's, one that its caller has here, or one that it brings along."""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from grpclib.const import Status

from viam_mcp.app import Credentials, Unauthenticated
from viam_mcp.calls._errors import ClientPoolError
from viam_mcp.calls._key_names import MAX_KEY_CHARACTERS, KeyProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from viam_mcp.app import AccessToken, Exchange, TokenSource
    from viam_mcp.calls._access import Access

ID_HEADER, KEY_HEADER = "viam-api-key-id", "viam-api-key"


@dataclass(frozen=True)
class KeyForRequest:
    """The key that a request is done with.

    Attributes:
        credentials: Gets access tokens with it.
        secret: A text that no two keys have in common; empty for the server's own key.
    """

    credentials: TokenSource
    secret: str = field(default="", repr=False)


class KeySource(Protocol):
    """Finds the key for a request."""

    def __call__(self, headers: Mapping[str, str], access: Access | None) -> KeyForRequest:
        """Return the key for a request.

        Args:
            headers: The request's headers, by lower-case name; empty where it has none.
            access: What its caller's credential opens; None where callers need no credential.

        Raises:
            ClientPoolError: There is no key for it.
        """


class CallersKeys:
    """The keys of callers that are kept on this computer.

    Args:
        others: The key for callers who have none of their own; None to refuse those callers.
    """

    def __init__(self, others: TokenSource | None = None) -> None:
        self._others = others

    def __call__(self, headers: Mapping[str, str], access: Access | None) -> KeyForRequest:
        """See `KeySource`."""
        if access is not None and access.key is not None:
            try:
                credentials = access.key.read()
            except KeyProblem as error:
                raise ClientPoolError(f"The operator of this server has to repair your key: {error}.") from None
            return KeyForRequest(credentials, _secret_of(credentials))
        if self._others is None:
            raise ClientPoolError(
                "There is no key of a Viam organization for you: the operator of this server has to name one beside "
                "your token.",
                is_callers_fault=True,
            )
        return KeyForRequest(self._others)


_LOANS: ContextVar[ExitStack | None] = ContextVar("viam_mcp_loans", default=None)
"""Ends the loans of the request that is worked on."""


@contextmanager
def key_loans() -> Iterator[None]:
    """Around the work on a request whose key comes with it: at the end, the key is gone.

    A connection to the Viam app that is made meanwhile keeps the context that it was made in. Therefore the context
    does not hold the key, only what ends its loan.
    """
    with ExitStack() as loans:
        token = _LOANS.set(loans)
        try:
            yield
        finally:
            _LOANS.reset(token)


class BroughtKeys:
    """Keys that come with each request. A key is kept while a request that brought it is worked on, within `key_loans`,
    and nowhere else.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        # One entry for each request with the key. Code that outlives a request knows the key's hash only.
        self._lent: defaultdict[bytes, list[Credentials]] = defaultdict(list)

    def __call__(self, headers: Mapping[str, str], access: Access | None) -> KeyForRequest:
        """See `KeySource`."""
        key_id, key = headers.get(ID_HEADER, "").strip(), headers.get(KEY_HEADER, "").strip()
        if not key_id or not key or len(key_id) + len(key) > MAX_KEY_CHARACTERS:
            raise ClientPoolError(
                f"This server takes the API key of a Viam organization from each request: send its id as {ID_HEADER} "
                f"and the key as {KEY_HEADER}.",
                is_callers_fault=True,
            )
        credentials = Credentials(key_id, key)
        loans = _LOANS.get()
        assert loans is not None  # noqa: S101 - the server has the middleware
        secret = _secret_of(credentials)
        digest = hashlib.blake2b(secret.encode(), key=self._secret).digest()
        self._lent[digest].append(credentials)
        loans.callback(self._end, digest)
        return KeyForRequest(_LentKey(key_id, partial(self._lent_now, digest)), secret)

    def _end(self, digest: bytes) -> None:
        self._lent[digest].pop()
        if not self._lent[digest]:
            del self._lent[digest]

    def _lent_now(self, digest: bytes) -> Credentials | None:
        """Return the key with this hash if a request with it is worked on."""
        return self._lent[digest][-1] if digest in self._lent else None


class _LentKey:
    """Gets access tokens with a key while any request that brought it is worked on.

    What was made for one of these requests may go on for another.
    """

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


def _secret_of(credentials: Credentials) -> str:
    """Return a text of a key and its id that no other key and id make."""
    return f"{len(credentials.api_key_id)}:{credentials.api_key_id}{credentials.api_key}"
