"""`--credentials`: whose key the command uses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.processes import ended

CALL = ("call", "list_organizations", "--credentials", "viam-cli")


@pytest.fixture
def logged_in(fleet_env: dict[str, str]) -> dict[str, str]:
    """The environment of a user who has nothing but the login of Viam's command line, in a profile."""
    login = {
        "base_url": fleet_env["VIAM_MCP_APP_URL"],
        "auth": {"key_id": fleet_env["VIAM_API_KEY_ID"], "key_crypto": fleet_env["VIAM_API_KEY"]},
    }
    path = Path(fleet_env["HOME"]) / ".viam" / "work_cached_cli_config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(login))
    env = {name: value for name, value in fleet_env.items() if not name.startswith("VIAM_")}
    return {**env, "VIAM_CLI_PROFILE_NAME": "work"}


async def test_the_login_of_viams_command_line_reaches_the_app_that_it_is_for(logged_in: dict[str, str]) -> None:
    end = await ended(*CALL, env=logged_in)
    assert (end.code, end.stderr) == (0, "")
    assert "Tidewater Robotics" in end.stdout


async def test_a_login_is_not_sent_to_another_app(logged_in: dict[str, str]) -> None:
    end = await ended(*CALL, "--app-url", "http://127.0.0.1:1", env=logged_in)
    assert (end.code, end.stdout) == (1, "")
    assert "the login of Viam's command line is for http://127.0.0.1:" in end.stderr


async def test_without_a_login_it_says_so(env: dict[str, str]) -> None:
    end = await ended(*CALL, env=env)
    assert (end.code, end.stderr.count("\n")) == (1, 1)
    assert "nobody is logged in" in end.stderr
    assert "viam login" in end.stderr


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("serve", "--transport", "http", "--port", "0", "--credentials", "viam-cli"), "the login of one person"),
        (("serve", "--transport", "http", "--port", "0", "--credentials", "tokens"), "needs --auth tokens:FILE"),
        (("serve", "--credentials", "headers"), "is for callers over HTTP"),
        (("serve", "--credentials", "mine"), "expected env, viam-cli, tokens or headers, got 'mine'"),
    ],
)
async def test_credentials_that_do_not_fit_stop_the_start(
    logged_in: dict[str, str], flags: tuple[str, ...], reason: str
) -> None:
    end = await ended(*flags, env=logged_in)
    assert (end.code, end.stderr.count("\n")) == (1, 1)
    assert reason in end.stderr
