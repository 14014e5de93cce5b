"""Make up the edits that led to a configuration: the states that it plausibly had before, one edit apart."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from viam_mcp.sandbox.demo.resources import Json

    # For each module, its versions, oldest first.
    Versions = Mapping[str, Sequence[str]]
    # Undoes an edit of a configuration in place, and returns whether there was one of its kind.
    Undo = Callable[[Json, Versions, random.Random], bool]

__all__ = ["lineage"]


def lineage(config: Json, edits: int, versions: Versions, rng: random.Random) -> list[Json]:
    """Return the states that `edits` edits of an empty configuration led through, the last being `config`.

    Neighbours differ. The newest edit is the update of a module, where there is one to update.
    """
    states = [config]
    while len(states) < edits:
        undoing = rng.sample(_UNDOING, len(_UNDOING))
        if len(states) == 1:
            undoing.sort(key=lambda undo: undo is not _earlier_version)
        states.append(_before(states[-1], undoing, versions, rng))
    return states[::-1]


def _before(config: Json, undoing: Sequence[Undo], versions: Versions, rng: random.Random) -> Json:
    before = copy.deepcopy(config)
    for undo in undoing:
        if undo(before, versions, rng):
            return before
    raise ValueError("this configuration has nothing that could have been edited")


def _earlier_version(config: Json, versions: Versions, rng: random.Random) -> bool:
    updated = [
        module
        for module in config.get("modules", ())
        if module["version"] in (known := versions.get(module["module_id"], ())) and module["version"] != known[0]
    ]
    if not updated:
        return False
    module = rng.choice(updated)
    known = versions[module["module_id"]]
    module["version"] = known[known.index(module["version"]) - 1]
    return True


def _other_number(config: Json, versions: Versions, rng: random.Random) -> bool:
    resources = config.get("components", []) + config.get("services", [])
    numbers = [
        (resource["attributes"], key)
        for resource in resources
        for key, value in resource["attributes"].items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    if not numbers:
        return False
    attributes, key = rng.choice(numbers)
    value = attributes[key]
    other = type(value)(round(value * rng.choice((0.8, 0.9, 1.1, 1.25)), 3))
    attributes[key] = other if other != value else value + 1
    return True


def _without_the_newest(config: Json, versions: Versions, rng: random.Random) -> bool:
    resources = config.get(rng.choice(("components", "services")), [])
    if len(resources) < 2:
        return False
    resources.pop()
    return True


# Numbers are tuned more often than anything else.
_UNDOING: Sequence[Undo] = (_earlier_version, _other_number, _other_number, _without_the_newest)
