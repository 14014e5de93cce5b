from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from viam_mcp.policy import STARTING_FILE, Action, ConfirmVia, PolicyError, Secrets, load, parse
from viam_mcp.policy.rules._lines import line_of
from viam_mcp.tools import TOOLS, Effect

if TYPE_CHECKING:
    from pathlib import Path

ORG = "8a1f1ab0-3c86-4c0e-9d5c-2f6f0c4f1a11"


def problem(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        parse(text, "p.toml")
    return str(caught.value)


def test_everything_that_a_file_can_say_is_read() -> None:
    policy = parse(
        f"""
confirm_via = "elicit"
confirm_seconds = 30
[defaults]
write = "confirm"
[secrets]
read = "file"
mint = "reveal"
[scope]
organizations = ["{ORG.upper()}"]
locations = ["abcdefghij"]
[budget]
destructive_per_hour = 3
[[rules]]
confirm = "type-name"
secrets = "file"
tools = ["delete_robot", "*_robot"]
toolsets = ["machines", "keys"]
effects = ["destructive"]
reason = "so"
[rules.arguments]
robot_id = ["a*", "b*"]
""",
        "p.toml",
    )
    (rule,) = policy.rules
    assert (rule.where, rule.action, rule.type_name, rule.secrets) == ("p.toml:14", Action.CONFIRM, True, Secrets.FILE)
    assert rule.arguments == {"robot_id": ("a*", "b*")}
    assert (rule.toolsets, rule.effects, rule.reason) == (("machines", "keys"), (Effect.DESTRUCTIVE,), "so")
    assert policy.defaults[Effect.WRITE] is Action.CONFIRM
    assert policy.defaults[Effect.DESTRUCTIVE] is Action.CONFIRM
    assert (policy.secrets_read, policy.secrets_mint) == (Secrets.FILE, Secrets.REVEAL)
    assert policy.scope.organizations == {ORG}
    assert policy.scope.locations == {"abcdefghij"}
    assert (policy.destructive_per_hour, policy.confirm_via, policy.confirm_seconds) == (3, ConfirmVia.ELICIT, 30)


@pytest.mark.parametrize(
    "rule",
    [
        "tools = ['update_*', 'delete_*']\ntoolsets = ['modules']",
        "tools = ['get_*', 'delete_*']\neffects = ['destructive']\n[rules.arguments]\nrobot_part_id = 'x'",
        "tools = ['update_module']\n[rules.arguments]\nvisibility = 'public'",
        "toolsets = ['machines']\n[rules.arguments]\nrobot_id = 'x'",
        "effects = ['destructive']",
        "[rules.arguments]\nrobot_config_json = '*x*'",
    ],
)
def test_a_rule_that_some_call_can_meet_is_understood(rule: str) -> None:
    parse(f"[[rules]]\naction = 'deny'\n{rule}\n", "p.toml")


@pytest.mark.parametrize(
    ("tool", "path"),
    [
        ("create_key", "authorizations.role"),
        ("update_robot_part", "robot_config.modules.type"),
        ("create_fragment", "config.anything.at.all"),
        ("update_organization", "default_fragments.fragment_id"),
        ("update_organization", "default_fragments.fragment_variables.speed"),
        ("upload_module_file", "module_file_info.module_id"),
        ("*", "authorizations.role"),
    ],
)
def test_a_path_into_an_argument_is_understood(tool: str, path: str) -> None:
    parse(f"[[rules]]\naction = 'deny'\ntools = ['{tool}']\n[rules.arguments]\n'{path}' = 'x'\n", "p.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'confirm_vai = "token"',
            "p.toml:1: confirm_vai: this is not a key that is known. Did you mean 'confirm_via'?",
        ),
        ('\nconfirm_via = "ask"', "p.toml:2: confirm_via: input should be 'elicit', 'token' or 'deny', got 'ask'"),
        ("confirm_seconds = 0", "p.toml:1: confirm_seconds: input should be greater than or equal to 5, got '0'"),
        ("[scope]\n\nlocations = ['Hall 3']", "p.toml:3: scope.locations[1]: string should match"),
        ("[scoop]\nlocations = []", "p.toml:1: scoop: this is not a key that is known. Did you mean 'scope'?"),
        ("[budget]\ndestructive_per_hour = -1", "p.toml:2: budget.destructive_per_hour: input should be greater"),
        ("[budget]\ndestructive_per_hour = true", "p.toml:2: budget.destructive_per_hour: input should be a valid int"),
        ("[defaults]\nread = 'maybe'", "p.toml:2: defaults.read: input should be 'allow', 'confirm' or 'deny'"),
        ("[[rules]]\naction = 'deny'", "p.toml:1: rules[1]: this rule does not say which calls it is for"),
        ("[[rules]]\ntools = ['*']", "p.toml:1: rules[1]: this rule says nothing"),
        (
            "[[rules]]\naction = 'deny'\ntools = ['delete_robt']",
            "p.toml:3: rules[1].tools: no tool is named 'delete_robt'. Did you mean 'delete_robot'?",
        ),
        (
            "[[rules]]\naction = 'deny'\ntools = ['*']\n\n[[rules]]\naction = 'deny'\ntoolsets = ['machine']",
            "p.toml:7: rules[2].toolsets: there is no toolset 'machine'. Did you mean 'machines'?",
        ),
        ("[[rules]]\naction = 'deny'\neffects = ['delete']", "p.toml:3: rules[1].effects[1]: input should be 'read'"),
        (
            "[[rules]]\naction = 'deny'\ntools = ['delete_robot']\n[rules.arguments]\nrobot = 'x'",
            "p.toml:4: rules[1].arguments: no tool of this rule has an argument 'robot'. Did you mean 'robot_id'?",
        ),
        (
            "[[rules]]\naction='deny'\ntools=['add_role','create_key']\narguments={role='a','authorizations.role'='b'}",
            "p.toml:4: rules[1].arguments: no tool that 'add_role' stands for has role and authorizations.role",
        ),
        (
            "[[rules]]\naction = 'deny'\ntools = ['add_role', 'change_role']\narguments = { role = 'owner' }",
            "p.toml:4: rules[1].arguments: no tool that 'change_role' stands for has role, so the rule says nothing",
        ),
        (
            "[[rules]]\naction = 'deny'\ntools = ['create_key']\narguments = { 'authorizations.roll' = 'owner' }",
            "p.toml:4: rules[1].arguments: no tool of this rule has in 'authorizations' something called 'roll'. Did",
        ),
        (
            "[[rules]]\naction = 'deny'\ntools = ['delete_robot']\narguments = { 'robot_id.x' = 'owner' }",
            "p.toml:4: rules[1].arguments: no tool of this rule has in 'robot_id' something called 'x'. Nothing is",
        ),
        (
            "[[rules]]\naction = 'deny'\ntools = ['delete_robot']\narguments = { robot_id = 5 }",
            "p.toml:4: rules[1].arguments.robot_id: input should be a valid string, got '5'",
        ),
        (
            "[[rules]]\naction = 'deny'\ntools = ['delete_robot']\narguments = { robot_id = [] }",
            "p.toml:4: rules[1].arguments: robot_id has no pattern",
        ),
        (
            "[[rules]]\naction = 'allow'\nconfirm = 'type-name'\ntools = ['*']",
            'p.toml:3: rules[1].confirm: goes with action = "confirm"',
        ),
        (
            "[[rules]]\naction = 'deny'\ntools = ['list_*']\neffects = ['destructive']",
            "p.toml:1: rules[1]: no tool meets its tools, toolsets and effects at once",
        ),
        ("[[rules]]\naction = 'deny'\ntool = ['*']", "p.toml:3: rules[1].tool: this is not a key that is known."),
        ("rules = [1]", "p.toml:1: rules[1]: input should be a valid dictionary"),
        ("\nx = \n", "p.toml:2: this is not TOML: Invalid value (at line 2, column 5)."),
        ("\nx = [", "p.toml:2: this is not TOML: "),
        ("a = " + "[" * 5000, "p.toml: it is nested too deep."),
    ],
)
def test_what_is_not_understood_is_named_with_its_line_and_reason(text: str, expected: str) -> None:
    assert problem(text).startswith(expected)


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    lines = problem("x = 1\n[scope]\ny = 2\nlocations = 3\n").splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "3", "4"]


def test_a_file_that_is_missing_a_folder_empty_huge_or_not_text_stops_with_a_reason(tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(PolicyError) as caught:
            load(path)
        return str(caught.value).removeprefix(str(path))

    file = tmp_path / "policy.toml"
    assert refused(file) == " cannot be read: No such file or directory."
    assert refused(tmp_path) == " is a folder: name a file."
    assert refused(type(file)("/dev/zero")) == " is not a regular file: name a file."
    file.write_text(" \n")
    assert refused(file).startswith(" is empty.")
    file.write_text("#" * 1_048_577)
    assert refused(file).startswith(" is larger than 1,048,576 bytes")
    file.write_bytes(b'# fine\nconfirm_via = "\xff"\n')
    assert refused(file) == ":2: this is not UTF-8 text."
    file.write_text("# nothing but a comment\n")
    assert load(file).rules == ()


def test_the_starting_file_is_the_default_policy_and_its_examples_are_understood() -> None:
    policy, default = parse(STARTING_FILE, "init"), parse("", "empty")
    for tool in TOOLS.values():
        for effect in tool.effects():
            assert policy.decide(tool.spec, {}, effect) == default.decide(tool.spec, {}, effect)
    assert policy.confirm_seconds == default.confirm_seconds
    head, _, examples = STARTING_FILE.partition("# [scope]")
    lines = ("# [scope]" + examples).splitlines()
    settings = [line[2:] if line.startswith("# ") and ("=" in line or line[2] == "[") else line for line in lines]
    uncommented = parse(head + "\n".join(settings), "init")
    assert len(uncommented.rules) == 5
    owner = {"authorizations": [{"role": "owner"}]}
    for name, arguments in (
        ("add_role", {"role": "owner"}),
        ("create_key", owner),
        ("create_organization_invite", owner),
    ):
        spec = TOOLS[name].spec
        assert uncommented.decide(spec, arguments, spec.effect).action is Action.DENY
    assert uncommented.scope
    assert uncommented.destructive_per_hour == 20


TEXT = """\
a = 1
[scope]
locations = [
  "x",
]
# [[rules]]
[[rules]]  # first
tools = ["a"]
"quoted.key" = 1
[[rules]]
arguments = { x = "y" }
[rules.arguments]
z.w = 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 1),
        (("scope",), 2),
        (("scope", "locations"), 3),
        (("scope", "locations", 0), 3),
        (("rules", 0), 7),
        (("rules", 0, "tools", 1), 8),
        (("rules", 0, "quoted.key"), 9),
        (("rules", 1), 10),
        (("rules", 1, "arguments"), 11),
        (("rules", 1, "arguments", "z"), 13),
        (("rules", 0, "missing"), 7),
        (("missing",), 1),
        ((), 1),
    ],
)
def test_the_line_of_a_value_is_found_in_the_text(path: tuple[int | str, ...], line: int) -> None:
    assert line_of(TEXT, path) == line
