"""What the command is told, by flags and by variables."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from viam_mcp.assembly.options import OPTIONS, Option, SettingsError, add_options, names
from viam_mcp.assembly.settings import read_settings

ROOT = Path(__file__).parents[2]

ALL = [option for group in OPTIONS.values() for option in group]
LISTS = [option for option in ALL if option.parse is names]
VALUES = [option for option in ALL if option.parse is not None]


def by_name(options: list[Option]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("option", options, ids=lambda option: option.name)


def refused(option: Option, text: str, reason: str) -> None:
    """The flag and the variable are refused alike, each by its name."""
    for source, flags, environment in (
        (option.flag, {option.name: text}, {}),
        (option.variable, {}, {option.variable: text}),
    ):
        with pytest.raises(SettingsError, match=rf"^{source}\b.*{re.escape(reason)}"):
            read_settings(flags, environment)


def test_the_lists_are_those_that_decide_who_and_what_is_let_in() -> None:
    assert {option.flag for option in LISTS} == {
        "--toolsets",
        "--tools",
        "--exclude-tools",
        "--allowed-hosts",
        "--allowed-origins",
        "--required-scopes",
    }


@by_name(LISTS)
@pytest.mark.parametrize("text", [",", " , ", ",,", "a,", ",a", "a,,b", "a, ,b"])
def test_a_list_with_a_name_missing_is_refused(option: Option, text: str) -> None:
    refused(option, text, f"expected names separated by commas, got {text!r}.")


@by_name(VALUES)
@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_a_value_that_is_empty_is_refused(option: Option, text: str) -> None:
    refused(option, text, "is empty: give")


@by_name(LISTS)
def test_a_list_names_what_stands_between_its_commas(option: Option) -> None:
    for text, found in (("a", ("a",)), ("a,b", ("a", "b")), (" a ,\n b ", ("a", "b"))):
        assert getattr(read_settings({option.name: text}, {}), option.name) == found
        assert getattr(read_settings({}, {option.variable: text}), option.name) == found


def test_a_flag_counts_more_than_its_variable() -> None:
    settings = read_settings({"toolsets": "machines"}, {"VIAM_MCP_TOOLSETS": ",", "VIAM_MCP_POLICY": "a.toml"})
    assert (settings.toolsets, settings.policy) == (("machines",), Path("a.toml"))


def served(words: list[str]) -> argparse.Namespace:
    """What these words of a command line give to `viam-mcp serve`; ends the test if it does not take them."""
    parser = argparse.ArgumentParser()
    add_options(parser, *OPTIONS)
    assert words[0] == "serve"
    return parser.parse_args(words[1:])


def test_the_systemd_unit_serves_the_tokens_that_its_own_user_makes() -> None:
    unit = (ROOT / "deploy" / "viam-mcp.service").read_text()
    said = dict(line.split("=", 1) for line in unit.splitlines() if re.match(r"[A-Za-z]+=", line))
    command, *words = shlex.split(said["ExecStart"].replace("%S", "/var/lib"))
    file = f"/var/lib/{said['StateDirectory']}/tokens.toml"
    assert read_settings(vars(served(words)), {}).auth == ("tokens", Path(file))
    assert f"runuser -u {said['User']} -- {command} token new NAME --file {file}\n" in unit
    assert f"runuser -u {said['User']} -- {command} token new alice --file {file}\n" in deploying()
    # The user of the service exists before the service does.
    assert f"useradd --system --no-create-home --home-dir {Path(file).parent} " in unit
    assert "DynamicUser" not in said


def test_the_composed_container_gives_what_the_command_takes() -> None:
    lines = re.findall(r"^      - (\S+)", (ROOT / "compose.yaml").read_text(), re.MULTILINE)
    words = lines[: next(number for number, word in enumerate(lines) if not word.startswith(("serve", "--")))]
    hosts = next(word for word in words if word.startswith("--allowed-hosts="))
    words[words.index(hosts)] = "--allowed-hosts=fleet.example.com"
    settings = read_settings(vars(served(words)), {})
    assert (settings.transport, settings.host, settings.auth.kind) == ("http", "0.0.0.0", "tokens")


def deploying() -> str:
    return (ROOT / "docs" / "deploy.md").read_text()
