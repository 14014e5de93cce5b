"""The fragments that new machines of an organization start with: what an edit means, and what it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.app import to_plain
from viam_mcp.proto import app as wire
from viam_mcp.tools.previews._configuration import ConfigChange
from viam_mcp.tools.previews._fragments import FragmentRef, brought, resolved
from viam_mcp.tools.previews._model import merged
from viam_mcp.tools.previews._wording import exact
from viam_mcp.tools.previews.configs._diff import config_diff
from viam_mcp.tools.redaction._configs import Stored, lacks
from viam_mcp.tools.results._encode import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from viam_mcp.app import AppClient
    from viam_mcp.tools.arguments._nested import FragmentImport
    from viam_mcp.tools.previews._model import Consequence

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


async def import_changes(app: AppClient, org: wire.Organization, wanted: Sequence[FragmentImport]) -> ConfigChange:
    """Return what new machines start with from then on, and what else changes.

    Args:
        app: Tells what the fragments hold.
        org: The organization.
        wanted: What it shall have.

    Raises:
        ToolError: They say of something that it is not shown, and that is not what was shown there.
    """
    old, new = list(org.default_fragments.fragments), whole_imports(wanted, org)
    before, after = [_place(one) for one in old], [_place(one) for one in new]
    fragments = await resolved(app, map(_ref, (*old, *new)))

    def said(one: wire.FragmentImport) -> str:
        prefix = f", prefix {exact(one.prefix)}" if one.prefix else ""
        return f"{fragments[_ref(one)].whole}{prefix}"

    granted = [f"New machines start with {said(one)}." for one in new if _place(one) not in before]
    lines = [f"New machines start without {said(one)}." for one in old if _place(one) not in after]
    consequences: list[Consequence] = []
    if set(before) == set(after) and before != after:
        lines.append("The order or the number of the default fragments changes.")
    for one, sent in zip(new, wanted, strict=True):
        # What is stored and was not shown has no part in this: nobody can try out what it is.
        diff = await config_diff(_stored(_counterpart(one, old)), sent.fragment_variables or {}, _VARIABLES)
        if not diff.is_empty:
            if _place(one) in before:
                granted.append(f"New machines start with {said(one)} as before, with other variables.")
            lines += [f"Variables of {said(one)}:", *(f"  {line}" for line in diff.lines)]
            consequences += diff.consequences
    brings = await brought(app, map(_ref, old), map(_ref, new))
    return ConfigChange(
        [*granted, *lines, *brings.lines],
        merged([*brings.consequences, *consequences]),
        brings.bound,
        is_empty=not granted and not lines,
    )


def _ref(one: wire.FragmentImport) -> FragmentRef:
    return FragmentRef(one.fragment_id, one.version)


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
