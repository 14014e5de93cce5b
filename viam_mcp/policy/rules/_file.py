"""The policy file: TOML, read strictly. Whatever is not understood stops the start."""

from __future__ import annotations

import difflib
import re
import stat
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from viam_mcp.policy._errors import PolicyError
from viam_mcp.policy.rules._lines import line_of
from viam_mcp.policy.rules._normal import normal_path, virtual
from viam_mcp.policy.rules._rules import Action, ConfirmVia, Policy, Rule, Scope, Secrets
from viam_mcp.tools import TOOLS, TOOLSETS, Effect, Risk, input_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from viam_mcp.tools import Tool

MAX_BYTES = 1_048_576
"""How large a policy file may be."""

Location = tuple[int | str, ...]
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
OrganizationId = Annotated[str, StringConstraints(pattern=f"^{_ID.pattern}$")]
LocationId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{10}$")]
_Pattern = Annotated[str, StringConstraints(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Defaults(_Table):
    read: Action = Action.ALLOW
    write: Action = Action.ALLOW
    destructive: Action = Action.CONFIRM


class _Secrets(_Table):
    read: Secrets = Secrets.REDACT
    mint: Secrets = Secrets.FILE


class _Scope(_Table):
    organizations: list[OrganizationId] = []
    locations: list[LocationId] = []


class _Budget(_Table):
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    destructive_per_hour: Annotated[int, Field(ge=0, strict=True)] | None = None


class _Rule(_Table):
    action: Action | None = None
    tools: list[_Pattern] = []
    toolsets: list[_Pattern] = []
    effects: list[Effect] = []
    arguments: dict[str, _Pattern | list[_Pattern]] = {}
    confirm: Literal["type-name"] | None = None
    secrets: Secrets | None = None
    risks: list[Risk] = []
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class _File(_Table):
    confirm_via: ConfirmVia = ConfirmVia.TOKEN
    confirm_seconds: Annotated[float, Field(ge=5, le=86_400)] = 600
    defaults: _Defaults = _Defaults()
    secrets: _Secrets = _Secrets()
    scope: _Scope = _Scope()
    budget: _Budget = _Budget()
    rules: list[_Rule] = []


_TABLES: dict[str, type[BaseModel]] = {
    "defaults": _Defaults,
    "secrets": _Secrets,
    "scope": _Scope,
    "budget": _Budget,
    "rules": _Rule,
}


class _Wrong(Exception):  # noqa: N818 - it never leaves this module
    """What is wrong, and where in the file's data."""

    def __init__(self, at: Location, reason: str) -> None:
        super().__init__(reason)
        self.at = at


def load(path: Path) -> Policy:
    """The policy in a file.

    Raises:
        PolicyError: It cannot be read, or something in it is not understood; the message names file, line
            and reason.
    """
    return parse(_read(path), str(path), source=str(path.resolve()))


def parse(text: str, name: str, source: str = "") -> Policy:
    """The policy in a text.

    Args:
        text: TOML.
        name: What to call it in messages.
        source: What tells it from other policies; its name if empty.

    Raises:
        PolicyError: Something in it is not understood; the message names source, line and reason.
    """
    try:
        data = tomllib.loads(text)
        file = _File.model_validate(data)
        return _policy(file, text, name, source or name)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        number = int(line[1]) if line else text.rstrip().count("\n") + 1
        raise PolicyError(f"{name}:{number}: this is not TOML: {error}.") from None
    except RecursionError:
        raise PolicyError(f"{name}: it is nested too deep.") from None
    except ValidationError as error:
        problems = [_Wrong(_place(one["loc"], data), _reason(one)) for one in error.errors(include_url=False)]
    except _Wrong as error:
        problems = [error]
    # What may be one of several types has a problem with each of them: the first says enough.
    first = {one.at: one for one in reversed(problems)}
    ordered = sorted(first.values(), key=lambda one: line_of(text, one.at))
    raise PolicyError("\n".join(f"{name}:{line_of(text, one.at)}: {_dotted(one.at)}{one}" for one in ordered))


def _read(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise PolicyError(f"{path} is {'a folder' if stat.S_ISDIR(mode) else 'not a regular file'}: name a file.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PolicyError(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > MAX_BYTES:
        raise PolicyError(f"{path} is larger than {MAX_BYTES:,} bytes, which no policy needs.")
    if not data.strip():
        raise PolicyError(f"{path} is empty. viam-mcp policy init prints a file to start from.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"{path}:{line}: this is not UTF-8 text.") from None


def _policy(file: _File, text: str, name: str, source: str) -> Policy:
    return Policy(
        (_rule(rule, index, f"{name}:{line_of(text, ('rules', index))}") for index, rule in enumerate(file.rules)),
        defaults={effect: getattr(file.defaults, effect) for effect in Effect},
        secrets_read=file.secrets.read,
        secrets_mint=file.secrets.mint,
        scope=Scope(frozenset(item.lower() for item in file.scope.organizations), frozenset(file.scope.locations)),
        destructive_per_hour=file.budget.destructive_per_hour,
        confirm_via=file.confirm_via,
        confirm_seconds=file.confirm_seconds,
        source=source,
        budgets=_budgets(file, source),
    )


def _budgets(file: _File, source: str) -> tuple[str, ...]:
    """Return what the budget is counted by: its name, or else the file and what it says, which a copy says too."""
    if file.budget.name is not None:
        return (f"budget {file.budget.name}",)
    return source, f"policy {file.model_dump_json()}"


def _rule(table: _Rule, index: int, where: str) -> Rule:
    here: Location = ("rules", index)
    rule = Rule(
        where=where,
        action=Action.CONFIRM if table.confirm else table.action,
        tools=tuple(table.tools),
        toolsets=tuple(table.toolsets),
        effects=tuple(table.effects),
        arguments={
            path: tuple(_known(pattern) for pattern in ([given] if isinstance(given, str) else given))
            for path, given in table.arguments.items()
        },
        type_name=table.confirm is not None,
        secrets=table.secrets,
        reason=table.reason,
        risks=frozenset(table.risks),
    )
    if table.confirm and table.action not in (None, Action.CONFIRM):
        raise _Wrong((*here, "confirm"), f'goes with action = "confirm", not "{table.action}"')
    if table.risks and rule.action is not Action.ALLOW:
        raise _Wrong((*here, "risks"), 'goes with action = "allow": it names what is allowed without a question')
    if rule.action is None and rule.secrets is None:
        raise _Wrong(here, "this rule says nothing: give it an action, or say how secrets are given")
    if not (rule.tools or rule.toolsets or rule.effects or rule.arguments):
        raise _Wrong(here, 'this rule does not say which calls it is for; tools = ["*"] means all')
    _check_names(rule, here)
    return rule


def _known(pattern: str) -> str:
    """A pattern as what it is held against is written: ids go out in small letters."""
    return pattern.lower() if _ID.fullmatch(pattern) else pattern


def _check_names(rule: Rule, here: Location) -> None:
    for toolset in rule.toolsets:
        if toolset not in TOOLSETS:
            raise _Wrong((*here, "toolsets"), f"there is no toolset {toolset!r}. {_advice(toolset, TOOLSETS)}")
    for pattern in rule.tools:
        alone = Rule(rule.where, tools=(pattern,))
        if not _concerned(alone):
            raise _Wrong((*here, "tools"), f"no tool is named {pattern!r}. {_advice(pattern, TOOLS)}")
    concerned = _concerned(rule)
    for risk in rule.risks:
        if not any(risk in tool.spec.risks for tool in concerned):
            known = sorted({risk.value for tool in TOOLS.values() for risk in tool.spec.risks})
            reason = f"no tool of this rule asks because of {risk.value!r}; those that ask do for {', '.join(known)}"
            raise _Wrong((*here, "risks"), reason)
    if not concerned:
        raise _Wrong(here, "no tool meets its tools, toolsets and effects at once")
    for path, patterns in rule.arguments.items():
        if not any(_has(tool, path) for tool in concerned):
            _check_path(path, [input_schema(tool) for tool in concerned], here)
        if not patterns:
            raise _Wrong((*here, "arguments"), f"{path} has no pattern, so nothing can match it")
    _check_together(rule, here)


def _concerned(rule: Rule) -> list[type[Tool]]:
    """The tools that a rule can be about."""
    return [tool for tool in TOOLS.values() if any(rule.concerns(tool.spec, effect) for effect in tool.effects())]


def _check_together(rule: Rule, here: Location) -> None:
    """See that a call can meet all of a rule's arguments at once, of each of the tools that it names."""
    if not rule.arguments:
        return
    paths = " and ".join(rule.arguments)
    for pattern in rule.tools or ("*",):
        concerned = _concerned(replace(rule, tools=(pattern,)))
        if concerned and not any(all(_has(tool, path) for path in rule.arguments) for tool in concerned):
            reason = f"no tool that {pattern!r} stands for has {paths}, so the rule says nothing about it"
            advice = "a rule holds where all of its arguments match; write a rule for each"
            raise _Wrong((*here, "arguments"), f"{reason}: {advice}")


def _has(tool: type[Tool], path: str) -> bool:
    """Whether calls of a tool can have something at a path."""
    return path in virtual(tool) or _steps_into([input_schema(tool)], normal_path(tool, path)) is None


def _check_path(path: str, schemas: Sequence[Mapping[str, Any]], here: Location) -> None:
    """See that a path leads to something in an argument of one of the tools."""
    missing = _steps_into(schemas, path)
    if missing is not None:
        step, within, known = missing
        place = f"in {within!r} something called" if within else "an argument"
        advice = _advice(step, known) if known else "Nothing is inside of it."
        raise _Wrong((*here, "arguments"), f"no tool of this rule has {place} {step!r}. {advice}")


def _steps_into(schemas: Sequence[Mapping[str, Any]], path: str) -> tuple[str, str, set[str]] | None:
    """The first step of a path that none of the schemas has, where it is missing, and what there is instead; None if
    the whole path is there."""
    within = ""
    for step in path.split("."):
        inner = [schema.get("items", schema) for schema in schemas]
        if any("properties" not in schema and schema.get("type") in ("object", None) for schema in inner):
            return None  # a configuration, which may hold anything
        known = {name for schema in inner for name in schema.get("properties", ())}
        if step not in known:
            return step, within, known
        schemas = [schema["properties"][step] for schema in inner if step in schema.get("properties", ())]
        within = f"{within}.{step}".lstrip(".")
    return None


def _advice(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(sorted(known))}."


def _place(location: Location, data: Any) -> Location:
    """The part of a validation error's location that exists in the data: the rest names pydantic's own choices."""
    place: list[int | str] = []
    for step in location:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            break
        place.append(step)
    return tuple(place)


def _reason(error: Any) -> str:
    if error["type"] != "extra_forbidden":
        return f"{error['msg'][0].lower()}{error['msg'][1:]}, got {str(error['input'])[:80]!r}"
    table = _TABLES.get(str(error["loc"][0]), _File) if len(error["loc"]) > 1 else _File
    key = str(error["loc"][-1])
    return f"this is not a key that is known. {_advice(key, table.model_fields)}"


def _dotted(place: Location) -> str:
    text = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")
    return f"{text}: " if text else ""
