"""API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._base import Effect, ListTool, Tool
from viam_mcp.tools._names import organization_name
from viam_mcp.tools._nested import KeyAuthorization
from viam_mcp.tools._output import Done, Many, Values
from viam_mcp.tools._types import KeyId, Name, OrganizationId

if TYPE_CHECKING:
    from viam_mcp.app import AppClient

_KEY = Values(api_key=str, api_key_id=str, secret="api_key")  # noqa: S106 - the name of the member, not a secret


class CreateKey(Tool, toolset="keys", effect=Effect.DESTRUCTIVE, reveals_secret=True, returns=_KEY):
    """Create an API key with one or more roles. Its value is a credential and is given this one time. Returns
    value and id."""

    org_id: OrganizationId
    authorizations: Annotated[list[KeyAuthorization], Field(min_length=1)]
    name: Annotated[Name, Field(description="The present time if left out")] | None = None

    async def subject(self, app: AppClient) -> str:
        return f"API key {self.name!r} in {await organization_name(app, self.org_id)}"

    async def run(self, app: AppClient) -> tuple[str, str]:
        return await app.create_key(self.org_id, [item.record() for item in self.authorizations], self.name)


class DeleteKey(Tool, toolset="keys", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete an API key. Whatever uses it is locked out at once. To replace its value only, use rotate_key."""

    id: KeyId

    async def subject(self, app: AppClient) -> str:
        return f"API key {self.id}"

    async def run(self, app: AppClient) -> None:
        await app.delete_key(self.id)


class CreateKeyFromExistingKeyAuthorizations(
    Tool, toolset="keys", effect=Effect.DESTRUCTIVE, reveals_secret=True, returns=_KEY
):
    """Create a second API key that may do what an existing one may: to hand over without locking anybody out,
    delete_key then removes the old one. Returns value and id."""

    id: KeyId

    async def subject(self, app: AppClient) -> str:
        return f"a key like API key {self.id}"

    async def run(self, app: AppClient) -> tuple[str, str]:
        return await app.create_key_from_existing_key_authorizations(self.id)


class ListKeys(ListTool, toolset="keys", reveals_secret=True, returns=Many(api_keys=wire.APIKeyWithAuthorizations)):
    """List the API keys of an organization: ids, names, creation times and what each may do."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> list[wire.APIKeyWithAuthorizations]:
        return await app.list_keys(self.org_id)


class RotateKey(Tool, toolset="keys", effect=Effect.DESTRUCTIVE, reveals_secret=True, returns=_KEY):
    """Give an API key a new value, under the same id. The old value stops working at once: for a change without
    a gap, use create_key_from_existing_key_authorizations. Returns value and id."""

    id: KeyId

    async def subject(self, app: AppClient) -> str:
        return f"API key {self.id}"

    async def run(self, app: AppClient) -> tuple[str, str]:
        return await app.rotate_key(self.id)
