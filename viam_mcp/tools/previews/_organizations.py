"""What an organization is called in previews."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.tools.previews._names import brief, named
from viam_mcp.tools.previews._wording import Called

if TYPE_CHECKING:
    from viam_mcp.proto import app as wire


def organization_called(org: wire.Organization) -> Called:
    """Return what to call an organization, by name and id."""
    return Called(named("organization", org.name, org.id), brief("organization", org.name), "", org.name)
