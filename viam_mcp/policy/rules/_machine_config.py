"""The configuration of a machine part or a fragment, in its normal form.

The same thing can be written in several ways that a machine reads alike. In the normal form all of them are there, so
that a rule finds it by any. What cannot be read is `NOTHING_CAN_BE_TOLD`, which every rule that denies or asks meets.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

from viam_mcp.policy.rules._nodes import NOTHING_CAN_BE_TOLD, Branch, Leaf, Node, leaf
from viam_mcp.policy.rules._text import Pairs, folded

Json = Any

_KINDS = {"components": "component", "services": "service"}
_SECTIONS = (*_KINDS, "modules", "remotes", "processes", "packages", "fragments", "fragment_mods", "jobs")
"""The members that are lists of objects."""
_BUILT_IN = ("rdk", "builtin")
_API, _MODEL = ("namespace", "type", "subtype"), ("namespace", "model_family", "name")


_leaf = partial(leaf, whole=False)


def config(value: Json) -> Node:
    """Return a configuration in its normal form.

    Args:
        value: A JSON object, or its text.
    """
    try:
        read = json.loads(value, object_pairs_hook=Pairs) if isinstance(value, str) else value
        node = NOTHING_CAN_BE_TOLD if _is_list(read) else _generic(read)
        if not isinstance(node, Branch):
            return NOTHING_CAN_BE_TOLD
        _complete(node)
    except (ValueError, RecursionError):
        return NOTHING_CAN_BE_TOLD
    if isinstance(value, str):
        node.loose = (value,)
    return node


def _generic(value: Json) -> Node:
    return Branch(value, fill=_fill) if isinstance(value, dict | Pairs) else _leaf(value)


def _fill(branch: Branch) -> None:
    members = branch.value.items() if isinstance(branch.value, dict) else branch.value
    for key, item in members:
        name = folded(key)
        if _is_list(item):
            branch.lists.add(name)
        branch.add(name, *_each(item))


def _each(value: Json) -> list[Node]:
    if _is_list(value):
        return [node for item in value for node in _each(item)]
    return [] if value is None else [_generic(value)]


def _is_list(value: Json) -> bool:
    return isinstance(value, list) and not isinstance(value, Pairs)


def _complete(node: Branch) -> None:
    """Add to a configuration all that is said in it in another way."""
    for section in _SECTIONS:
        if section in node.members:
            node.members[section] = [_entry(section, one) for one in node.members[section]]
    for entry in node.members.get("fragment_mods", ()):
        if isinstance(entry, Branch):
            _apply(node, entry)
    for section, kind in _KINDS.items():
        for entry in node.members.get(section, ()):
            if isinstance(entry, Branch):
                _complete_resource(entry, kind)
    for section, name in (("modules", "module_id"), ("packages", "package")):
        for entry in node.members.get(section, ()):
            if isinstance(entry, Branch):
                _complete_item(entry, name)
    _cross(node)


def _cross(node: Branch) -> None:
    """Have what stands under the wrong one of components and services be found under the right one as well."""
    for here, there in (("components", "services"), ("services", "components")):
        for entry in node.members.get(here, ()):
            if isinstance(entry, Branch) and any(
                f":{_KINDS[there]}:" in text for api in entry.members.get("api", ()) for text in api.texts
            ):
                node.add(there, entry)


def _entry(section: str, node: Node) -> Node:
    """An entry of a section: an object, as which an id stands for a fragment."""
    if section == "fragments" and isinstance(node, Leaf) and node.texts:
        branch = Branch({"id": node.texts[0]}, node.texts)
        branch.add("id", node)
        return branch
    if not isinstance(node, Branch):
        return NOTHING_CAN_BE_TOLD
    if section == "fragments":
        node.add("id", *node.members.get("fragment_id", ()))
        ids = tuple(text for one in node.members["id"] for text in one.texts)
        if node.members.keys() == {"id"}:
            node.texts = ids
        else:
            node.loose = ids
    return node


def _apply(node: Branch, entry: Branch) -> None:
    """Add to a configuration what the modifications of a fragment set in it, and that it names the fragment."""
    for one in entry.members.get("fragment_id", ()):
        node.add("fragments", _entry("fragments", one))
    for mod in entry.members.get("mods", ()):
        for operator, operands in mod.members.items() if isinstance(mod, Branch) else [("", [])]:
            if operator == "$set":
                for operand in operands:
                    _set_all(node, operand)
            elif operator != "$unset":
                node.open = True


def _set_all(node: Branch, operand: Node) -> None:
    if not isinstance(operand, Branch):
        node.open = True
        return
    for path, values in operand.members.items():
        section, *steps = path.split(".")
        if section not in _SECTIONS:
            _nest(node, [section, *steps], values)
            continue
        node.lists.add(section)
        if not steps:
            node.add(section, *(_entry(section, value) for value in values))
            _add_by_name(node, section, values)
        # A name may have dots in it, so each place where it can end is a reading.
        for end in range(1, len(steps) + 1):
            meant = [one for one in values if end < len(steps) or end == 1 or isinstance(one, Branch)]
            node.add(section, *_named(section, ".".join(steps[:end]), steps[end:], meant))


def _add_by_name(node: Branch, section: str, values: list[Node]) -> None:
    """Add the entries of a section that is set as an object: each under its name."""
    for value in values:
        for name, entries in [*value.members.items()] if isinstance(value, Branch) else ():
            objects: list[Node] = [entry for entry in entries if isinstance(entry, Branch)]
            node.add(section, *_named(section, name, [], objects))


def _named(section: str, name: str, steps: list[str], values: list[Node]) -> list[Node]:
    """The entries of a section that are meant by a name, a path from there on, and what it leads to."""
    if steps:
        branch = Branch()
        branch.add("name", _leaf(name))
        _nest(branch, steps, values)
        return [branch]
    for value in values:
        if isinstance(value, Branch):
            value.add("name", _leaf(name))
    return [_entry(section, value) for value in values]


def _nest(branch: Branch, steps: list[str], values: list[Node]) -> None:
    for step in steps[:-1]:
        inner = Branch()
        branch.add(step, inner)
        branch = inner
    branch.add(steps[-1], *values)


def _complete_resource(entry: Branch, kind: str) -> None:
    """Have an api, a type and a model of a component or a service be found in each way in which they can be written."""
    types = [*entry.words("type"), *entry.words("subtype")]
    apis = [_triple(one, _API, kind) for one in entry.members.get("api", ())]
    known = [name for api in apis if isinstance(api, Branch) for name in api.words("subtype")]
    namespace = entry.word("namespace") or "rdk"
    others = [text if text.count(":") == 2 else f"{namespace}:{kind}:{text}" for text in types if text not in known]
    apis += [_triple(_leaf(text), _API, kind) for text in others]
    if apis:
        entry.members["api"] = apis
    for api in apis:
        if isinstance(api, Branch):
            for member, name in (("type", "subtype"), ("namespace", "namespace")):
                if api.word(name) not in entry.words(member):
                    entry.add(member, *api.members[name])
        else:
            entry.add("type", api)
    if "model" in entry.members:
        entry.members["model"] = [_triple(one, _MODEL, "builtin") for one in entry.members["model"]]


def _triple(node: Node, names: tuple[str, ...], middle: str) -> Node:
    """An api or a model: three words, as a text with colons between them or as an object."""
    if isinstance(node, Branch):
        words = [node.word(names[0]) or "rdk", node.word(names[1], "family") or middle, node.word(names[2])]
    else:
        words = list(folded(node.texts[0]).split(":")) if node.texts else []
        if len(words) == 1 and middle == "builtin":
            words = [*_BUILT_IN, *words]
    if len(words) != 3 or not all(words):
        return NOTHING_CAN_BE_TOLD
    namespace, family, name = (word or "" for word in words)
    texts = [":".join((namespace, family, name)), *node.texts]
    if (namespace, family) == _BUILT_IN:
        texts.append(name)
    branch = Branch(node.value if isinstance(node, Branch) else texts[0], tuple(texts), as_text=True)
    for member, word in zip(names, (namespace, family, name), strict=True):
        branch.add(member, _leaf(word))
    return branch


def _complete_item(entry: Branch, name: str) -> None:
    """Have a module or a package be read as an item of the registry, whichever sign stands between owner and name."""
    if name in entry.members:
        entry.members[name] = [
            replace(one, loose=(one.texts[0].replace("/", ":", 1), one.texts[0].replace(":", "/", 1)), item=True)
            if isinstance(one, Leaf) and one.texts
            else one
            for one in entry.members[name]
        ]
    if name == "module_id" and not any(entry.words("type")) and "executable_path" in entry.members:
        entry.add("type", _leaf("local"))
