"""`viam-mcp policy` and `viam-mcp audit`."""

from __future__ import annotations

import argparse
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from viam_mcp.assembly.options import SettingsError
from viam_mcp.cli import _audit, _policy
from viam_mcp.policy import STARTING_FILE, Outcome, PolicyError, load
from viam_mcp.store import SqliteAddress, StateKeys, Store, StoreError, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULES = {"policy": _policy, "audit": _audit}
READY = sorted((Path(__file__).parents[2] / "policies").glob("*.toml"))


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(
        'confirm_via = "elicit"\n[scope]\nlocations = ["abcdefghij"]\n[budget]\ndestructive_per_hour = 4\n'
        '[[rules]]\naction = "deny"\ntools = ["delete_robot"]\narguments = { robot_id = "4a8f*" }\n'
        'reason = "Ines said so"\n'
        '[[rules]]\nconfirm = "type-name"\ntools = ["delete_*"]\n'
    )
    return path


def main(command: str, *words: str) -> int:
    """Run a command without what only a process of its own should do."""
    parser = argparse.ArgumentParser()
    MODULES[command].configure(parser)
    return int(MODULES[command].run(parser.parse_args(words)))


def problem(*words: str) -> str:
    """What a command that fails says."""
    with pytest.raises(PolicyError) as caught:
        main(*words)
    return str(caught.value)


def test_init_prints_the_file_to_start_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("policy", "init") == 0
    assert capsys.readouterr().out == STARTING_FILE


def test_check_says_what_a_policy_comes_to(capsys: pytest.CaptureFixture[str], policy: Path) -> None:
    assert main("policy", "check", str(policy)) == 0
    out = capsys.readouterr().out
    assert f"{policy} is understood: 2 rules." in out
    assert "depends on the arguments: delete_robot, get_robot_part, get_robot_part_logs" in out
    assert "limited to abcdefghij" in out
    assert "At most 4 destructive calls" in out


def test_check_names_file_line_and_reason(policy: Path) -> None:
    policy.write_text('\n[scope]\nplaces = ["x"]\n')
    assert problem("policy", "check", str(policy)).startswith(f"{policy}:3: scope.places: this is not a key")


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_the_ready_policies_are_understood(path: Path) -> None:
    load(path)


def test_there_are_three_ready_policies() -> None:
    assert [path.stem for path in READY] == ["observer", "operator", "unattended"]


UUID = "0000-0000-4000-8000-000000000000"


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main("policy", "explain", *words) == 0
    return capsys.readouterr().out


def test_explain_names_the_rule_that_decides_and_why(capsys: pytest.CaptureFixture[str], policy: Path) -> None:
    out = explained(capsys, "delete_robot", f'{{"robot_id": "4A8F{UUID}"}}', "--policy", str(policy))
    assert out.startswith(f"delete_robot: deny, since the rule at {policy}:6 says deny: Ines said so.\n")
    out = explained(capsys, "delete_robot", f'{{"robot_id": "5a8f{UUID}"}}', "--policy", str(policy))
    assert out.startswith(
        f"delete_robot: confirm, since the rule at {policy}:11 says confirm.\nThe person types the name"
    )
    out = explained(capsys, "delete_robot", "--policy", str(policy))
    assert f"The rule at {policy}:6 may decide otherwise, by arguments: robot_id 4a8f*." in out


def test_explain_shows_the_normal_form_that_rules_are_held_against(capsys: pytest.CaptureFixture[str]) -> None:
    sent = {"robot_config_json": '{"services": [{"type": "Shell\\u200b"}], "fragments": ["abc"]}', "name": " x "}
    out = explained(capsys, "update_robot_part", json.dumps(sent))
    (line,) = (line for line in out.splitlines() if line.startswith("Rules see these arguments as "))
    seen, _ = json.JSONDecoder().raw_decode(line.removeprefix("Rules see these arguments as "))
    assert seen["name"] == "x"
    services = [{"type": "Shell", "api": "rdk:service:shell", "namespace": "rdk"}]
    assert seen["robot_config"] == {"services": services, "fragments": [{"id": "abc"}]}
    assert "Rules see" not in explained(capsys, "update_robot_part")


def test_explain_without_a_policy_explains_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(capsys, "get_robot").startswith("get_robot: allow, since by default, read calls are allowed.\n")
    assert "A credential in its answer: file." in explained(capsys, "create_location_secret")


@pytest.mark.parametrize(
    ("tool", "arguments", "condition"),
    [
        ("create_organization_invite", '{"email": "a@b.example"}', '"authorizations.role" = "owner"'),
        ("create_organization_invite", '{"email": "a@b.example"}', 'send_email_invite = "true"'),
        ("update_module", '{"module_id": "acme:rover"}', 'public = "false"'),
        ("delete_robot", f'{{"robot_id": "4A8F{UUID}"}}', f'robot_id = "4A8F{UUID}"'),
    ],
)
def test_explain_sees_a_call_as_the_gate_does(
    capsys: pytest.CaptureFixture[str], policy: Path, tool: str, arguments: str, condition: str
) -> None:
    for action in ("deny", "allow"):
        policy.write_text(f'[[rules]]\naction = "{action}"\ntools = ["{tool}"]\narguments = {{ {condition} }}\n')
        assert explained(capsys, tool, arguments, "--policy", str(policy)).startswith(
            f"{tool}: {action}, since the rule"
        )


def test_explain_names_rules_about_arguments_that_were_not_given(
    capsys: pytest.CaptureFixture[str], policy: Path
) -> None:
    out = explained(capsys, "update_robot", '{"name": "x"}', "--policy", str(policy))
    assert "may decide otherwise" not in out
    policy.write_text('[[rules]]\naction = "deny"\ntools = ["new_robot"]\narguments = { location_id = "abcdefghij" }\n')
    out = explained(capsys, "new_robot", '{"name": "x"}', "--policy", str(policy))
    assert f"The rule at {policy}:1 may decide otherwise, by arguments: location_id abcdefghij." in out


def test_explain_tells_what_takes_a_name_whatever_the_rules_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert "types the name of what is touched." in explained(capsys, "delete_organization")
    assert "types the name of what is touched, if machines go with it." in explained(capsys, "delete_location")
    assert "types the name" not in explained(capsys, "delete_robot")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["delete_robt"], "there is no tool 'delete_robt'"),
        (["confirm_operation"], "is decided as the call that it confirms"),
        (["get_robot", "{"], "not JSON"),
        (["get_robot", "[]"], "not a JSON object"),
        (["get_robot", '{"robot": 1}'], "robot is not an argument of it: did you mean robot_id?"),
        (["get_robot", '{"robot_id": "rover-1"}'], "robot_id: expected a UUID"),
    ],
)
def test_explain_says_what_is_wrong_with_its_words(words: list[str], said: str) -> None:
    assert said in problem("policy", "explain", *words)


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Adds lines to the default audit, which has one of three days ago and one of now."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("VIAM_MCP_STORE", raising=False)
    monkeypatch.delenv("VIAM_MCP_STATE_KEYS", raising=False)
    ago = [timedelta(days=3)]
    address = SqliteAddress(tmp_path / "viam-mcp" / "state.db", own_folder=True)
    store = Store(address, StateKeys({}, address.key_file), clock=lambda: (datetime.now(UTC) - ago[0]).timestamp())

    def write(**entry: Any) -> None:
        store.write(lambda tx: tx.audit.append(entry))

    write(caller="local", tool="delete_robot", arguments={"name": "a\x1b[2Jb"}, outcome="declined")
    ago[0] = timedelta()
    write(caller="local", tool="new_robot", arguments={}, outcome="done", duration_ms=1.5)
    yield write
    store.close()


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main("audit", "show", *words) == 0
    return capsys.readouterr().out.splitlines()


def test_show_prints_the_lines_that_are_wanted_newest_first(capsys: pytest.CaptureFixture[str], audit: Any) -> None:
    new, old = shown(capsys)
    assert "declined      delete_robot" in old
    assert "\x1b" not in old
    assert "done          new_robot  {}  caller=local  duration_ms=1.5" in new
    assert shown(capsys, "--since", "2d") == [new]
    assert shown(capsys, "--until", "2d") == [old]
    assert shown(capsys, "--since", (datetime.now(UTC) - timedelta(days=1)).isoformat()) == [new]
    assert shown(capsys, "--tool", "new_*") == [new]
    assert shown(capsys, "--outcome", "declined") == [old]
    assert shown(capsys, "--caller", "local") == [new, old]
    assert shown(capsys, "--caller", "nobody") == []
    (line,) = shown(capsys, "--json", "--tool", "new_robot")
    assert json.loads(line)["duration_ms"] == 1.5


def test_show_finds_what_was_done_to_a_machine_and_for_an_operation(
    capsys: pytest.CaptureFixture[str], audit: Any
) -> None:
    audit(tool="new_robot", outcome="done", subjects=["m1", "m2"], operation="op-1")
    (line,) = shown(capsys, "--machine", "m2")
    assert shown(capsys, "--operation", "op-1") == [line]
    assert shown(capsys, "--machine", "m") == []


def test_show_goes_through_the_audit_a_page_at_a_time(capsys: pytest.CaptureFixture[str], audit: Any) -> None:
    everything = shown(capsys)
    first, more = shown(capsys, "--limit", "1")
    assert more == "There are older lines: --before 2"
    assert [first, *shown(capsys, "--limit", "1", "--before", "2")] == everything
    with pytest.raises(SystemExit):
        main("audit", "show", "--limit", "0")


def test_export_prints_all_lines_as_json_oldest_first(capsys: pytest.CaptureFixture[str], audit: Any) -> None:
    assert main("audit", "export") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["number"] for line in lines] == [1, 2]
    assert main("audit", "export", "--tool", "new_*") == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == lines[1:]


def test_show_says_what_was_decided(capsys: pytest.CaptureFixture[str], audit: Any) -> None:
    audit(tool="new_robot", decision="allow", rule="defaults.write", outcome="started")
    (line,) = shown(capsys, "--outcome", "started")
    assert line.endswith("new_robot  {}  decision=allow  rule=defaults.write")


@pytest.mark.parametrize("outcome", Outcome)
def test_show_takes_every_outcome_that_there_is(
    capsys: pytest.CaptureFixture[str], audit: Any, outcome: Outcome
) -> None:
    audit(tool="new_robot", outcome=outcome.value)
    assert len(shown(capsys, "--since", "1h", "--tool", "new_robot", "--outcome", outcome.value)) == 1 + (
        outcome is Outcome.DONE
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--outcome", "nosuch"), ["'nosuch'", *(outcome.value for outcome in Outcome)]),
        (("--tool", "nosuch_*"), ["there is no tool 'nosuch_*'", "delete_robot", "confirm_operation"]),
        (("--tool", ""), ["there is no tool ''"]),
    ],
)
def test_show_names_what_there_is_where_a_word_means_nothing(
    capsys: pytest.CaptureFixture[str], audit: Any, words: tuple[str, ...], said: list[str]
) -> None:
    with pytest.raises(SystemExit):
        main("audit", "show", *words)
    out, err = capsys.readouterr()
    assert out == ""
    assert all(word in err for word in said)


def test_the_audit_is_in_the_store_that_the_variable_names_and_an_empty_one_is_refused(
    capsys: pytest.CaptureFixture[str], audit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIAM_MCP_STORE", str(tmp_path / "other.db"))
    assert shown(capsys) == []
    monkeypatch.setenv("VIAM_MCP_STORE", str(tmp_path / "viam-mcp" / "state.db"))
    assert len(shown(capsys)) == 2
    monkeypatch.setenv("VIAM_MCP_STORE", "")
    with pytest.raises(SettingsError, match="VIAM_MCP_STORE is empty"):
        main("audit", "show")


def test_a_time_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], audit: Any) -> None:
    with pytest.raises(SystemExit):
        main("audit", "show", "--since", "yesterday")
    assert "expected a time such as 2h" in capsys.readouterr().err


def test_verify_tells_a_whole_audit_from_a_broken_one(
    capsys: pytest.CaptureFixture[str], audit: Any, tmp_path: Path
) -> None:
    assert main("audit", "verify") == 0
    assert "is whole: 2 lines" in capsys.readouterr().out
    with closing(sqlite3.connect(tmp_path / "viam-mcp" / "state.db")) as connection, connection:
        connection.execute("UPDATE audit SET outcome = 'done' WHERE number = 1")
    assert main("audit", "verify") == 1
    out = capsys.readouterr().out
    assert out.startswith("changed: line 1, or the line before it, was changed.\n")
    assert out.endswith("is NOT whole.\n")


def test_verify_compares_with_checkpoints_that_were_kept_elsewhere(
    capsys: pytest.CaptureFixture[str], audit: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "viam-mcp"
    store = open_store(None, checkpoints=str(tmp_path / "kept"))
    store.write(lambda tx: tx.audit.append({"outcome": "done"}))
    store.close()
    log = tmp_path / "server.log"
    log.write_text(f"viam-mcp serves\n{(tmp_path / 'kept').read_text()}")
    assert main("audit", "verify", "--checkpoint", str(log)) == 0
    assert "is whole: 3 lines, as 1 checkpoints say" in capsys.readouterr().out
    for file in folder.iterdir():
        file.unlink()
    assert main("audit", "verify") == 1
    assert f"There is no store in {folder / 'state.db'}" in capsys.readouterr().out
    assert not list(folder.iterdir())
    assert main("audit", "verify", "--checkpoint", str(log)) == 1
    assert capsys.readouterr().out.startswith("exchanged: ")


def test_verify_compares_with_the_checkpoints_that_a_server_keeps_beside_its_store(
    capsys: pytest.CaptureFixture[str], audit: Any, tmp_path: Path
) -> None:
    store = open_store(None)
    store.write(lambda tx: tx.audit.append({"outcome": "done"}))
    store.close()
    assert main("audit", "verify") == 0
    assert "as 1 checkpoints say" in capsys.readouterr().out
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (tmp_path / "viam-mcp" / name).unlink(missing_ok=True)
    assert main("audit", "verify") == 1
    assert "that of another store" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, '{"store":"x","lines":'])
def test_a_file_of_checkpoints_that_cannot_be_read_is_named(audit: Any, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "kept"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=f"--checkpoint: {file}"):
        main("audit", "verify", "--checkpoint", str(file))


def test_a_store_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"{tmp_path} cannot be used"):
        main("audit", "verify", "--store", str(tmp_path))
