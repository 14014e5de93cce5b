"""A configuration that was read with its credentials hidden can be sent back without losing them, or showing them."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pace import is_linear
from tests.tools.configs import SECRETS, configs, stored
from viam_mcp.tools import ToolError

if TYPE_CHECKING:
    from tests.fleet import Fleet
    from viam_mcp.sandbox import Sandbox

STORED: dict[str, Any] = {
    "cloud": {"secret": "s3cret"},
    "modules": [{"name": "a", "env": {"TOKEN": "ta"}}, {"name": "b"}],
    "args": ["--fast", "--token", "t-arg"],
    "headers": [{"name": "X-API-Key", "value": "t-header"}, {"name": "Accept", "value": "all"}],
    "auth": {"pin": 1234, "type": "x"},
    "text": '{"token": "t-json"}',
}
SHOWN: dict[str, Any] = {
    "cloud": {"secret": "[redacted]"},
    "modules": [{"name": "a", "env": {"TOKEN": "[redacted]"}}, {"name": "b"}],
    "args": ["--fast", "--token", "[redacted]"],
    "headers": [{"name": "X-API-Key", "value": "[redacted]"}, {"name": "Accept", "value": "all"}],
    "auth": {"pin": "[redacted]", "type": "x"},
    "text": '{"token": "[redacted]"}',
}


def whole(sent: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = stored(STORED).whole(sent, "config")
    return config


def test_what_was_hidden_comes_back() -> None:
    assert stored(STORED).shown == SHOWN
    assert whole(SHOWN) == STORED


def test_a_text_that_was_shortened_comes_back_whole() -> None:
    assert whole({"text": '{"token": … [13 more characters]'})["text"] == STORED["text"]


def test_items_of_a_list_are_known_by_their_names() -> None:
    modules = SHOWN["modules"][::-1]
    assert whole({"modules": modules})["modules"] == STORED["modules"][::-1]


def test_items_without_a_name_are_known_by_their_look() -> None:
    assert whole({"args": ["--slow", "--fast", "--token", "[redacted]"]})["args"][3] == "t-arg"


# Each with the credentials that come back in their places, or None where it is in doubt what belongs there.
TWINS = [{"name": "arm", "api": api, "token": api.upper()} for api in "xy"]
HOSTS = [{"host": host, "password": host.upper()} for host in "ab"]
ARGUMENTS = ["--token", "T", "-v", "--api-key", "K"]
HEADERS = ["-H", "Authorization: Bearer s3cr3t-one", "-H", "Authorization: Bearer s3cr3t-two"]
R, BEARER = "[redacted]", "Authorization: Bearer [redacted]"
EDITS: list[tuple[list[Any], list[Any], list[Any] | None]] = [
    (HOSTS, [{"host": "b", "password": R}, {"host": "a", "password": R, "port": 1}], None),
    (HOSTS, [{"host": "b", "password": "new"}, {"host": "a", "password": R, "port": 1}], None),
    (HOSTS, [{"host": "b", "password": R, "port": 1}, {"host": "a", "password": R, "port": 1}], None),
    (HOSTS, [{"host": "b", "password": R}, {"host": "c", "password": R}], None),
    (HOSTS, [{"host": "a", "password": R, "port": 1}, {"host": "b", "password": R, "port": 1}],
     [{**one, "port": 1} for one in HOSTS]),
    ([{"at": one} for one in HOSTS], [{"at": {"host": host, "password": R, "port": 1}} for host in "ba"], None),
    ([{"n": -1, "token": "A"}, {"n": -2, "token": "B"}], [{"n": -2, "token": R}, {"n": -1, "token": R}],
     [{"n": -2, "token": "B"}, {"n": -1, "token": "A"}]),
    ([{"n": 1, "token": "A"}, {"n": True, "token": "B"}], [{"n": True, "token": R}, {"n": 1, "token": R}],
     [{"n": True, "token": "B"}, {"n": 1, "token": "A"}]),
    ([{"n": 1, "token": "A"}], [{}, {"n": 1.0, "token": R}], [{}, {"n": 1.0, "token": "A"}]),
    (TWINS, [{**one, "token": R} for one in TWINS], TWINS),
    (TWINS, [{**TWINS[1], "token": R}, {**TWINS[0], "token": R}], TWINS[::-1]),
    (TWINS, [{**TWINS[0], "token": R, "note": 1}, {**TWINS[1], "token": R}], [{**TWINS[0], "note": 1}, TWINS[1]]),
    (TWINS, [{**TWINS[1], "token": R, "note": 1}, {**TWINS[0], "token": R, "note": 1}], None),
    (TWINS, [{**TWINS[1], "token": R}, {"name": "arm", "api": "z", "token": R}], None),
    ([{"name": "X-Api-Key", "value": one} for one in "AB"], [{"name": "X-Api-Key", "value": one} for one in ("C", R)],
     [{"name": "X-Api-Key", "value": one} for one in "CB"]),
    (ARGUMENTS, ["--api-key", R, "-v", "--token", R], ["--api-key", "K", "-v", "--token", "T"]),
    (ARGUMENTS, ["-x", "--token", R, "--api-key", R, "end"], ["-x", "--token", "T", "--api-key", "K", "end"]),
    (ARGUMENTS, ["--api-key", R], ["--api-key", "K"]),
    (ARGUMENTS, ["--secret", R, "-v", "--api-key", R], None),
    (ARGUMENTS, ["--token", R, "-v", "--token", R], ["--token", "T", "-v", "--token", "T"]),
    (["--token", "T", "--token", "K"], ["-v", "--token", R, "--token", R], ["-v", "--token", "T", "--token", "K"]),
    (["--token", "T", "--token", "K"], ["--token", R], None),
    (HEADERS, ["-H", "X: y", "-H", BEARER, "-H", BEARER], ["-H", "X: y", *HEADERS]),
    ([*HEADERS[:2], "one", *HEADERS[2:], "two"], ["-H", BEARER, "two", "-H", BEARER, "one"], None),
    (["rtsp://u:p@h/1", "rtsp://u:q@h/2"], [f"rtsp://{R}@h/2", f"rtsp://{R}@h/1"], ["rtsp://u:q@h/2", "rtsp://u:p@h/1"]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "sent", "after"), EDITS, ids=lambda items: json.dumps(items)[:60])
def test_a_credential_comes_back_to_what_it_belongs_to_or_not_at_all(
    before: list[Any], sent: list[Any], after: list[Any] | None
) -> None:
    if after is None:
        with pytest.raises(ToolError, match="nothing was done"):
            stored({"all": before}).whole({"all": sent}, "config")
    else:
        assert stored({"all": before}).whole({"all": sent}, "config") == {"all": after}


@given(st.data())
def test_no_password_comes_to_another_host_whatever_moves_and_changes(data: st.DataObject) -> None:
    hosts = data.draw(st.lists(st.sampled_from("abcd"), unique=True))
    before = stored({"all": [{"host": host, "password": host.upper(), "kind": 1} for host in hosts]})
    sent = data.draw(
        st.lists(st.fixed_dictionaries({"host": st.sampled_from("abcd")}, optional={"kind": st.integers(1, 2)}))
    )
    try:
        after = before.whole({"all": [{**item, "password": "[redacted]"} for item in sent]}, "config")
    except ToolError:
        return
    for item in after["all"]:
        assert item["host"] not in hosts or item["password"] == item["host"].upper()


@given(configs(st.sampled_from(SECRETS), plain=False))
def test_what_was_read_comes_back_whole(config: dict[str, Any]) -> None:
    before = stored(config)
    assert before.whole(before.shown, "config") == before.value


@pytest.mark.parametrize(
    "sent",
    [
        {"other": {"secret": "[redacted]"}},
        {"cloud": "[redacted]"},
        {"cloud": {"secret": "x [redacted]"}},
        {"cloud": {"secret": "[redacted 3]"}},
        {"modules": [{"name": "c", "env": {"TOKEN": "[redacted]"}}]},
        {"text": "begin… [1,234 more characters]"},
        {"text": '{"token": … [14 more characters]'},
        {"text": '{"secret" … [13 more characters]'},
        {"[redacted]": 1},
    ],
    ids=lambda sent: json.dumps(sent).replace("\\", ""),
)
def test_a_mark_that_stands_for_nothing_stored_is_refused(sent: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="nothing was done"):
        whole(sent)


@pytest.mark.parametrize(
    "sent",
    [
        {"args": ["--fast", "--verbose", "[redacted]"]},
        {"args": ["[redacted]"]},
        {"args": ["--token", "--fast", "[redacted]"]},
        {"args": ["--token=", "x", "[redacted]"]},
        {"headers": [{"name": "X-Colour", "value": "[redacted]"}, {"name": "Accept", "value": "all"}]},
        {"headers": [{"value": "[redacted]"}, {"name": "Accept", "value": "all"}]},
    ],
    ids=json.dumps,
)
def test_a_mark_that_would_not_hide_what_is_put_there_is_refused(sent: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="nothing was done"):
        whole(sent)


def test_a_key_that_looks_like_another_one_is_a_key_of_its_own() -> None:
    header = {"name": "X-API-Key", "na\u200bme": "X-Colour", "value": "[redacted]"}
    accept = {"name": "Accept", "value": "all"}
    assert whole({"headers": [header, accept]})["headers"] == [{**header, "value": "t-header"}, accept]


def test_a_header_that_goes_by_no_name_keeps_its_credential_only_if_it_stays_one() -> None:
    header = stored({"attributes": {"header": {"name": "X-API-Key", "value": "hush"}}})
    sent = copy.deepcopy(header.shown)
    sent["attributes"]["header"]["name"] = "X-Auth-Token"
    assert header.whole(sent, "config") == {"attributes": {"header": {"name": "X-Auth-Token", "value": "hush"}}}
    sent["attributes"]["header"]["name"] = "X-Colour"
    with pytest.raises(ToolError, match="nothing was done"):
        header.whole(sent, "config")


@given(configs(st.sampled_from(SECRETS), plain=False), st.data())
def test_whatever_is_sent_back_nobody_reads_a_credential_after_it(config: dict[str, Any], data: st.DataObject) -> None:
    before = stored(config)
    sent = data.draw(st.just(before.shown) | configs(st.just("[redacted]"), plain=True))
    try:
        after = before.whole(sent, "config")
    except ToolError:
        return
    shown = stored(after).shown
    assert "s3cr3t" not in json.dumps(shown)
    assert "[redacted" in json.dumps(shown) or "[redacted" not in json.dumps(sent)


@pytest.mark.parametrize(
    "sent",
    [
        lambda size: {"components": [{"name": f"c{number}"} for number in range(size)]},
        lambda size: {"components": [{"name": f"c{number}", "token": "x"} for number in range(size)]},
        lambda size: {"args": ["--token", "x", *map(str, range(size))]},
        lambda size: {"handlers": [{"type": number, "token": "x"} for number in range(size)]},
        lambda size: {"a": [[[[[[[[[[{"token": "x", "all": [*range(size)]}]]]]]]]]]]},
    ],
    ids=["plain", "named", "arguments", "by look", "deep"],
)
def test_what_is_stored_is_found_again_as_fast_in_a_long_list(sent: Any) -> None:
    def data(size: int) -> tuple[Any, Any]:
        before = stored(sent(size))
        return before, before.shown

    assert is_linear(lambda pair: pair[0].whole(pair[1], "config"), data, 4_000)


@pytest.mark.parametrize("argument", ["robot_config", "robot_config_json"])
async def test_a_part_that_is_read_changed_and_sent_back_keeps_its_credentials(
    fleet: Fleet, sandbox: Sandbox, argument: str
) -> None:
    stored = "SELECT config_json FROM parts WHERE name = 'picker-01-main'"
    part_id = sandbox.store.value("SELECT id FROM parts WHERE name = 'picker-01-main'")
    before = json.loads(sandbox.store.value(stored))
    part = (await fleet.call("get_robot_part", robot_part_id=part_id))["part"]
    config = part["robot_config"]
    assert "[redacted]" in json.dumps(config)
    config["note"] = "changed"
    sent = config if argument == "robot_config" else json.dumps(config)
    await fleet.call("update_robot_part", robot_part_id=part_id, name=part["name"], **{argument: sent})
    assert json.loads(sandbox.store.value(stored)) == {**before, "note": "changed"}


async def test_a_part_whose_credential_would_show_after_an_edit_is_left_alone(fleet: Fleet) -> None:
    part_id = fleet.id("parts", "picker-01-main")
    config = {"processes": [{"id": "p", "name": "/bin/run", "args": ["--token", "s3cr3t-T0KEN"]}]}
    await fleet.call("update_robot_part", robot_part_id=part_id, name="main", robot_config=config)
    before = fleet.value("SELECT config_json FROM parts WHERE id = ?", part_id)
    read = (await fleet.call("get_robot_part", robot_part_id=part_id))["part"]["robot_config"]
    read["processes"][0]["args"][0] = "--verbose"
    error = await fleet.call.error("update_robot_part", robot_part_id=part_id, name="main", robot_config=read)
    assert "'robot_config.processes[0].args[1]'" in error
    assert fleet.value("SELECT config_json FROM parts WHERE id = ?", part_id) == before
    assert "s3cr3t" not in "".join(fleet.call.answers)
