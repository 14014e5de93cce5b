"""`viam-mcp policy`: check a policy, explain its decisions, print one to start from."""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from viam_mcp.assembly.options import add_options
from viam_mcp.calls import ConfirmOperation, parse
from viam_mcp.policy import STARTING_FILE, Action, NormalForm, Policy, PolicyError, load
from viam_mcp.tools import TOOLS, ToolError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from viam_mcp.policy import Decision
    from viam_mcp.tools import Tool


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its subcommands and flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="say whether a policy file is understood")
    check.add_argument("file", metavar="FILE", type=Path)
    explain = actions.add_parser("explain", help="say what becomes of a call, which rule decides, and why")
    explain.add_argument("tool", metavar="TOOL", help="its name; see viam-mcp tools")
    explain.add_argument("arguments", metavar="JSON", nargs="?", help="its arguments, or some of them")
    explain.add_argument("--policy", metavar="FILE", type=Path, help="the policy file; default: the built-in policy")
    init = actions.add_parser("init", help="print a policy file to start from")
    for action in (check, explain, init):
        add_options(action, "common")


def run(options: argparse.Namespace) -> int:
    """Run the subcommand."""
    if options.action == "init":
        print(STARTING_FILE, end="")
    elif options.action == "check":
        print("\n".join(_summary(load(options.file), options.file)))
    else:
        policy = Policy() if options.policy is None else load(options.policy)
        print("\n".join(_explanation(policy, _tool(options.tool), _object(options.arguments))))
    return 0


def _summary(policy: Policy, file: Path) -> Iterator[str]:
    yield f"{file} is understood: {len(policy.rules)} rule{'' if len(policy.rules) == 1 else 's'}."
    actions: dict[str, list[str]] = {}
    depends: list[str] = []
    for tool in TOOLS.values():
        settled = {None if found is None else found.action for found in _settled(policy, tool)}
        (action, *others) = settled
        if action is None or others:
            depends.append(tool.spec.name)
        else:
            actions.setdefault(action, []).append(tool.spec.name)
    for said, names in sorted(actions.items()):
        yield f"{said}: {len(names)} tools"
    if depends:
        yield f"depends on the arguments: {', '.join(sorted(depends))}"
    yield from _limits(policy)


def _explanation(policy: Policy, tool: type[Tool], arguments: dict[str, Any] | None) -> Iterator[str]:
    spec, call = tool.spec, _call(tool, arguments or {})
    decision = policy.decide(spec, call.meant(), call.effect)
    yield f"{spec.name}: {decision.action}, since {decision.why}."
    if decision.type_name:
        yield "The person types the name of what is touched."
    elif decision.action is Action.CONFIRM and spec.types_name:
        when = "" if spec.types_name == "always" else f", {spec.types_name}"
        yield f"The person types the name of what is touched{when}."
    if spec.reveals_secret:
        yield f"A credential in its answer: {decision.secrets}."
    if arguments:
        seen = json.dumps(NormalForm(spec.arguments, call.meant()).shown(), ensure_ascii=False)
        yield f"Rules see these arguments as {seen}; capitals count only where a rule allows."
    if arguments is None:
        others = [one for one in tool.effects() if one is not call.effect]
        if others:
            yield f"Its arguments may make it more than that: {' or '.join(others)}."
    for rule in {rule.where: rule for one in tool.effects() for rule in policy.rules_for(spec, one)}.values():
        # Given arguments have been held against it; others may be given yet.
        if rule.arguments and not {path.partition(".")[0] for path in rule.arguments} <= set(arguments or ()):
            conditions = ", ".join(f"{path} {' or '.join(patterns)}" for path, patterns in rule.arguments.items())
            yield f"The rule at {rule.where} may decide otherwise, by arguments: {conditions}."
    yield from _limits(policy)


def _call(tool: type[Tool], arguments: dict[str, Any]) -> Tool:
    """A call with these arguments, which may be some of those that it takes, as the gate would see it.

    Raises:
        PolicyError: An argument is not one, or not what the tool takes.
    """
    try:
        return parse(_partial(tool), arguments)
    except ToolError as error:
        raise PolicyError(str(error)) from None


def _partial(tool: type[Tool]) -> type[Tool]:
    """The same tool, to which no argument needs to be given. One that is missing matches no rule."""
    optional: dict[str, Any] = {}
    for name, field in tool.model_fields.items():
        if field.is_required():
            absent = copy(field)
            absent.default = None
            optional[name] = (field.annotation | None if field.annotation else Any, absent)
    return create_model(tool.__name__, __base__=tool, **optional)


def _settled(policy: Policy, tool: type[Tool]) -> Iterator[Decision | None]:
    """The decisions for its calls, of each effect that they may have; None where arguments decide."""
    return (policy.settled(tool.spec, effect) for effect in tool.effects())


def _limits(policy: Policy) -> Iterator[str]:
    if policy.scope:
        named = ", ".join(sorted(policy.scope.organizations) + sorted(policy.scope.locations))
        yield f"Every call is limited to {named}."
    if policy.destructive_per_hour is not None:
        yield f"At most {policy.destructive_per_hour} destructive calls run within an hour, of all callers together."
    yield f"confirm_via is {policy.confirm_via}; a question stays open for {policy.confirm_seconds:.0f} s."


def _tool(name: str) -> type[Tool]:
    if name == ConfirmOperation.spec.name:
        raise PolicyError(f"{name} is decided as the call that it confirms.")
    if name not in TOOLS:
        raise PolicyError(f"there is no tool {name!r}; viam-mcp tools lists those that there are.")
    return TOOLS[name]


def _object(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise PolicyError(f"the arguments are not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise PolicyError("the arguments are not a JSON object.")
    return value
