"""The kinds of argument that tools share: ids with their form, names, times, roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from viam_mcp.app import to_struct
from viam_mcp.tools._refs import NotARef, Ref
from viam_mcp.tools.arguments._meaning import EmailAddress, IsPublic, IsVisibility, MachineConfig
from viam_mcp.tools.redaction._configs import config_from
from viam_mcp.tools.redaction._text import sanitize

_UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_UUID_OR_NONE = r"^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$"
_LOCATION = r"^[a-z0-9]{10}$"
_LOCATION_OR_NONE = r"^([a-z0-9]{10})?$"
# Either half may hold more than the service takes today; what is certain is the colon between them.
_REGISTRY_ITEM = r"^[^:\s]+:[^:\s]+$"
_RESOURCE = r"^[0-9a-zA-Z-]{10,36}$"
_DURATION = r"^[1-9][0-9]{0,5}[mhd]$"

NOT_EMPTY = "text that is not empty"
FORMS = {
    _UUID: "a UUID such as 2da16acb-273d-4352-956a-19397bd0aae9",
    _UUID_OR_NONE: 'a UUID such as 2da16acb-273d-4352-956a-19397bd0aae9, or ""',
    _LOCATION: "10 lowercase letters and digits such as k3v9x0q2ab",
    _LOCATION_OR_NONE: '10 lowercase letters and digits such as k3v9x0q2ab, or ""',
    _REGISTRY_ITEM: "two names with a colon between them such as acme:drive",
    _RESOURCE: "a UUID or, for a location, 10 lowercase letters and digits",
    _DURATION: "a number of minutes, hours or days",
}
"""What the patterns of arguments ask for, in words. Every pattern of a tool's argument is in it."""


@dataclass(frozen=True)
class KeepEmpty:
    """Marks an optional argument whose empty value (`""`, `[]`, `{}`) means something, which its description says.

    Any other optional argument that is empty counts as left out, because several agent frameworks fill in what a
    model leaves out.
    """


def _not_blank(text: str) -> str:
    if not sanitize(text).strip():
        raise PydanticCustomError("expected", NOT_EMPTY)
    return text


def _sendable(config: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    # What would not arrive as it is has to be found before anybody is asked to agree to it.
    to_struct(config, info.field_name or "config")
    return config


def _readable(text: str, info: ValidationInfo) -> str:
    _sendable(config_from(text), info)
    return text


# A UUID in capital letters is the same id, but the service knows ids in small letters only. A person who confirms
# a call and the audit see the id that is sent.
_Uuid = Annotated[str, StringConstraints(pattern=_UUID, to_lower=True)]
OrganizationId = Annotated[_Uuid, Field(description="Organization id"), Ref("organization")]
OrganizationIdOrNone = Annotated[str, StringConstraints(pattern=_UUID_OR_NONE, to_lower=True), Ref("organization")]
LocationId = Annotated[str, StringConstraints(pattern=_LOCATION), Field(description="Location id"), Ref("location")]
LocationIdOrDefault = Annotated[LocationId | None, Ref("location", or_default=True)]
"""A location; the client's default one if it is left out."""
MachineId = Annotated[_Uuid, Field(description="Machine id"), Ref("machine")]
PartId = Annotated[_Uuid, Field(description="Machine part id"), Ref("part")]
FragmentId = Annotated[_Uuid, Field(description="Fragment id"), Ref("fragment")]
KeyId = Annotated[_Uuid, Field(description="API key id"), Ref("key")]
RegistryItemId = Annotated[
    str,
    StringConstraints(pattern=_REGISTRY_ITEM),
    Field(description="namespace:name or organization-id:name"),
    Ref("item"),
]
ResourceId = Annotated[
    str,
    StringConstraints(pattern=_RESOURCE, to_lower=True),
    Field(description="Id of the organization, location or machine"),
    Ref(by="resource_type"),
]
UserId = Annotated[_Uuid, Field(description="User id"), NotARef("a user belongs to no place")]
IdentityId = Annotated[
    _Uuid,
    Field(description="Id of a user or an API key"),
    NotARef("a user belongs to no place, and what a key may do is judged by what its roles are on"),
]
SecretId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(description="Secret id"),
    NotARef("a secret belongs to the location or the part that is named beside it"),
]

Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_not_blank)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Email = Annotated[str, StringConstraints(min_length=3, max_length=320), AfterValidator(_not_blank), EmailAddress()]
Object = Annotated[dict[str, Any], AfterValidator(_sendable), Field(description="A JSON object")]
Config = Annotated[Object, MachineConfig()]
ConfigText = Annotated[str, AfterValidator(_readable)]
"""A configuration as JSON text. `Annotated[ConfigText, MachineConfig(text_of="…")]` says in place of which argument."""

Time = AwareDatetime
Duration = Annotated[str, StringConstraints(pattern=_DURATION), Field(description="Such as 10m, 10h, 10d")]

Role = Literal["owner", "operator"]
ResourceType = Literal["organization", "location", "robot"]
PackageType = Literal["archive", "ml_model", "module", "slam_map", "ml_training"]
Visibility = Literal["private", "public", "public_unlisted"]
NewVisibility = Annotated[Visibility, IsVisibility()]
"""The visibility that something gets."""
NewPublicity = Annotated[bool, IsPublic()]
"""Whether something gets visible to everybody."""
RegistryItemStatus = Literal["published", "in_development"]
LogLevel = Literal["debug", "info", "warn", "error"]
