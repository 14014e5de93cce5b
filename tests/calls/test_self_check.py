"""With debugging on, an answer that breaks its tool's promise is noticed."""

from __future__ import annotations

import logging

import pytest

from viam_mcp.calls._self_check import check
from viam_mcp.tools import TOOLS

SPEC = TOOLS["get_robot"].spec


@pytest.fixture
def debugging(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "viam_mcp.server")
    return caplog


def test_an_answer_that_breaks_its_schema_is_logged_without_its_contents(debugging: pytest.LogCaptureFixture) -> None:
    check(SPEC, {"robot": {"name": 7}})
    assert debugging.messages == ["the answer of get_robot is not what its schema says, at $.robot.name"]


def test_an_answer_that_keeps_its_promise_is_not(debugging: pytest.LogCaptureFixture) -> None:
    check(SPEC, {"robot": {"name": "picker-01"}})
    assert not debugging.messages


def test_nothing_is_checked_without_debugging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "viam_mcp.server")
    check(SPEC, {"robot": {"name": 7}})
    assert not caplog.messages
