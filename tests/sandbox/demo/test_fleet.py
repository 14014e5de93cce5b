"""The demo fleet: what it holds, that it holds together, and that it tells the story it promises."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from viam_mcp.proto import app
from viam_mcp.proto.common import LogEntry
from viam_mcp.sandbox.demo import fleet
from viam_mcp.sandbox.rows.store import FleetStore
from viam_mcp.sandbox.rpc import nanoseconds
from viam_mcp.sandbox.rules.config import references

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR

# Around midnight is where "last night" is hardest.
MOMENTS = tuple(
    int(datetime(2026, 3, 1, hour, minute, tzinfo=UTC).timestamp()) * SECOND
    for hour, minute in ((0, 0), (1, 59), (2, 0), (13, 37), (23, 59))
)
NOW = MOMENTS[3]

CREDENTIAL_KEYS = re.compile(r"^(secret|location_secret|payload)$|_(TOKEN|PASSWORD)$")
TABLES_WITH_CREDENTIALS = {
    "secrets",
    "api_keys",
    "parts",
    "part_history",
    "fragments",
    "fragment_revisions",
    "fragment_history",
    "oauth_apps",
    "push_tokens",
    "firebase_configs",
}


def seeded(now: int = NOW) -> FleetStore:
    store = FleetStore()
    with store.transaction(), store.ids_from(random.Random(fleet.SEED)):
        fleet.seed(store, now)
    return store


@pytest.fixture(scope="module")
def store() -> Iterator[FleetStore]:
    filled = seeded()
    yield filled
    filled.close()


@pytest.fixture(scope="module", params=MOMENTS, ids=lambda now: f"{datetime.fromtimestamp(now / SECOND, UTC):%H:%M}")
def moment(request: pytest.FixtureRequest) -> Iterator[tuple[FleetStore, int]]:
    filled = seeded(request.param)
    yield filled, request.param
    filled.close()


def part(store: FleetStore, name: str) -> sqlite3.Row:
    row = store.one("SELECT * FROM parts WHERE name = ?", name)
    assert row is not None
    return row


def messages(store: FleetStore, part_name: str, *levels: str) -> list[str]:
    marks = ", ".join("?" * len(levels))
    return [
        row["message"]
        for row in store.all(
            f"SELECT message FROM logs WHERE part_id = ? AND level IN ({marks}) ORDER BY time",
            part(store, part_name)["id"],
            *levels,
        )
    ]


def values_at(config: Any, key: re.Pattern[str]) -> Iterator[str]:
    """Every text in a configuration whose key matches."""
    if isinstance(config, dict):
        for name, value in config.items():
            if isinstance(value, str) and key.search(name):
                yield value
            yield from values_at(value, key)
    elif isinstance(config, list):
        for value in config:
            yield from values_at(value, key)


def test_it_has_the_size_that_it_promises(store: FleetStore) -> None:
    count = {row["name"]: 0 for row in store.all("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in count:
        count[table] = store.value(f"SELECT COUNT(*) FROM {table}")
    assert (count["organizations"], count["robots"]) == (2, 12)
    least = {
        "locations": 8,
        "parts": 16,
        "logs": 20_000,
        "part_history": 60,
        "fragments": 5,
        "invites": 2,
        "members": 5,
    }
    assert {table: count[table] for table in least if count[table] < least[table]} == {}
    assert [table for table, rows in count.items() if not rows] == ["settings"], "the server's own table alone is empty"


def test_every_reference_leads_somewhere(store: FleetStore) -> None:
    assert store.all("PRAGMA foreign_key_check") == []
    resources = "SELECT id FROM organizations UNION SELECT id FROM locations UNION SELECT id FROM robots"
    identities = "SELECT id FROM users UNION SELECT id FROM api_keys UNION SELECT email FROM invites"
    lost = f"SELECT * FROM authorizations WHERE resource_id NOT IN ({resources}) OR identity_id NOT IN ({identities})"
    assert store.all(lost) == []
    assert store.all("SELECT * FROM fragment_uses WHERE fragment_id NOT IN (SELECT id FROM fragments)") == []


def test_ids_have_the_forms_of_the_service(store: FleetStore) -> None:
    uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    for table in ("organizations", "users", "api_keys", "robots", "parts", "secrets", "fragments"):
        assert all(uuid.fullmatch(row["id"]) for row in store.all(f"SELECT id FROM {table}")), table
    assert all(re.fullmatch(r"[0-9a-z]{10}", row["id"]) for row in store.all("SELECT id FROM locations"))


def test_every_machine_has_exactly_one_main_part_and_some_have_more_parts(store: FleetStore) -> None:
    rows = store.all("SELECT SUM(main) AS mains, COUNT(*) AS parts FROM parts GROUP BY robot_id")
    assert {row["mains"] for row in rows} == {1}
    assert len(rows) == 12
    assert sum(row["parts"] > 1 for row in rows) >= 4
    assert any(row["parts"] == 3 for row in rows)


def test_locations_nest_three_deep_and_one_is_shared_with_the_other_organization(store: FleetStore) -> None:
    grandchildren = store.all(
        "SELECT a.name FROM locations a JOIN locations b ON a.parent_id = b.id JOIN locations c ON b.parent_id = c.id"
    )
    assert grandchildren
    shared = store.all(
        "SELECT locations.name, owner.name AS owner, other.name AS other FROM location_shares AS shares"
        " JOIN locations ON locations.id = location_id JOIN organizations AS owner ON owner.id = locations.org_id"
        " JOIN organizations AS other ON other.id = shares.org_id"
    )
    assert [tuple(row) for row in shared] == [(fleet.SHARED_LOCATION, fleet.TIDEWATER, fleet.KESTREL)]


def test_every_part_logs_until_it_was_last_seen_and_those_awaiting_setup_never_did(
    moment: tuple[FleetStore, int],
) -> None:
    store, now = moment
    rows = store.all(
        "SELECT parts.*, robots.name AS machine, MAX(time) AS last FROM parts JOIN robots ON robots.id = robot_id"
        " LEFT JOIN logs ON part_id = parts.id GROUP BY parts.id"
    )
    assert {row["machine"] for row in rows if row["last"] is None} == set(fleet.AWAITING_SETUP_MACHINES)
    offline = {row["machine"] for row in rows if row["last_access"] is not None and not row["online"]}
    assert offline == set(fleet.OFFLINE_MACHINES)
    for row in rows:
        if row["online"]:
            assert row["last_access"] == now
            assert now - 60 * SECOND < row["last"] < now, row["name"]
        else:
            assert row["last"] == row["last_access"], row["name"]


def test_two_machines_went_silent_last_night_and_one_three_weeks_ago(moment: tuple[FleetStore, int]) -> None:
    store, now = moment
    ages = {
        row["name"]: (now - row["last"]) / HOUR
        for row in store.all(
            "SELECT robots.name, MAX(last_access) AS last FROM parts"
            " JOIN robots ON robots.id = robot_id GROUP BY robots.id"
        )
        if row["last"] is not None
    }
    for machine in (fleet.UNDERVOLTAGE_MACHINE, fleet.CRASH_LOOP_MACHINE):
        assert 1 < ages[machine] < 28, machine
    assert 20 * 24 < ages[fleet.LONG_GONE_MACHINE] < 22 * 24


def test_the_last_words_of_the_first_are_undervoltage_then_an_unreachable_network(store: FleetStore) -> None:
    last = messages(store, f"{fleet.UNDERVOLTAGE_MACHINE}-main", "error", "warn")[-8:]
    undervoltage = [number for number, message in enumerate(last) if "undervoltage" in message]
    unreachable = [number for number, message in enumerate(last) if "network is unreachable" in message]
    assert undervoltage
    assert unreachable
    assert max(undervoltage) < min(unreachable)


def test_the_second_crashes_in_a_loop_since_its_module_was_updated(store: FleetStore) -> None:
    row = part(store, fleet.CRASH_LOOP_PART)
    newest = store.one("SELECT * FROM part_history WHERE part_id = ? ORDER BY edited_on DESC", row["id"])
    assert newest is not None
    old = app.RobotPart.FromString(newest["old"])

    def version(text: str) -> str:
        return str(json.loads(text)["modules"][0]["version"])

    assert (version(old.robot_config_json), version(row["config_json"])) == ("1.4.1", "1.4.2")
    panics = store.all("SELECT time FROM logs WHERE part_id = ? AND message LIKE 'panic %' ORDER BY time", row["id"])
    assert len(panics) >= 20
    assert 0 < panics[0]["time"] - newest["edited_on"] < 10 * 60 * SECOND


def test_logs_are_a_week_of_mostly_info_then_warn_then_error_then_debug(store: FleetStore) -> None:
    by_level = {row["level"]: row["n"] for row in store.all("SELECT level, COUNT(*) AS n FROM logs GROUP BY level")}
    assert sorted(by_level, key=by_level.__getitem__, reverse=True) == ["info", "warn", "error", "debug"]
    assert by_level["info"] > sum(by_level.values()) / 2
    online = store.all(
        "SELECT MIN(time) AS first FROM logs JOIN parts ON parts.id = part_id WHERE online GROUP BY part_id"
    )
    assert all(6 * DAY < NOW - row["first"] <= 7 * DAY + 60 * SECOND for row in online)


def test_one_part_is_far_noisier_than_any_other(store: FleetStore) -> None:
    rows = store.all(
        "SELECT name, COUNT(*) AS n FROM logs JOIN parts ON parts.id = part_id GROUP BY part_id ORDER BY n DESC"
    )
    assert rows[0]["name"] == fleet.NOISY_PART
    assert rows[0]["n"] > 3 * rows[1]["n"]


def test_the_columns_of_a_log_row_say_what_its_entry_says(store: FleetStore) -> None:
    loggers, with_stack, with_fields, without_caller = set(), 0, 0, 0
    for row in store.all("SELECT logs.*, name FROM logs JOIN parts ON parts.id = part_id"):
        entry = LogEntry.FromString(row["entry"])
        assert (entry.level, entry.message, nanoseconds(entry.time)) == (row["level"], row["message"], row["time"])
        assert entry.host == row["name"]
        if entry.HasField("caller"):
            assert set(entry.caller.keys()) == {"Defined", "File", "Line", "Function"}
        loggers.add(entry.logger_name)
        with_stack += bool(entry.stack)
        with_fields += bool(entry.fields)
        without_caller += not entry.HasField("caller")
    assert loggers >= {"rdk.resource_manager", "rdk.modmanager", "rdk.networking", "rdk.camera", "rdk.base"}
    assert min(with_stack, with_fields, without_caller) > 0


def test_no_number_in_a_message_is_left_open(store: FleetStore) -> None:
    hostile = set(fleet.HOSTILE_MESSAGES.values())
    left = store.all("SELECT DISTINCT message FROM logs WHERE message LIKE '%{%'")
    assert [row["message"] for row in left if row["message"] not in hostile] == []


def test_hostile_messages_are_kept_as_they_were_written_and_are_recent(store: FleetStore) -> None:
    newest = store.all(
        "SELECT message FROM logs WHERE part_id = ? ORDER BY time DESC LIMIT 100", part(store, fleet.HOSTILE_PART)["id"]
    )
    assert set(fleet.HOSTILE_MESSAGES.values()) <= {row["message"] for row in newest}


def test_hostile_messages_are_of_every_kind() -> None:
    together = "".join(fleet.HOSTILE_MESSAGES.values())
    for harmful in ("\x1b[2J", "\x1b]8;;", "\x1b]0;", "\u202e", "\u2066", "\u200b", "\x00", "\n" * 100, "delete_robot"):
        assert harmful in together, ascii(harmful)
    assert max(len(message.encode()) for message in fleet.HOSTILE_MESSAGES.values()) >= 50_000


def test_names_and_descriptions_try_to_give_orders_too(store: FleetStore) -> None:
    assert store.one("SELECT 1 FROM robots WHERE name = ?", fleet.INJECTION_MACHINE)
    assert store.one("SELECT 1 FROM registry_items WHERE description LIKE '%share_location%'")
    assert store.one("SELECT 1 FROM fragments WHERE config_json LIKE '%delete_fragment%'")


@pytest.mark.parametrize(
    ("table", "owner_table", "owner", "message"),
    [
        ("part_history", "parts", "part_id", app.RobotPart),
        ("fragment_history", "fragments", "fragment_id", app.Fragment),
    ],
)
def test_a_history_leads_edit_by_edit_to_what_is_there_now(
    store: FleetStore, table: str, owner_table: str, owner: str, message: Any
) -> None:
    for row in store.all(f"SELECT * FROM {owner_table}"):
        entries = store.all(f"SELECT * FROM {table} WHERE {owner} = ? ORDER BY seq", row["id"])
        old = [message.FromString(entry["old"]) for entry in entries]
        texts = [one.robot_config_json if table == "part_history" else one.fragment_config_json for one in old]
        assert all(before != after for before, after in pairwise([*texts, row["config_json"]])), row["name"]
        if not entries:
            continue
        updates = [*(nanoseconds(one.last_updated) for one in old[1:]), row["last_updated"]]
        assert updates == [entry["edited_on"] for entry in entries], row["name"]
        assert all(entry["edited_on"] < NOW for entry in entries)


def test_parts_have_a_year_of_history_made_by_owners_and_keys_without_their_secrets(store: FleetStore) -> None:
    rows = store.all("SELECT * FROM part_history")
    assert len({row["part_id"] for row in rows}) >= 10
    assert max(NOW - row["edited_on"] for row in rows) > 300 * DAY
    known = {row[0] for row in store.all("SELECT email FROM users UNION SELECT id FROM api_keys")}
    assert {row["editor"] for row in rows} <= known
    assert {row["editor_type"] for row in rows} == {
        app.AUTHENTICATION_TYPE_WEB_OAUTH,
        app.AUTHENTICATION_TYPE_API_KEY,
    }
    for row in rows:
        old = app.RobotPart.FromString(row["old"])
        assert (old.secret, len(old.secrets)) == ("", 0)


def test_a_fragment_has_more_history_than_two_pages_hold(store: FleetStore) -> None:
    assert max(row[0] for row in store.all("SELECT COUNT(*) FROM fragment_history GROUP BY fragment_id")) > 20


def test_fragments_are_of_every_visibility_nested_tagged_and_in_use_where_configurations_say(store: FleetStore) -> None:
    rows = store.all("SELECT * FROM fragments")
    assert {row["visibility"] for row in rows} == {
        app.FRAGMENT_VISIBILITY_PRIVATE,
        app.FRAGMENT_VISIBILITY_PUBLIC,
        app.FRAGMENT_VISIBILITY_PUBLIC_UNLISTED,
    }
    assert any(references(row["config_json"]) for row in rows)
    revisions = "SELECT 1 FROM fragment_revisions AS r WHERE r.fragment_id = t.fragment_id AND r.revision = t.revision"
    assert store.all(f"SELECT * FROM fragment_tags AS t WHERE NOT EXISTS ({revisions})") == []
    for row in store.all("SELECT * FROM parts"):
        uses = store.all("SELECT fragment_id, version FROM fragment_uses WHERE part_id = ?", row["id"])
        assert {use["fragment_id"]: use["version"] for use in uses} == references(row["config_json"])


def test_the_fleets_own_modules_are_configured_in_versions_that_were_uploaded(store: FleetStore) -> None:
    uploaded = {
        (f"{row['public_namespace']}:{row['name']}", row["version"])
        for row in store.all(
            "SELECT public_namespace, registry_uploads.name, version FROM registry_uploads"
            " JOIN organizations ON organizations.id = org_id"
        )
    }
    configured = {
        (module["module_id"], module["version"])
        for row in store.all("SELECT config_json FROM parts UNION SELECT config_json FROM fragments")
        for module in json.loads(row["config_json"]).get("modules", ())
        if module["module_id"].startswith(("tidewater:", "kestrel:"))
    }
    assert len(configured) >= 5
    assert configured <= uploaded


def test_registry_items_know_who_uses_them(store: FleetStore) -> None:
    usage = {row["name"]: row for row in store.all("SELECT * FROM registry_items")}
    assert {row["type"] for row in usage.values()} == {2, 3, 5}
    # A module that two haulers name, and one that others get through a public fragment.
    assert usage["drive-control"]["robot_usage"] == 2
    assert usage["drive-control"]["external_robot_usage"] == 0
    scanner = usage["safety-scanner"]
    assert (scanner["robot_usage"], scanner["external_robot_usage"], scanner["external_org_usage"]) == (3, 2, 1)


def test_the_key_that_it_returns_owns_both_organizations_and_hides_its_value() -> None:
    store = FleetStore()
    with store.transaction():
        credential = fleet.seed(store, NOW)
    assert store.value("SELECT key FROM api_keys WHERE id = ?", credential.key_id) == credential.key
    owned = store.all(
        "SELECT resource_id FROM authorizations WHERE identity_id = ? AND role = 'owner'", credential.key_id
    )
    assert {row[0] for row in owned} == {row[0] for row in store.all("SELECT id FROM organizations")}
    assert credential.key not in repr(credential)
    store.close()


def test_the_same_seed_gives_the_same_fleet_but_never_the_same_credentials(store: FleetStore) -> None:
    other = seeded()
    for (table,) in store.all("SELECT name FROM sqlite_master WHERE type = 'table'"):
        if table not in TABLES_WITH_CREDENTIALS:
            rows = [tuple(row) for row in store.all(f"SELECT * FROM {table}")]
            assert rows == [tuple(row) for row in other.all(f"SELECT * FROM {table}")], table
    for table in ("parts", "fragments", "secrets", "api_keys"):
        ids = [row[0] for row in store.all(f"SELECT id FROM {table} ORDER BY id")]
        assert ids == [row[0] for row in other.all(f"SELECT id FROM {table} ORDER BY id")], table
    assert fleet.planted_credentials(store).isdisjoint(fleet.planted_credentials(other))
    other.close()


def test_the_planted_credentials_are_all_that_configurations_hold_where_credentials_go(store: FleetStore) -> None:
    planted = fleet.planted_credentials(store)
    found = set()
    for row in store.all("SELECT config_json FROM parts UNION SELECT config_json FROM fragments"):
        config = json.loads(row["config_json"])
        found |= set(values_at(config, CREDENTIAL_KEYS))
        for handler in config.get("auth", {}).get("handlers", ()):
            if handler["type"] == "api-key":
                found |= {handler["config"][key_id] for key_id in handler["config"]["keys"]}
        found |= set(re.findall(r"rtsp://\w+:([^@]+)@", row["config_json"]))
    for row in store.all("SELECT config_json FROM firebase_configs"):
        found.add(json.loads(row["config_json"])["private_key"])
    credentials = (("secrets", "secret"), ("api_keys", "key"), ("oauth_apps", "secret"), ("push_tokens", "token"))
    listed = {row[0] for table, column in credentials for row in store.all(f"SELECT {column} FROM {table}")}
    assert found | listed == planted
    assert found & listed, "some configurations hold credentials of the fleet itself"
    assert len(found - listed) >= 8, "and others hold credentials that are nowhere else"


def test_old_configurations_hold_no_other_credentials_than_the_planted(store: FleetStore) -> None:
    planted = fleet.planted_credentials(store)
    olds = [
        *(app.RobotPart.FromString(row["old"]).robot_config_json for row in store.all("SELECT old FROM part_history")),
        *(
            app.Fragment.FromString(row["old"]).fragment_config_json
            for row in store.all("SELECT old FROM fragment_history")
        ),
    ]
    held = {value for old in olds for value in values_at(json.loads(old), CREDENTIAL_KEYS)}
    assert held
    assert held <= planted


def test_no_credential_is_in_a_log_a_name_or_metadata(store: FleetStore) -> None:
    planted = fleet.planted_credentials(store)
    for (table,) in store.all("SELECT name FROM sqlite_master WHERE type = 'table'"):
        if table not in TABLES_WITH_CREDENTIALS | {"logs"}:
            text = repr([tuple(row) for row in store.all(f"SELECT * FROM {table}")])
            assert not any(credential in text for credential in planted), table
    logged = "\n".join(row["message"] for row in store.all("SELECT message FROM logs"))
    assert not any(credential in logged for credential in planted)


def test_every_placeholder_in_a_configuration_is_filled(store: FleetStore) -> None:
    for row in store.all("SELECT name, config_json FROM parts UNION SELECT name, config_json FROM fragments"):
        assert not re.search(r"<\w+(:[^>]+)?>", row["config_json"]), row["name"]
