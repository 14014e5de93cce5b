"""Every command can be asked where it failed."""

from __future__ import annotations

import pytest

from tests.e2e.processes import ended
from viam_mcp.cli import COMMANDS

CHECK = ("policy", "check", "/nowhere/policy.toml")
FAILING = [
    CHECK,
    ("audit", "verify", "--store", "ftp://nowhere"),
    ("token", "new", "me", "--file", "/dev/null/tokens.toml"),
    ("sandbox", "--state", "/nowhere/fleet.sqlite"),
    ("tools", "--tools", "nonsense"),
]


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_takes_the_flag(env: dict[str, str], command: str) -> None:
    end = await ended(command, "--debug", "--help", env=env)
    assert end.code == 0
    assert "--debug" in end.stdout


@pytest.mark.parametrize("words", FAILING, ids=lambda words: words[0])
async def test_the_flag_shows_where_a_command_failed(env: dict[str, str], words: tuple[str, ...]) -> None:
    plain = await ended(*words, env=env, fresh=True)
    assert plain.code == 1
    assert plain.stderr.count("\n") == 1
    for place in (1, len(words)):
        debugged = await ended(*words[:place], "--debug", *words[place:], env=env)
        assert debugged.code == 1
        assert "Traceback" in debugged.stderr
        assert debugged.stderr.endswith(plain.stderr)


@pytest.mark.parametrize(("value", "shown"), [("true", True), ("1", True), ("false", False), ("0", False), ("", False)])
async def test_the_variable_is_read_like_every_other_switch(env: dict[str, str], value: str, shown: bool) -> None:
    end = await ended(*CHECK, env={**env, "VIAM_MCP_DEBUG": value})
    assert end.code == 1
    assert ("Traceback" in end.stderr) is shown


async def test_a_value_that_is_no_switch_is_named(env: dict[str, str]) -> None:
    end = await ended("policy", "init", env={**env, "VIAM_MCP_DEBUG": "maybe"})
    assert (end.code, end.stdout) == (1, "")
    assert end.stderr == "viam-mcp policy: VIAM_MCP_DEBUG: expected true or false, got 'maybe'.\n"
