"""An accepted credential, on its way from the authentication to the calls of its request."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - as InstanceOf
from typing import TYPE_CHECKING

from mcp.server.auth.provider import AccessToken
from pydantic import Field, InstanceOf

from viam_mcp.calls._access import SCOPES, Access
from viam_mcp.http._errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Credential(AccessToken):
    """An accepted token as the SDK keeps it, and the access that it gives. The token itself is not kept."""

    token: str = ""
    access: InstanceOf[Access]
    renewed: Callable[[], Access | None] | None = Field(default=None, exclude=True, repr=False)

    def now(self) -> Access | None:
        """Return what it opens at this moment, or None if it is not accepted any more."""
        return self.access if self.renewed is None else self.renewed()


def check_scopes(scopes: Iterable[str]) -> None:
    """Do nothing if all of these are scopes of this server.

    Raises:
        HttpError: One is not.
    """
    for scope in scopes:
        if scope not in SCOPES:
            raise HttpError(f"there is no scope {scope!r}; there are: {', '.join(SCOPES)}.")
