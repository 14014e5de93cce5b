"""What an edit of a configuration does: what changes in it, and what the fragments bring that it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from viam_mcp.tools.previews._fragments import brought, named_in
from viam_mcp.tools.previews._model import Consequence, merged
from viam_mcp.tools.previews.configs._diff import config_diff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from viam_mcp.app import AppClient
    from viam_mcp.tools.redaction._configs import Stored

Json = Any


@dataclass(frozen=True)
class ConfigChange:
    """What an edit of a configuration does.

    Attributes:
        lines: All of it.
        consequences: What of it is grave.
        bound: What a confirmation is bound to besides.
        is_empty: Whether nothing changes.
    """

    lines: Sequence[str]
    consequences: Sequence[Consequence] = ()
    bound: tuple[str, ...] = ()
    is_empty: bool = False


async def config_change(app: AppClient, stored: Stored, sent: Mapping[str, Json] | None, path: str) -> ConfigChange:
    """Return what an edit of a configuration does.

    Args:
        app: Tells what fragments hold.
        stored: The configuration as it is.
        sent: What takes its place; None leaves it alone.
        path: The argument that it came in, for errors.

    Raises:
        ToolError: The edit cannot be read, or not be shown.
    """
    diff = await config_diff(stored, sent, path)
    if sent is None or diff.is_empty:
        return ConfigChange(diff.lines, is_empty=True)
    fragments = await brought(app, named_in(stored.shown), named_in(sent))
    return ConfigChange(
        [*diff.lines, *fragments.lines], merged([*diff.consequences, *fragments.consequences]), fragments.bound
    )
