"""A credential that was found good, on its way to the calls that it came with."""

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
    """What the SDK keeps of an access token, and what the token is good for. The token itself is not kept."""

    token: str = ""
    access: InstanceOf[Access]
    renewed: Callable[[], Access | None] | None = Field(default=None, exclude=True, repr=False)

    def now(self) -> Access | None:
        """What it is good for at this moment; None for nothing any more."""
        return self.access if self.renewed is None else self.renewed()


def check_scopes(scopes: Iterable[str]) -> None:
    """Do nothing if all of them mean something here.

    Raises:
        HttpError: One does not.
    """
    for scope in scopes:
        if scope not in SCOPES:
            raise HttpError(f"there is no scope {scope!r}; there are: {', '.join(SCOPES)}.")
