"""`viam-mcp doctor`: what is in order, what is not, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.processes import ended
from viam_mcp.app import APIKeyAuthorization, connect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Ended
    from viam_mcp.sandbox import Sandbox

IN_ORDER = "Everything is in order."


def findings(end: Ended) -> dict[str, str]:
    """What was found about each subject, the mark first; the last word under "". No subject may come with two marks."""
    *lines, last = end.stdout.splitlines()
    found = {"": last}
    for line in lines:
        mark, what = line[:4].strip(), line[5:]
        subject = what.partition(":")[0]
        assert found.get(subject, mark).startswith(mark), end.stdout
        found[subject] = f"{mark} {what.partition(': ')[2]}"
    return found


async def test_a_fleet_that_can_be_used_is_in_order(env: dict[str, str]) -> None:
    end = await ended("doctor", "--sandbox", "--read-only", env=env, fresh=True)
    assert (end.code, end.stderr) == (0, "")
    found = findings(end)
    assert found["tools"].endswith("chosen, read-only")
    assert found["fleet"] == "ok the embedded sandbox answers and takes the key"
    assert found["rights"].endswith("everything that was asked for")
    assert found[""] == IN_ORDER


async def test_a_policy_that_cannot_be_used_is_one_finding_among_the_others(
    env: dict[str, str], tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('confirm_via = "mail"\n')
    end = await ended("doctor", "--sandbox", "--policy", str(policy), env=env)
    assert (end.code, end.stderr) == (1, "")
    found = findings(end)
    assert found["policy"].startswith(f"FIX {policy}:1: confirm_via")
    assert found["rights"].startswith("ok ")
    assert found[""] == "1 to fix."


@pytest.mark.parametrize(
    ("words", "subject"),
    [
        (("--tools", "nonsense"), "tools"),
        (("--policy", "/nowhere.toml"), "policy"),
        (("--files-dir", "/nowhere"), "files"),
        (("--store", "/dev"), "store"),
        (("--store", "/dev/null/state.db"), "store"),
    ],
)
async def test_what_a_flag_names_and_is_not_there_is_found_once(
    env: dict[str, str], words: tuple[str, str], subject: str
) -> None:
    end = await ended("doctor", "--sandbox", *words, env=env)
    assert end.code == 1
    found = findings(end)
    assert found[subject].startswith("FIX ")
    assert words[1] in found[subject]
    assert found["rights"].startswith("ok ")
    assert found[""] == "1 to fix."


async def test_it_says_what_would_be_used_and_makes_none_of_it(env: dict[str, str], tmp_path: Path) -> None:
    found = findings(await ended("doctor", "--sandbox", env=env))
    state = tmp_path / "state" / "viam-mcp"
    assert found["policy"].startswith("ok the built-in one")
    assert found["files"].startswith("ok no folder")
    assert found["store"] == f"ok {state / 'state.db'} can be written, and is made when it is needed"
    assert found["state"] == f"ok {state} is made when it is needed, for its owner alone"
    assert found["state key"] == "ok in a file beside the store"
    assert not state.exists()


async def test_it_names_what_it_was_given(env: dict[str, str], tmp_path: Path) -> None:
    policy, store, state = tmp_path / "policy.toml", tmp_path / "mine.db", tmp_path / "state" / "viam-mcp"
    policy.write_text('[[rules]]\naction = "deny"\ntools = ["delete_robot"]\n')
    store.write_text("not read")
    state.mkdir(mode=0o700, parents=True)
    words = ("--policy", str(policy), "--store", str(store), "--files-dir", str(tmp_path))
    keys = {"VIAM_MCP_STATE_KEYS": f"{'a1' * 32},{'b2' * 32}"}
    end = await ended("doctor", "--sandbox", *words, env={**env, **keys})
    found = findings(end)
    assert found["policy"] == f"ok {policy}, 1 rule"
    assert found["files"] == f"ok {tmp_path}"
    assert found["store"] == f"ok {store} can be written"
    assert found["state"] == f"ok {state}, mode 0700"
    assert found["state key"] == "ok 2 keys from VIAM_MCP_STATE_KEYS"
    assert found[""] == IN_ORDER
    assert store.read_text() == "not read"
    assert "a1a1" not in end.stdout


async def test_a_state_folder_that_lets_others_in_is_found(env: dict[str, str], tmp_path: Path) -> None:
    state = tmp_path / "state" / "viam-mcp"
    state.mkdir(parents=True)
    state.chmod(0o770)
    found = findings(await ended("doctor", "--sandbox", env=env))
    assert found["state"] == f"FIX {state} has mode 0770, which lets others in: chmod 700 {state}"
    assert found[""] == "1 to fix."


async def test_state_keys_that_cannot_be_used_are_found(env: dict[str, str]) -> None:
    end = await ended("doctor", "--sandbox", env={**env, "VIAM_MCP_STATE_KEYS": "abcd"})
    assert findings(end)["state key"].startswith("FIX VIAM_MCP_STATE_KEYS: ")
    assert "abcd" not in end.stdout + end.stderr


async def test_without_credentials_it_names_every_way_to_some(env: dict[str, str]) -> None:
    end = await ended("doctor", env=env)
    assert (end.code, end.stderr) == (1, "")
    for way in ("VIAM_API_KEY_ID and VIAM_API_KEY", "viam-cli", "--sandbox"):
        assert way in end.stdout
    assert findings(end)[""] == "1 to fix."


async def test_half_a_key_is_found(env: dict[str, str]) -> None:
    end = await ended("doctor", env={**env, "VIAM_API_KEY": "a-key-that-nobody-may-see"})
    assert end.code == 1
    assert findings(end)["credentials"].startswith("FIX VIAM_API_KEY_ID is not set")
    assert "a-key-that-nobody-may-see" not in end.stdout + end.stderr


async def test_a_key_that_is_refused_is_found(fleet_env: dict[str, str]) -> None:
    end = await ended("doctor", env={**fleet_env, "VIAM_API_KEY": "a-key-that-nobody-may-see"})
    assert (end.code, end.stderr) == (1, "")
    assert "UNAUTHENTICATED" in findings(end)["fleet"]
    assert "a-key-that-nobody-may-see" not in end.stdout


@pytest.mark.parametrize(
    ("role", "kind", "rights"),
    [
        ("operator", "organization", "ok organization 'Kestrel Integration' ({org}): all but write_organization, "),
        (
            "owner",
            "location",
            "ok organization 'Kestrel Integration' ({org}): nothing on the whole of it, but something in 'Bench A'",
        ),
        (
            "operator",
            "robot",
            "ok organization 'Kestrel Integration' ({org}): nothing on the whole of it, but something in 'Bench A'",
        ),
        ("none", "organization", "FIX the key sees no organization"),
    ],
)
async def test_what_the_key_may_do_is_told_and_nothing_is_a_fault(
    env: dict[str, str], sandbox: Sandbox, role: Any, kind: Any, rights: str
) -> None:
    async with connect(sandbox.url, api_key_id=sandbox.api_key_id, api_key=sandbox.api_key) as app:
        organization = next(o for o in await app.list_organizations() if o.name == "Kestrel Integration")
        location = next(place for place in await app.list_locations(organization.id) if place.name == "Bench A")
        robot = (await app.list_robots(location.id))[0]
        about = {"organization": organization.id, "location": location.id, "robot": robot.id}[kind]
        right = APIKeyAuthorization(role="owner" if role == "none" else role, resource_type=kind, resource_id=about)
        key, key_id = await app.create_key(organization.id, [right], "limited")
        if role == "none":
            await app.remove_role(organization.id, key_id, "owner", kind, about)
    variables = {"VIAM_MCP_APP_URL": sandbox.url, "VIAM_API_KEY_ID": key_id, "VIAM_API_KEY": key}
    end = await ended("doctor", env={**env, **variables})
    found = findings(end)
    assert found["rights"].startswith(rights.format(org=organization.id))
    good = rights.startswith("ok")
    assert (end.code, found[""]) == ((0, IN_ORDER) if good else (1, "1 to fix."))
    assert key not in end.stdout + end.stderr
