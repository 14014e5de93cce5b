"""The kinds of argument that tools share: ids with their form, names, times, roles."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

_UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_LOCATION = r"^[a-z0-9]{10}$"
# Either half may hold more than the service takes today; what is certain is the colon between them.
_REGISTRY_ITEM = r"^[^:\s]+:[^:\s]+$"


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


OrganizationId = Annotated[str, StringConstraints(pattern=_UUID), Field(description="Organization id")]
LocationId = Annotated[str, StringConstraints(pattern=_LOCATION), Field(description="Location id")]
MachineId = Annotated[str, StringConstraints(pattern=_UUID), Field(description="Machine id")]
PartId = Annotated[str, StringConstraints(pattern=_UUID), Field(description="Machine part id")]
FragmentId = Annotated[str, StringConstraints(pattern=_UUID), Field(description="Fragment id")]
UserId = Annotated[str, StringConstraints(pattern=_UUID), Field(description="User id")]
IdentityId = Annotated[str, StringConstraints(pattern=_UUID), Field(description="Id of a user or an API key")]
KeyId = Annotated[str, StringConstraints(pattern=_UUID), Field(description="API key id")]
SecretId = Annotated[str, StringConstraints(min_length=1, max_length=200), Field(description="Secret id")]
RegistryItemId = Annotated[
    str, StringConstraints(pattern=_REGISTRY_ITEM), Field(description="namespace:name or organization-id:name")
]
ResourceId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-zA-Z-]{10,36}$"),
    Field(description="Id of the organization, location or machine"),
]

Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_not_blank)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Email = Annotated[str, StringConstraints(min_length=3, max_length=320), AfterValidator(_not_blank)]
Config = Annotated[dict[str, Any], Field(description="A JSON object")]

Time = AwareDatetime
Duration = Annotated[
    str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}[mhd]$"), Field(description="Such as 10m, 10h, 10d")
]

Role = Literal["owner", "operator"]
ResourceType = Literal["organization", "location", "robot"]
PackageType = Literal["archive", "ml_model", "module", "slam_map", "ml_training"]
Visibility = Literal["private", "public", "public_unlisted"]
RegistryItemStatus = Literal["published", "in_development"]
LogLevel = Literal["debug", "info", "warn", "error"]
