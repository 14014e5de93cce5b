"""API keys."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import Field

from viam_mcp.app import PermissionDenied
from viam_mcp.proto import app as wire
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._nested import KeyAuthorization
from viam_mcp.tools.arguments._types import KeyId, Name, OrganizationId
from viam_mcp.tools.previews._authority import MOST_GRANTS, RoleGrant, authority, strongest_first, warned
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import brief, named, organization_name, quoted
from viam_mcp.tools.previews._wording import GONE_FOR_GOOD, LOCKED_OUT, UNCHANGED, change, day, exact, preview, state_of
from viam_mcp.tools.results._output import Done, Many, Values

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment
    from viam_mcp.tools._refs import Reference

_MOST_ORGANIZATIONS = 20

_KEY = Values(api_key=str, api_key_id=str, secret="api_key")  # noqa: S106 - the name of the member, not a secret


class CreateKey(
    Tool,
    toolset="keys",
    effect=Effect.DESTRUCTIVE,
    reveals_secret=True,
    mints="remove the key with delete_key",
    grants=True,
    returns=_KEY,
):
    """Create an API key with one or more roles. Its value is a credential and is given this one time. Returns
    value and id."""

    org_id: OrganizationId
    authorizations: Annotated[list[KeyAuthorization], Field(min_length=1, max_length=MOST_GRANTS)]
    name: Annotated[Name, Field(description="The present time if left out")] | None = None

    async def subject(self, app: AppClient) -> str:
        name = "API key" if self.name is None else f"API key {quoted(self.name)}"
        return f"{name} in {await organization_name(app, self.org_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        grants = strongest_first(map(RoleGrant.asked, self.authorizations))
        organization, opens = await asyncio.gather(app.get_organization(self.org_id), authority(app, grants))
        title = "API key" if self.name is None else brief("API key", self.name)
        return preview(
            self,
            f"{title} in {named('organization', organization.name, organization.id)}",
            [*opens.lines("It may act as"), "Anybody who has its value can use it until it is deleted."],
            title=title,
            where=f"in {brief('organization', organization.name)}",
            consequences=opens.consequences("A NEW KEY may act as"),
            subject=self.name,
            bound=opens.bound,
        )

    async def run(self, app: AppClient) -> tuple[str, str]:
        return await app.create_key(self.org_id, [item.record() for item in self.authorizations], self.name)


class _OneKey(Tool):
    """The argument of the tools that take one key, which is found among those of the organizations that can be read."""

    id: KeyId

    async def subject(self, app: AppClient) -> str:
        return (await _found(app, self.id)).what

    async def opens(self, app: AppClient) -> list[Reference]:
        """Return what the roles of the key are on."""
        found = await _found(app, self.id)
        return [] if found.entry is None else [RoleGrant.held(one).reference for one in found.entry.authorizations]

    async def _preview(self, app: AppClient, *lines: str, own: str, label: str, risk: Risk = Risk.ACCESS) -> Preview:
        """Return the key, what becomes of it, what if it is the key that this server signs in with, and what it may do.

        Args:
            app: The fleet.
            lines: What becomes of it.
            own: What becomes of this server.
            label: What becomes of it, for the headline.
            risk: What that puts at risk.
        """
        found = await _found(app, self.id)
        itself = [f"{warning} {own}" for warning in warned(app, self.id)]
        label = f"{label}, THIS SERVER'S OWN" if itself else label
        if found.entry is None:
            unknown = Consequence(risk, label, "what it may do cannot be read")
            return preview(
                self, found.what, [*itself, *lines, "What it may do cannot be read."], consequences=[unknown]
            )
        key = found.entry.api_key
        opens = await authority(app, strongest_first(map(RoleGrant.held, found.entry.authorizations)))
        return preview(
            self,
            found.what,
            [*itself, *lines, f"It was created on {day(key.created_on)}.", *opens.lines("It may act as")],
            title=brief("API key", key.name),
            where=f"of {found.where}",
            consequences=[Consequence(risk, label, ", ".join(opens.briefly), len(opens.briefly))],
            subject=key.name,
            bound=opens.bound,
        )


class DeleteKey(_OneKey, toolset="keys", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete an API key. Whatever uses it is locked out at once. To replace its value only, use rotate_key."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        lines = f"{LOCKED_OUT} {GONE_FOR_GOOD}"
        return await self._preview(
            app, lines, own="After this it can do nothing more.", label="DELETES THE KEY", risk=Risk.DELETIONS
        )

    async def run(self, app: AppClient) -> None:
        await app.delete_key(self.id)


class CreateKeyFromExistingKeyAuthorizations(
    _OneKey,
    toolset="keys",
    effect=Effect.DESTRUCTIVE,
    reveals_secret=True,
    mints="remove the key with delete_key",
    grants=True,
    returns=_KEY,
):
    """Create a second API key that may do what an existing one may: to hand over without locking anybody out,
    delete_key then removes the old one. Returns value and id."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        consequence = "A second key with a value of its own may then do the same. The present one keeps working."
        own = "The second one may do the same."
        return await self._preview(app, consequence, own=own, label="A SECOND KEY may act as")

    async def run(self, app: AppClient) -> tuple[str, str]:
        return await app.create_key_from_existing_key_authorizations(self.id)


class ListKeys(
    ListTool, toolset="keys", reveals_secret=True, core=True, returns=Many(api_keys=wire.APIKeyWithAuthorizations)
):
    """List the API keys of an organization: ids, names, creation times and what each may do."""

    org_id: OrganizationId

    async def subject(self, app: AppClient) -> str:
        return await organization_name(app, self.org_id)

    async def run(self, app: AppClient) -> list[wire.APIKeyWithAuthorizations]:
        return await app.list_keys(self.org_id)


class RenameKey(_OneKey, toolset="keys", effect=Effect.DESTRUCTIVE, returns=Values(id=str, name=str)):
    """Rename an API key. Its value, and what it may do, stay as they are."""

    name: Name

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        found = await _found(app, self.id)
        if found.entry is None:
            return preview(self, found.what, [f"Name: it cannot be read → {exact(self.name, sent=True)}"])
        key = found.entry.api_key
        return preview(
            self,
            found.what,
            change("Name", key.name, self.name) or [UNCHANGED],
            title=brief("API key", key.name),
            where=f"of {found.where}",
            subject=key.name,
            bound=state_of(key.name),
        )

    async def run(self, app: AppClient) -> tuple[str, str]:
        renamed = await app.rename_key(self.id, self.name)
        return renamed.id, renamed.name


class RotateKey(
    _OneKey,
    toolset="keys",
    effect=Effect.DESTRUCTIVE,
    reveals_secret=True,
    mints="rotate the key once more: its old value is void all the same",
    returns=_KEY,
):
    """Give an API key a new value, under the same id. The old value stops working at once: for a change without
    a gap, use create_key_from_existing_key_authorizations. Returns value and id."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        return await self._preview(
            app,
            "The old value stops working at once: programs that still sign in with it are locked out.",
            # Nothing that can be read tells one value of a key from another.
            "If somebody else gives it a new value meanwhile, that cannot be seen here, and theirs stops working too.",
            own="It has to be started again with the new value.",
            label="A NEW VALUE, which may act as",
        )

    async def run(self, app: AppClient) -> tuple[str, str]:
        return await app.rotate_key(self.id)


class _Found(NamedTuple):
    """A key that was looked for.

    Attributes:
        what: What to call it.
        where: Its organization, for a headline.
        entry: The key; None if it is none of those that can be read.
    """

    what: str
    where: str
    entry: wire.APIKeyWithAuthorizations | None


async def _found(app: AppClient, key_id: str) -> _Found:
    """Return a key, looked for in all organizations that can be read: nothing tells which one a key is of."""
    organizations = (await app.list_organizations())[:_MOST_ORGANIZATIONS]
    lists = await asyncio.gather(*(_readable(app, organization.id) for organization in organizations))
    for organization, keys in zip(organizations, lists, strict=True):
        for entry in keys:
            if entry.api_key.id == key_id:
                place = named("organization", organization.name, organization.id)
                what = f"{named('API key', entry.api_key.name, key_id)} of {place}"
                return _Found(what, brief("organization", organization.name), entry)
    return _Found(f"API key {key_id}, which is none of those that this server can list", "", None)


async def _readable(app: AppClient, org_id: str) -> list[wire.APIKeyWithAuthorizations]:
    try:
        return await app.list_keys(org_id)
    except PermissionDenied:
        # Keys are listed to owners only; the key may still be another organization's.
        return []
