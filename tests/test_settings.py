"""What the command is told, by flags and by variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from viam_mcp.settings import OPTIONS, Option, SettingsError, names, read_settings

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
