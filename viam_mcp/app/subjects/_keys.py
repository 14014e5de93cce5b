"""API keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from viam_mcp.app.subjects._roles import ResourceType, Role, authorization, check_role
from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["APIKeyAuthorization", "KeyMethods"]


@dataclass(frozen=True, slots=True)
class APIKeyAuthorization:
    """What a new API key may do: a role on a resource.

    Attributes:
        role: "owner" or "operator".
        resource_type: "organization", "location" or "robot", for a machine.
        resource_id: The resource, of that type.
    """

    role: Role
    resource_type: ResourceType
    resource_id: str

    def __post_init__(self) -> None:
        """Refuse a role that does not exist.

        Raises:
            InvalidArgument: With the names that do.
        """
        check_role("CreateKey", self.role, self.resource_type)


class KeyMethods(Subject):
    """Methods about API keys. A key is named by its id, a UUID; its value is a credential."""

    async def create_key(
        self, org_id: str, authorizations: Sequence[APIKeyAuthorization], name: str | None = None
    ) -> tuple[str, str]:
        """Make an API key.

        Args:
            org_id: The organization that it will belong to.
            authorizations: What it may do, at least one.
            name: Its name; None for the current time.

        Returns:
            The key, which is not shown again, and its id.
        """
        request = build(
            app.CreateKeyRequest,
            authorizations=[
                authorization("CreateKey", org_id, a.role, a.resource_type, a.resource_id, identity_type="api-key")
                for a in authorizations
            ],
            name=datetime.now(UTC).isoformat(timespec="seconds") if name is None else name,
        )
        reply = await self._session.unary(self._stub.CreateKey, request)
        return reply.key, reply.id

    async def delete_key(self, id: str) -> None:
        """Delete an API key. Programs that sign in with it no longer can.

        Args:
            id: The key's id.
        """
        await self._session.unary(self._stub.DeleteKey, build(app.DeleteKeyRequest, id=id))

    async def create_key_from_existing_key_authorizations(self, id: str) -> tuple[str, str]:
        """Make an API key that may do what another one may.

        Args:
            id: The other key's id.

        Returns:
            The key, which is not shown again, and its id.
        """
        request = build(app.CreateKeyFromExistingKeyAuthorizationsRequest, id=id)
        reply = await self._session.unary(self._stub.CreateKeyFromExistingKeyAuthorizations, request)
        return reply.key, reply.id

    async def list_keys(self, org_id: str) -> list[app.APIKeyWithAuthorizations]:
        """List the API keys of an organization and what they may do.

        Args:
            org_id: The organization.
        """
        return list(
            (await self._session.unary(self._stub.ListKeys, build(app.ListKeysRequest, org_id=org_id))).api_keys
        )

    async def rename_key(self, id: str, name: str) -> app.RenameKeyResponse:
        """Rename an API key.

        Args:
            id: The key's id.
            name: Its name from now on.

        Returns:
            The whole answer of the server: the key's id and its name.
        """
        return await self._session.unary(self._stub.RenameKey, build(app.RenameKeyRequest, id=id, name=name))

    async def rotate_key(self, id: str) -> tuple[str, str]:
        """Replace the value of an API key. The old one stops working at once.

        Args:
            id: The key's id.

        Returns:
            The new key, which is not shown again, and its id.
        """
        reply = await self._session.unary(self._stub.RotateKey, build(app.RotateKeyRequest, id=id))
        return reply.key, reply.id
