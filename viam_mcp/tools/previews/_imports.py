"""The fragments that new machines of an organization start with: what an edit means, and what it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.app import to_plain
from viam_mcp.proto import app as wire
from viam_mcp.tools.previews._diff import STAYS, config_changes
from viam_mcp.tools.previews._names import named
from viam_mcp.tools.previews._wording import VISIBILITIES, exact
from viam_mcp.tools.redaction._configs import Stored, lacks
from viam_mcp.tools.results._encode import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from viam_mcp.app import AppClient
    from viam_mcp.tools.arguments._nested import FragmentImport

_VARIABLES = "fragment_variables"


def lacking(wanted: Sequence[FragmentImport]) -> bool:
    """Whether the variables of any of them say of something that it is not shown."""
    return any(lacks(one.fragment_variables) for one in wanted)


def whole_imports(wanted: Sequence[FragmentImport], org: wire.Organization) -> list[wire.FragmentImport]:
    """The imports that are meant: where their variables read as redacted, with what is stored there.

    Raises:
        ToolError: They say of something that it is not shown, and that is not what was shown there.
    """
    return [_whole(one, org.default_fragments.fragments) for one in wanted]


def _whole(wanted: FragmentImport, present: Sequence[wire.FragmentImport]) -> wire.FragmentImport:
    message = wanted.message()
    if not lacks(wanted.fragment_variables):
        return message
    variables = _stored(_counterpart(message, present)).whole(wanted.fragment_variables, _VARIABLES)
    return wanted.model_copy(update={"fragment_variables": variables}).message()


async def import_changes(
    app: AppClient, org: wire.Organization, wanted: Sequence[FragmentImport], beside: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The lines that say what new machines start with from then on, and those about what else changes.

    Args:
        app: Names the fragments.
        org: The organization.
        wanted: What it shall have.
        beside: The other lines of the preview.

    Raises:
        ToolError: They say of something that it is not shown, and that is not what was shown there. Or there is no
            room to say how their variables change.
    """
    names = {one.id: one.name for one in await app.list_fragments(org.id, visibilities=VISIBILITIES)}
    old, new = list(org.default_fragments.fragments), whole_imports(wanted, org)
    before, after = [_place(one) for one in old], [_place(one) for one in new]

    def said(one: wire.FragmentImport) -> str:
        version = f", version {exact(one.version)}" if one.version else ""
        prefix = f", prefix {exact(one.prefix)}" if one.prefix else ""
        return named("fragment", names.get(one.fragment_id, ""), one.fragment_id) + version + prefix

    granted = [f"New machines start with {said(one)}." for one in new if _place(one) not in before]
    lines = [f"New machines start without {said(one)}." for one in old if _place(one) not in after]
    if set(before) == set(after) and before != after:
        lines.append("The order or the number of the default fragments changes.")
    for one, sent in zip(new, wanted, strict=True):
        which, more = f"Variables of {said(one)}:", []
        if _place(one) in before:
            more = [f"New machines start with {said(one)} as before, with other variables."]
        others = [*beside, *granted, *lines, *more, which]
        # What is stored and was not shown has no part in this: nobody can try out what it is.
        changes = config_changes(_stored(_counterpart(one, old)), sent.fragment_variables or {}, _VARIABLES, others)
        if changes != [STAYS]:
            granted += more
            lines += [which, *changes]
    return granted, lines


def _place(one: wire.FragmentImport) -> tuple[str, str, str]:
    """What tells one import from another, but for its variables."""
    return one.fragment_id, one.prefix, one.version


def _counterpart(one: wire.FragmentImport, others: Sequence[wire.FragmentImport]) -> wire.FragmentImport:
    """What of others takes the same place: the same fragment under the same prefix; an empty one if none does."""
    place = (one.fragment_id, one.prefix)
    return next((other for other in others if (other.fragment_id, other.prefix) == place), wire.FragmentImport())


def _stored(one: wire.FragmentImport) -> Stored:
    """The values for a fragment's variables, in whichever of the two forms."""
    shown = encode(one)
    return Stored(
        {**one.variables, **to_plain(one.fragment_variables)},
        {**shown.get("variables", {}), **shown.get(_VARIABLES, {})},
    )
