"""What may be done: rules, and the decision that they come to.

Everything here is pure: a decision depends on the tool, the arguments and the rules, and on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from viam_mcp.policy.rules._normal import NormalForm
from viam_mcp.tools import Effect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from viam_mcp.tools import Risk, Spec

Json = Any


class Action(StrEnum):
    """What becomes of a call."""

    ALLOW = "allow"
    CONFIRM = "confirm"
    DENY = "deny"


class Secrets(StrEnum):
    """How an answer gives a credential: not at all, in a file that the answer names, or as it is."""

    REDACT = "redact"
    FILE = "file"
    REVEAL = "reveal"


class ConfirmVia(StrEnum):
    """Which ways to ask there are.

    `ELICIT`: a person is asked by the client. `TOKEN`: so too, and clients that cannot ask get an
    operation id for `confirm_operation`. `DENY`: nobody is asked; what would need it is denied.
    """

    ELICIT = "elicit"
    TOKEN = "token"  # noqa: S105 - the name of a way to ask
    DENY = "deny"


_STRENGTH = {Action.ALLOW: 0, Action.CONFIRM: 1, Action.DENY: 2}
_CAUTION = {Secrets.REVEAL: 0, Secrets.FILE: 1, Secrets.REDACT: 2}


@dataclass(frozen=True)
class Rule:
    """Calls, by what they have in common, and what becomes of them.

    A call is meant when each condition that is given holds; patterns are those of a shell (`*`, `?`, `[ab]`).

    Attributes:
        where: The rule's file and line.
        action: What becomes of the call; None if the rule is only about credentials.
        tools: Patterns for the tool's name.
        toolsets: The toolsets meant.
        effects: The effects meant.
        arguments: Patterns for the values of arguments, by path (`authorizations.role`).
        type_name: Whether a confirmation takes the name of what is touched, typed.
        secrets: How credentials are given; None leaves it.
        reason: The operator's words for the person who is asked, or the caller who is stopped.
        risks: What the calls that it allows may put at risk; others that their tools declare are asked about.
    """

    where: str
    action: Action | None = None
    tools: tuple[str, ...] = ()
    toolsets: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    arguments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    type_name: bool = False
    secrets: Secrets | None = None
    reason: str = ""
    risks: frozenset[Risk] = frozenset()

    def concerns(self, spec: Spec, effect: Effect) -> bool:
        """Whether calls of this tool can be meant that have this effect."""
        return (
            (not self.tools or any(fnmatchcase(spec.name, pattern) for pattern in self.tools))
            and (not self.toolsets or spec.toolset in self.toolsets)
            and (not self.effects or effect in self.effects)
        )

    def matches(self, arguments: NormalForm, *, widens: bool) -> bool:
        """Whether the arguments are as the rule says.

        Args:
            arguments: The call's arguments.
            widens: True where a match allows more: then every value at a path has to match, exactly as it is
                written. Where a match allows less, one value is enough that may be meant, however it is written.
        """
        return all(arguments.holds(path, patterns, widens=widens) for path, patterns in self.arguments.items())


@dataclass(frozen=True)
class Decision:
    """What becomes of one call.

    Attributes:
        action: Whether it runs, waits for a person, or does not run.
        secrets: How it gives a credential, if its answer holds one.
        why: One sentence about what decided.
        rule: The file and line of the rule that decided; None for a default.
        type_name: Whether a confirmation takes the name of what is touched, typed.
        risks: What the call may put at risk without a question, where it is allowed.
    """

    action: Action
    secrets: Secrets
    why: str
    rule: str | None = None
    type_name: bool = False
    risks: frozenset[Risk] = frozenset()

    def unnamed(self, spec: Spec) -> frozenset[Risk]:
        """What calls of a tool may put at risk that are allowed by rules that do not name it."""
        return spec.risks - self.risks if self.action is Action.ALLOW else frozenset()

    def confirmed(self, reason: str) -> Decision:
        """The decision to ask about a call that is allowed, because of what it puts at risk."""
        return replace(self, action=Action.CONFIRM, why=f"{reason}, and {self.why} without naming that")


@dataclass(frozen=True)
class Scope:
    """The organizations and locations that a server is limited to. Nothing named: no limit."""

    organizations: frozenset[str] = frozenset()
    locations: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.organizations or self.locations)


_DEFAULTS = {Effect.READ: Action.ALLOW, Effect.WRITE: Action.ALLOW, Effect.DESTRUCTIVE: Action.CONFIRM}


class Policy:
    """All that an operator has decided.

    Args:
        rules: In the order of the file. Deny beats confirm beats allow; of rules that say the same, the
            first is named. Any rule beats the defaults.
        defaults: What becomes of a call that no rule is about, by effect.
        secrets_read: How credentials are given by tools that read them.
        secrets_mint: How credentials are given by tools that make them.
        scope: What the server is limited to.
        destructive_per_hour: How many destructive calls may run within an hour; None for any number.
        confirm_via: Which ways to ask there are.
        confirm_seconds: How long a question stays open.
        source: What tells it from other policies: its file.
        budgets: Under which names the destructive calls are counted, in one count for all policies with that name; its
            source if there are none.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        *,
        defaults: Mapping[Effect, Action] | None = None,
        secrets_read: Secrets = Secrets.REDACT,
        secrets_mint: Secrets = Secrets.FILE,
        scope: Scope | None = None,
        destructive_per_hour: int | None = None,
        confirm_via: ConfirmVia = ConfirmVia.TOKEN,
        confirm_seconds: float = 600,
        source: str = "",
        budgets: Iterable[str] = (),
    ) -> None:
        self.rules = tuple(rules)
        self.defaults = {**_DEFAULTS, **(defaults or {})}
        self.secrets_read = secrets_read
        self.secrets_mint = secrets_mint
        self.scope = scope or Scope()
        self.destructive_per_hour = destructive_per_hour
        self.confirm_via = confirm_via
        self.confirm_seconds = confirm_seconds
        self.source = source
        self.budgets = tuple(budgets) or (source,)
        self._concerning: dict[tuple[str, Effect], tuple[Rule, ...]] = {}
        self._settled: dict[tuple[str, Effect], Decision | None] = {}

    def rules_for(self, spec: Spec, effect: Effect) -> tuple[Rule, ...]:
        """The rules that calls of this tool with this effect can be meant by, in order."""
        key = (spec.name, effect)
        if key not in self._concerning:
            self._concerning[key] = tuple(rule for rule in self.rules if rule.concerns(spec, effect))
        return self._concerning[key]

    def settled(self, spec: Spec, effect: Effect) -> Decision | None:
        """The decision for every call of a tool with this effect; None if it depends on the arguments."""
        key = (spec.name, effect)
        if key not in self._settled:
            depends = any(rule.arguments for one in {effect, spec.effect} for rule in self.rules_for(spec, one))
            self._settled[key] = None if depends else self._decide(spec, NormalForm(None, {}), effect)
        return self._settled[key]

    def decide(self, spec: Spec, arguments: Mapping[str, Json], effect: Effect) -> Decision:
        """What becomes of a call.

        Args:
            spec: The tool.
            arguments: Its arguments, as JSON values.
            effect: What the call does.
        """
        return self.settled(spec, effect) or self._decide(spec, NormalForm(spec.arguments, arguments), effect)

    def _decide(self, spec: Spec, arguments: NormalForm, effect: Effect) -> Decision:
        decision = self._decide_as(spec, arguments, effect)
        if effect is spec.effect:
            return decision
        # A call that does more than its tool still does what its tool does: it takes leave for both.
        other = self._decide_as(spec, arguments, spec.effect)
        decisive = max(decision, other, key=lambda one: (_STRENGTH[one.action], one.type_name))
        secrets = max(decision.secrets, other.secrets, key=_CAUTION.__getitem__)
        return replace(decisive, secrets=secrets, risks=decision.risks & other.risks)

    def _decide_as(self, spec: Spec, arguments: NormalForm, effect: Effect) -> Decision:
        rules = self.rules_for(spec, effect)
        secrets = self._secrets(spec, rules, arguments)
        meant = [
            rule
            for rule in rules
            if rule.action is not None and rule.matches(arguments, widens=rule.action is Action.ALLOW)
        ]
        if meant:
            rule = max(meant, key=lambda one: _STRENGTH[one.action or Action.ALLOW])
            action = rule.action or Action.ALLOW
            type_name = action is Action.CONFIRM and any(one.type_name for one in meant)
            why = f"the rule at {rule.where} says {action}" + (f": {rule.reason}" if rule.reason else "")
            named = frozenset(risk for one in meant if one.action is Action.ALLOW for risk in one.risks)
            return Decision(action, secrets, why, rule.where, type_name, named)
        action = self.defaults[effect]
        if action is Action.ALLOW and spec.reveals_secret and secrets is not Secrets.REDACT:
            return Decision(Action.CONFIRM, secrets, "by default, giving a credential is confirmed")
        return Decision(action, secrets, f"by default, {effect} calls are {_ANSWERS[action]}")

    def _secrets(self, spec: Spec, rules: Iterable[Rule], arguments: NormalForm) -> Secrets:
        if not spec.reveals_secret:
            return Secrets.REDACT
        meant = [
            rule.secrets
            for rule in rules
            if rule.secrets is not None and rule.matches(arguments, widens=rule.secrets is not Secrets.REDACT)
        ]
        if meant:
            return max(meant, key=_CAUTION.__getitem__)
        return self.secrets_mint if spec.mints else self.secrets_read


_ANSWERS = {Action.ALLOW: "allowed", Action.CONFIRM: "confirmed", Action.DENY: "denied"}
