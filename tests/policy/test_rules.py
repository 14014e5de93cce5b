from __future__ import annotations

from typing import Any

import pytest

from viam_mcp.policy import Action, Decision, Policy, Rule, Secrets, parse
from viam_mcp.tools import TOOLS, Effect, Risk


def decide(policy: Policy | str, tool: str, /, **arguments: Any) -> Decision:
    rules = parse(policy, "p.toml") if isinstance(policy, str) else policy
    kind = TOOLS[tool]
    return rules.decide(kind.spec, arguments, kind.model_construct(**arguments).effect)


@pytest.mark.parametrize("name", ["get_robot_part", "get_robot_part_logs"])
def test_an_answer_that_goes_to_a_file_as_well_takes_leave_to_be_read(name: str) -> None:
    for text in (
        '[defaults]\nread = "deny"\n',
        f'[[rules]]\naction = "deny"\ntools = ["{name}"]\neffects = ["read"]\n',
    ):
        for more in ({}, {"dest": "a"}, {"dest": "a", "overwrite": True}):
            assert decide(text, name, robot_part_id="x", **more).action is Action.DENY
    asked = '[defaults]\nread = "confirm"\nwrite = "allow"\n'
    assert decide(asked, name, robot_part_id="x", dest="a").action is Action.CONFIRM
    revealing = '[secrets]\nread = "reveal"\n[[rules]]\naction = "allow"\ntools = ["*"]\neffects = ["read"]\n'
    assert decide(revealing, name, robot_part_id="x", dest="a").action is not Action.DENY


@pytest.mark.parametrize("name", TOOLS)
def test_by_default_what_destroys_or_gives_a_credential_is_confirmed_and_nothing_else(name: str) -> None:
    spec = TOOLS[name].spec
    decision = Policy().decide(spec, {}, spec.effect)
    gives = decision.secrets is not Secrets.REDACT
    assert (decision.action is Action.CONFIRM) == (spec.effect is Effect.DESTRUCTIVE or gives)
    assert decision.action is not Action.DENY
    assert decision.rule is None


def test_reading_with_credentials_redacted_is_not_confirmed_and_minting_goes_to_a_file() -> None:
    assert decide(Policy(), "list_keys") == Decision(Action.ALLOW, Secrets.REDACT, "by default, read calls are allowed")
    assert decide(Policy(), "create_location_secret").secrets is Secrets.FILE
    assert decide(Policy(), "create_location_secret").action is Action.CONFIRM
    assert decide(Policy(), "update_robot_part").secrets is Secrets.REDACT


def test_revealing_is_confirmed_unless_a_rule_allows_the_tool() -> None:
    reveal = '[secrets]\nread = "reveal"\n'
    assert decide(reveal, "location_auth").action is Action.CONFIRM
    allowed = reveal + '[[rules]]\naction = "allow"\ntools = ["location_auth"]\n'
    assert decide(allowed, "location_auth") == Decision(
        Action.ALLOW, Secrets.REVEAL, "the rule at p.toml:3 says allow", "p.toml:3"
    )


def test_deny_beats_confirm_beats_allow_whatever_the_order() -> None:
    for order in (("allow", "confirm", "deny"), ("deny", "confirm", "allow"), ("confirm", "deny", "allow")):
        rules = "".join(f'[[rules]]\naction = "{action}"\ntools = ["delete_robot"]\n' for action in order)
        assert decide(rules, "delete_robot").action is Action.DENY
    both = '[[rules]]\naction = "allow"\ntools = ["*"]\n[[rules]]\naction = "confirm"\ntools = ["new_*"]\n'
    assert decide(both, "new_robot").action is Action.CONFIRM
    assert decide(both, "delete_robot").action is Action.ALLOW


def test_a_decision_names_the_first_rule_that_says_so_and_its_reason() -> None:
    text = '[[rules]]\naction = "deny"\ntoolsets = ["keys"]\nreason = "ask the platform team"\n'
    decision = decide(text * 2, "rotate_key")
    assert decision.rule == "p.toml:1"
    assert decision.why == "the rule at p.toml:1 says deny: ask the platform team"


def test_a_rule_holds_where_all_its_conditions_do() -> None:
    text = '[[rules]]\naction = "deny"\ntoolsets = ["machines"]\neffects = ["destructive"]\ntools = ["*_robot"]\n'
    assert decide(text, "delete_robot").action is Action.DENY
    assert decide(text, "new_robot").action is Action.ALLOW
    assert decide(text, "delete_robot_part").action is Action.CONFIRM


def test_defaults_make_a_white_list() -> None:
    text = '[defaults]\nwrite = "deny"\ndestructive = "deny"\n[[rules]]\naction = "allow"\ntools = ["new_robot"]\n'
    assert decide(text, "new_robot").action is Action.ALLOW
    assert decide(text, "new_robot_part").action is Action.DENY
    assert decide(text, "delete_robot").action is Action.DENY
    assert decide(text, "get_robot").action is Action.ALLOW


@pytest.mark.parametrize(
    ("pattern", "arguments", "matches"),
    [
        ('robot_id = "4a8f*"', {"robot_id": "4a8f0000"}, True),
        ('robot_id = "4a8f*"', {"robot_id": "4A8F0000"}, True),
        ('robot_id = ["x", "4a?f*"]', {"robot_id": "4a8f0000"}, True),
        ('robot_id = "4a8f*"', {"robot_id": "5a8f0000"}, False),
        ('robot_id = "*"', {}, False),
        ('robot_id = "*"', {"robot_id": None}, False),
    ],
)
def test_arguments_match_by_pattern(pattern: str, arguments: dict[str, Any], matches: bool) -> None:
    text = f'[[rules]]\naction = "deny"\ntools = ["delete_robot"]\narguments = {{ {pattern} }}\n'
    assert (decide(text, "delete_robot", **arguments).action is Action.DENY) == matches


def test_a_deny_rule_matches_if_one_of_several_values_does_and_an_allow_rule_only_if_all_do() -> None:
    operator, owner = ({"role": role, "resource_type": "robot", "resource_id": "x"} for role in ("operator", "owner"))
    deny = '[[rules]]\naction = "deny"\ntools = ["create_key"]\narguments = { "authorizations.role" = "owner" }\n'
    allow = '[[rules]]\naction = "allow"\ntools = ["create_key"]\narguments = { "authorizations.role" = "operator" }\n'
    assert decide(deny, "create_key", authorizations=[operator, owner]).action is Action.DENY
    assert decide(deny, "create_key", authorizations=[operator]).action is Action.CONFIRM
    assert decide(allow, "create_key", authorizations=[operator]).action is Action.ALLOW
    assert decide(allow, "create_key", authorizations=[operator, owner]).action is Action.CONFIRM
    assert decide(allow, "create_key", authorizations=[]).action is Action.CONFIRM


def test_an_allow_rule_matches_exactly_and_not_in_another_case() -> None:
    text = '[[rules]]\naction = "allow"\ntools = ["update_robot"]\narguments = { name = "spare-*" }\n'
    assert decide(text, "update_robot", name="spare-1").action is Action.ALLOW
    assert decide(text, "update_robot", name="SPARE-1").action is Action.CONFIRM


def test_a_rule_about_a_configuration_cannot_be_dodged_by_sending_it_as_text() -> None:
    text = """
[[rules]]
action = "deny"
tools = ["update_robot_part"]
arguments = { "robot_config.modules.type" = "local" }
"""
    config = {"modules": [{"type": "registry"}, {"type": "local"}]}
    assert decide(text, "update_robot_part", robot_config=config).action is Action.DENY
    as_text = '{"modules": [{"type": "local"}]}'
    assert decide(text, "update_robot_part", robot_config={}, robot_config_json=as_text).action is Action.DENY
    assert decide(text, "update_robot_part", robot_config_json="{").action is Action.DENY  # nothing can be told of it


def test_of_several_ways_to_give_a_credential_the_most_careful_holds() -> None:
    rules = [Rule(str(number), secrets=way, tools=("list_keys",)) for number, way in enumerate(Secrets)]
    assert decide(Policy(rules), "list_keys").secrets is Secrets.REDACT
    assert decide(Policy(rules[1:]), "list_keys").secrets is Secrets.FILE
    assert decide(Policy(rules[2:]), "list_keys").secrets is Secrets.REVEAL


def test_a_rule_about_credentials_alone_leaves_the_action() -> None:
    decision = decide('[[rules]]\nsecrets = "redact"\ntools = ["*"]\n', "create_location_secret")
    assert (decision.action, decision.secrets) == (Action.ALLOW, Secrets.REDACT)


def test_a_typed_name_is_asked_where_any_rule_that_matches_says_so() -> None:
    text = '[[rules]]\nconfirm = "type-name"\ntools = ["delete_*"]\n'
    assert decide(text, "delete_robot").type_name
    assert not decide(text, "update_robot").type_name


WRITES = {"robot_part_id": "x", "dest": "a.json"}


def test_an_answer_that_is_written_to_a_file_is_no_read() -> None:
    for name in ("get_robot_part", "get_robot_part_logs"):
        assert decide(Policy(), name, robot_part_id="x").action is Action.ALLOW
        assert decide(Policy(), name, robot_part_id="x", overwrite=True).action is Action.ALLOW
        assert decide(Policy(), name, **WRITES).why == "by default, write calls are allowed"
        assert decide(Policy(), name, **WRITES, overwrite=True).action is Action.CONFIRM
        no_writes = '[defaults]\nwrite = "deny"\n'
        assert decide(no_writes, name, **WRITES).action is Action.DENY
        no_files = f'[[rules]]\naction = "deny"\ntools = ["{name}"]\neffects = ["write", "destructive"]\n'
        assert decide(no_files, name, **WRITES).action is Action.DENY
        assert decide(no_files, name, robot_part_id="x").action is Action.ALLOW
    assert decide(Policy(), "get_robot_part_logs", **WRITES, cursor="x", overwrite=True).action is Action.ALLOW


PUBLIC = '[[rules]]\naction = "deny"\ntools = ["update_*"]\narguments = {{ {} }}\n'


@pytest.mark.parametrize("condition", ['visibility = ["public", "public_unlisted"]', 'public = "true"'])
@pytest.mark.parametrize("tool", ["update_fragment", "update_module", "update_registry_item"])
def test_what_makes_something_public_is_found_by_either_name_of_it(tool: str, condition: str) -> None:
    fields, text = TOOLS[tool].model_fields, PUBLIC.format(condition)
    if "public" in fields:
        assert decide(text, tool, public=True).action is Action.DENY
        assert decide(text, tool, public=False).action is Action.CONFIRM
    if "visibility" in fields:
        assert decide(text, tool, visibility="public").action is Action.DENY
        assert decide(text, tool, visibility="public_unlisted").action is Action.DENY
        assert decide(text, tool, visibility="private").action is Action.CONFIRM
    if "public" in fields and "visibility" in fields:
        assert decide(text, tool, public=True, visibility="private").action is Action.DENY
        allow = text.replace("deny", "allow").replace("true", "false").replace('"public", "public_un', '"private", "un')
        assert decide(allow, tool, public=False, visibility="private").action is Action.ALLOW
        assert decide(allow, tool, public=True, visibility="private").action is Action.CONFIRM


@pytest.mark.parametrize("key", ["type", "Type", "TYPE"])
def test_a_rule_about_a_configuration_cannot_be_dodged_by_other_capitals(key: str) -> None:
    deny = """
[[rules]]
action = "deny"
tools = ["update_robot_part"]
arguments = { "robot_config.modules.type" = "local" }
"""
    config = {"Modules": [{key: "local"}]}
    assert decide(deny, "update_robot_part", robot_config=config).action is Action.DENY
    allow = deny.replace("deny", "allow").replace("local", "registry")
    good = {"modules": [{"type": "registry"}]}
    assert decide(allow, "update_robot_part", robot_config=good).action is Action.ALLOW
    both = {"modules": [{"type": "registry"}, {key: "local"}]}
    assert decide(allow, "update_robot_part", robot_config=both).action is Action.CONFIRM


def test_a_rule_about_the_text_of_a_configuration_is_one_about_the_configuration() -> None:
    text = '[[rules]]\naction = "deny"\ntools = ["update_robot_part"]\narguments = { robot_config_json = "*evil*" }\n'
    assert decide(text, "update_robot_part", robot_config={"a": "evil"}).action is Action.DENY
    assert decide(text, "update_robot_part", robot_config_json='{"a": "\\u0065vil"}').action is Action.DENY


ORG = "8a1f1ab0-3c86-4c0e-9d5c-2f6f0c4f1a11"
ITEM = f"{ORG}:rover"


@pytest.mark.parametrize(
    ("pattern", "item", "denied"),
    [
        ("acme:rover", ITEM, True),
        ("acme:*", ITEM, True),
        ("acme:ROVER", ITEM.upper(), True),
        ("acme:arm*", ITEM, False),
        ("acm*", ITEM, True),
        (ITEM, "acme:rover", True),
        (ITEM, "acme:arm", False),
        ("acme:*", "other:rover", False),
        (ITEM, ITEM.replace("8a1f", "0000"), False),
    ],
)
def test_a_rule_about_an_item_cannot_be_dodged_by_naming_its_owner_in_the_other_way(
    pattern: str, item: str, denied: bool
) -> None:
    deny = f'[[rules]]\naction = "deny"\ntools = ["*module*"]\narguments = {{ module_id = "{pattern}" }}\n'
    assert (decide(deny, "update_module", module_id=item).action is Action.DENY) == denied
    inside = deny.replace("module_id =", '"module_file_info.module_id" =')
    given = {"module_file_info": {"module_id": item}}
    assert (decide(inside, "upload_module_file", **given).action is Action.DENY) == denied
    if ":" in pattern and not item.startswith(pattern.rstrip("*")):
        allow = deny.replace("deny", "allow")
        assert decide(allow, "update_module", module_id=item).action is Action.CONFIRM


@pytest.mark.parametrize("given", [8080, 8080.0, "8080"])
@pytest.mark.parametrize("text", [None, '{"network": {"bind_port": 8080.0}}', '{"network": {"bind_port": 8.08e3}}'])
def test_a_rule_about_a_number_cannot_be_dodged_by_writing_it_otherwise(given: object, text: str | None) -> None:
    deny = """
[[rules]]
action = "deny"
tools = ["update_robot_part"]
arguments = { "robot_config.network.bind_port" = "8080" }
"""
    sent = {"robot_config": {"network": {"bind_port": given}}} if text is None else {"robot_config_json": text}
    assert decide(deny, "update_robot_part", **sent).action is Action.DENY


def test_a_pattern_for_the_text_of_a_configuration_may_be_one_for_the_text_as_it_is_sent() -> None:
    deny = """
[[rules]]
action = "deny"
tools = ["update_robot_part"]
arguments = { robot_config_json = '*"type": "local"*' }
"""
    assert decide(deny, "update_robot_part", robot_config_json='{"type": "local"}').action is Action.DENY


def test_an_invite_that_names_no_role_is_one_for_an_owner_of_everything() -> None:
    deny = """
[[rules]]
action = "deny"
tools = ["create_organization_invite"]
arguments = { "authorizations.role" = "owner" }
"""
    invite = TOOLS["create_organization_invite"]
    operator = {"role": "operator", "resource_type": "location", "resource_id": "abcdefghij"}
    for given, action in ((None, Action.DENY), ([], Action.DENY), ([operator], Action.CONFIRM)):
        call = invite.model_validate({"org_id": ORG, "email": "a@b.example", "authorizations": given})
        assert decide(deny, "create_organization_invite", **call.meant()).action is action


def test_an_id_in_capitals_is_the_same_id() -> None:
    allow = f'[[rules]]\naction = "allow"\ntools = ["delete_robot"]\narguments = {{ robot_id = "{ORG.upper()}" }}\n'
    assert decide(allow, "delete_robot", robot_id=ORG).action is Action.ALLOW


@pytest.mark.parametrize(
    ("rules", "typed"),
    [
        ('[[rules]]\naction = "confirm"\ntools = ["delete_robot"]\n', False),
        ('[[rules]]\nconfirm = "type-name"\ntools = ["delete_robot"]\n', True),
        (
            (
                '[[rules]]\naction = "confirm"\ntools = ["delete_*"]\n'
                '[[rules]]\nconfirm = "type-name"\ntools = ["delete_robot"]\n'
            ),
            True,
        ),
        (
            (
                '[[rules]]\naction = "deny"\ntools = ["delete_*"]\n'
                '[[rules]]\nconfirm = "type-name"\ntools = ["delete_robot"]\n'
            ),
            False,
        ),
    ],
    ids=["confirm", "type-name", "both", "denied"],
)
def test_a_name_is_typed_only_where_a_rule_that_holds_asks_for_it_and_a_person_is_asked(
    rules: str, typed: bool
) -> None:
    assert decide(rules, "delete_robot").type_name is typed


def test_giving_a_credential_is_confirmed_by_default_and_the_question_says_why() -> None:
    decision = decide('[secrets]\nread = "reveal"\n', "list_keys")
    assert decision == Decision(Action.CONFIRM, Secrets.REVEAL, "by default, giving a credential is confirmed")


def test_a_call_that_does_more_than_its_tool_gives_a_credential_as_the_stricter_of_both_effects_says() -> None:
    for stricter, laxer in (("read", "write"), ("write", "read")):
        rules = "".join(
            f'[[rules]]\nsecrets = "{"redact" if effect == stricter else "reveal"}"\ntools = ["get_robot_part"]\n'
            f'effects = ["{effect}"]\n'
            for effect in (stricter, laxer)
        )
        assert decide(rules, "get_robot_part", robot_part_id="x", dest="a").secrets is Secrets.REDACT


def test_a_decision_is_known_without_the_arguments_unless_a_rule_about_the_tool_depends_on_them() -> None:
    by_argument = '[[rules]]\naction = "deny"\ntools = ["get_robot"]\narguments = { robot_id = "4a8f*" }\n'
    policy = parse(by_argument, "p.toml")
    assert policy.settled(TOOLS["get_robot"].spec, Effect.READ) is None
    settled = policy.settled(TOOLS["get_location"].spec, Effect.READ)
    assert settled is not None
    assert settled.action is Action.ALLOW


def test_what_a_call_may_put_at_risk_is_what_the_rules_that_allow_it_name() -> None:
    allow = '[[rules]]\naction = "allow"\ntools = ["update_robot_part"]\n'
    assert decide(allow, "update_robot_part").risks == frozenset()
    assert decide(f'{allow}risks = ["empties"]\n{allow}', "update_robot_part").risks == {Risk.EMPTIES}
