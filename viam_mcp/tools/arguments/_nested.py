"""Arguments that are objects, and the enums that arguments name: as people write them, and as the wire wants them."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from viam_mcp.app import APIKeyAuthorization, to_struct
from viam_mcp.proto import app as wire
from viam_mcp.proto.app import packages
from viam_mcp.tools.arguments._types import (
    FragmentId,
    Name,
    Object,
    RegistryItemId,
    ResourceId,
    ResourceType,
    Role,
    Text,
)


class _Nested(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True, hide_input_in_errors=True)


class Authorization(_Nested):
    """A role on a resource, which the person who accepts an invite gets."""

    role: Role
    resource_type: ResourceType
    resource_id: ResourceId

    def message(self, org_id: str) -> wire.Authorization:
        """As the wire contract has it."""
        return wire.Authorization(
            authorization_type="role",
            authorization_id=f"{self.resource_type}_{self.role}",
            resource_type=self.resource_type,
            resource_id=self.resource_id,
            organization_id=org_id,
        )


class KeyAuthorization(_Nested):
    """A role on a resource, for an API key."""

    role: Role
    resource_type: ResourceType
    resource_id: ResourceId

    def record(self) -> APIKeyAuthorization:
        """As `AppClient.create_key` takes it."""
        return APIKeyAuthorization(self.role, self.resource_type, self.resource_id)


class AuthorizedPermissions(_Nested):
    """Permissions on one resource."""

    resource_type: ResourceType
    resource_id: ResourceId
    permissions: Annotated[list[str], Field(max_length=100, description="Such as control_robot, read_robot_logs")]

    def message(self) -> wire.AuthorizedPermissions:
        """As the wire contract has it."""
        return wire.AuthorizedPermissions(**self.model_dump())


class Model(_Nested):
    """A model that a module brings."""

    api: Annotated[Name, Field(description="Such as rdk:component:base")]
    model: Annotated[Name, Field(description="Such as acme:rover:wheeled")]
    description: Text | None = None

    def message(self) -> wire.Model:
        """As the wire contract has it."""
        return wire.Model(**self.model_dump())


class ModuleFileInfo(_Nested):
    """What an uploaded file is."""

    module_id: RegistryItemId
    version: Annotated[Name, Field(description="Semantic version, such as 1.2.0")]
    platform: Annotated[Name, Field(description="Such as linux/arm64")]
    platform_tags: Annotated[list[str], Field(max_length=100)] = []

    def message(self) -> wire.ModuleFileInfo:
        """As the wire contract has it."""
        return wire.ModuleFileInfo(**self.model_dump())


class FragmentImport(_Nested):
    """A fragment that new machines start with."""

    fragment_id: FragmentId
    version: Text | None = None
    prefix: Text | None = None
    fragment_variables: Object | None = None

    def message(self) -> wire.FragmentImport:
        """As the wire contract has it."""
        variables = to_struct(self.fragment_variables, "fragment_variables")
        return wire.FragmentImport(**self.model_dump(exclude={"fragment_variables"}), fragment_variables=variables)


class FragmentVersion(_Nested):
    """A fragment at one version."""

    fragment_id: FragmentId
    version: Annotated[str, Field(description="A revision or a tag; the latest if left out")] | None = None

    def message(self) -> wire.AdditionalFragment:
        """As the wire contract has it."""
        return wire.AdditionalFragment(**self.model_dump())


class BillingAddress(_Nested):
    """An address on invoices."""

    address_line_1: Name
    address_line_2: Name | None = None
    city: Name
    state: Text = ""
    zipcode: Name
    country: Name

    def message(self) -> wire.BillingAddress:
        """As the wire contract has it."""
        return wire.BillingAddress(**self.model_dump())


class OAuthConfig(_Nested):
    """How an OAuth application signs its users in."""

    client_authentication: Literal["required", "not_required", "not_required_when_using_pkce"]
    pkce: Literal["required", "not_required", "not_required_when_using_client_authentication"]
    url_validation: Literal["exact_match", "allow_wildcards"]
    enabled_grants: Annotated[
        list[Literal["authorization_code", "implicit", "password", "refresh_token", "device_code"]],
        Field(min_length=1, max_length=10),
    ]
    origin_uris: Annotated[list[Text], Field(max_length=100)] = []
    redirect_uris: Annotated[list[Text], Field(max_length=100)] = []
    logout_uri: Text = ""
    invite_redirect_uri: Text = ""

    def message(self) -> wire.OAuthConfig:
        """As the wire contract has it."""
        return wire.OAuthConfig(
            client_authentication=f"CLIENT_AUTHENTICATION_{self.client_authentication.upper()}",
            pkce=f"PKCE_{self.pkce.upper()}",
            url_validation=f"URL_VALIDATION_{self.url_validation.upper()}",
            enabled_grants=[f"ENABLED_GRANT_{grant.upper()}" for grant in self.enabled_grants],
            origin_uris=self.origin_uris,
            redirect_uris=self.redirect_uris,
            logout_uri=self.logout_uri,
            invite_redirect_uri=self.invite_redirect_uri,
        )


def package_type(name: str) -> packages.PackageType:
    """The wire's number for a type of registry item."""
    return cast("packages.PackageType", packages.PackageType.Value(f"PACKAGE_TYPE_{name.upper()}"))


def visibility(name: str) -> wire.Visibility:
    """The wire's number for who may see a registry item."""
    return cast("wire.Visibility", wire.Visibility.Value(f"VISIBILITY_{name.upper()}"))


def registry_item_status(name: str) -> wire.RegistryItemStatus:
    """The wire's number for a registry item's status."""
    return cast("wire.RegistryItemStatus", wire.RegistryItemStatus.Value(f"REGISTRY_ITEM_STATUS_{name.upper()}"))
