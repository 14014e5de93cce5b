"""The outcomes that the audit may name are those that are written, and no others."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import viam_mcp.policy
from viam_mcp.policy import Outcome, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(viam_mcp.policy.__file__).parent


def words(node: ast.expr) -> set[str]:
    """The texts that an expression may come to, as far as it says them itself."""
    if isinstance(node, ast.IfExp):
        return words(node.body) | words(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def written(tree: ast.AST) -> Iterator[set[str]]:
    """What is given to `Stopped` and to `_record` as an outcome, or is put under that name."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="Stopped"), args=[outcome, *_]):
                yield words(outcome)
            case ast.Call(func=ast.Attribute(attr="_record"), args=[_, outcome, *_]):
                yield words(outcome)
            case ast.Assign(targets=[ast.Name(id="outcome")], value=outcome):
                yield words(outcome)
            case ast.Dict(keys=keys, values=values):
                for key, outcome in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "outcome":
                        yield words(outcome)


def test_the_outcomes_are_those_that_are_written_and_those_of_questions() -> None:
    trees = [ast.parse(path.read_text()) for path in FOLDER.glob("*.py")]
    found = set[str]().union(*(some for tree in trees for some in written(tree)))
    assert found | (set(Reply) - {Reply.ACCEPTED}) == set(Outcome)
