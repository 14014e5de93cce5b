"""The official SDK's own client works against the sandbox unchanged, through every method that we have."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from grpclib import GRPCError
from grpclib.const import Status

from tests.interop import official
from tests.interop.driving import CLAIMED, drives, is_refused, signed_in
from tests.interop.official import mltraining, packages, wire
from tests.sandbox.client import named
from tests.tools.cases import arguments_of
from viam_mcp.proto.common import LogEntry
from viam_mcp.sandbox.demo import fleet
from viam_mcp.tools import TOOLS, Effect

if TYPE_CHECKING:
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

VERBS = ("get", "update")
CONFIG = {"components": [{"name": "arm", "api": "rdk:component:arm", "model": "rdk:builtin:fake", "attributes": {}}]}


def test_the_scenarios_drive_every_method_that_both_clients_have() -> None:
    assert CLAIMED == official.SHARED


async def test_reads_work_with_the_official_client_as_their_cases_call_them_scenario_or_not(
    cloud: Any, sandbox: Sandbox, app: AppClient, tmp_path: Path
) -> None:
    driven = set()
    reads = {name for name, tool in TOOLS.items() if tool.spec.effect is Effect.READ} - {"tail_robot_part_logs"}
    for name in sorted(reads & official.SHARED):
        call = TOOLS[name].model_validate(await arguments_of(name, sandbox, app, tmp_path))
        given = {field: value for field, value in call if field in official.parameters(name) and field != "dest"}
        plain = all(isinstance(value, str | int | None) for value in given.values())
        if plain:
            await getattr(cloud, name)(**given)
            driven.add(name)
    assert len(driven) > 20


@drives(
    "create_organization",
    "list_organizations",
    "get_organization",
    "get_organization_namespace_availability",
    "update_organization",
    "delete_organization",
)
async def test_an_organization_from_its_founding_to_its_end(cloud: Any) -> None:
    founded = await cloud.create_organization("Interop")
    assert {org.name for org in await cloud.list_organizations()} == {"Interop", fleet.TIDEWATER, fleet.KESTREL}

    assert await cloud.get_organization_namespace_availability("interop")
    await cloud.update_organization(founded.id, name="Interop 2", public_namespace="interop", region="eu-west", cid="c")
    assert not await cloud.get_organization_namespace_availability("interop")
    now = await cloud.get_organization(founded.id)
    assert (now.name, now.public_namespace, now.default_region, now.cid) == ("Interop 2", "interop", "eu-west", "c")

    (first,) = await cloud.list_locations(founded.id)
    await cloud.delete_location(first.id)
    await cloud.delete_organization(founded.id)
    with pytest.raises(GRPCError) as gone:
        await cloud.get_organization(founded.id)
    assert gone.value.status is Status.NOT_FOUND


@drives("get_user_id_by_email", "list_organizations_by_user", "list_organization_members", "delete_organization_member")
async def test_members_are_found_and_removed(cloud: Any, tidewater: str) -> None:
    user_id = await cloud.get_user_id_by_email("priya.raman@tidewater.example")
    assert [org.org_id for org in await cloud.list_organizations_by_user(user_id)] == [tidewater]
    members, invites = await cloud.list_organization_members(tidewater)
    assert user_id in {member.user_id for member in members}
    assert "auditor@harbour-audit.example" in {invite.email for invite in invites}

    await cloud.delete_organization_member(tidewater, user_id)
    members, _ = await cloud.list_organization_members(tidewater)
    assert user_id not in {member.user_id for member in members}


@drives(
    "create_organization_invite",
    "update_organization_invite_authorizations",
    "resend_organization_invite",
    "delete_organization_invite",
)
async def test_an_invite_is_made_changed_resent_and_withdrawn(cloud: Any, kestrel: str) -> None:
    def role(kind: str, role: str, resource: str) -> wire.Authorization:
        return wire.Authorization(
            authorization_type="role",
            authorization_id=f"{kind}_{role}",
            resource_type=kind,
            resource_id=resource,
            organization_id=kestrel,
        )

    email = "interop@example.com"
    invite = await cloud.create_organization_invite(kestrel, email, send_email_invite=False)
    assert [a.authorization_id for a in invite.authorizations] == ["organization_owner"]

    location = (await cloud.list_locations(kestrel))[0].id
    await cloud.update_organization_invite_authorizations(
        kestrel,
        email,
        add_authorizations=[role("location", "operator", location)],
        remove_authorizations=[role("organization", "owner", kestrel)],
    )
    resent = await cloud.resend_organization_invite(kestrel, email)
    assert [(a.authorization_id, a.resource_id) for a in resent.authorizations] == [("location_operator", location)]

    await cloud.delete_organization_invite(kestrel, email)
    _, invites = await cloud.list_organization_members(kestrel)
    assert email not in {invite.email for invite in invites}


@drives(
    "create_location",
    "get_location",
    "update_location",
    "delete_location",
    "list_locations",
    "share_location",
    "unshare_location",
    "get_organizations_with_access_to_location",
)
async def test_a_location_is_nested_shared_moved_and_deleted(cloud: Any, tidewater: str, kestrel: str) -> None:
    root = await cloud.create_location(tidewater, "Interop Site")
    child = await cloud.create_location(tidewater, "Hall", parent_location_id=root.id)
    assert (await cloud.get_location(child.id)).parent_location_id == root.id

    await cloud.share_location(kestrel, root.id)
    assert [org.id for org in await cloud.get_organizations_with_access_to_location(root.id)] == [tidewater, kestrel]
    await cloud.unshare_location(kestrel, root.id)
    assert [org.id for org in await cloud.get_organizations_with_access_to_location(root.id)] == [tidewater]

    moved = await cloud.update_location(child.id, name="Yard", parent_location_id="")
    assert (moved.name, moved.parent_location_id) == ("Yard", "")
    for location in (root, child):
        await cloud.delete_location(location.id)
    assert not {root.id, child.id} & {location.id for location in await cloud.list_locations(tidewater)}


@drives("location_auth", "create_location_secret", "delete_location_secret")
async def test_a_location_gets_a_second_secret_and_loses_the_first(cloud: Any, sandbox: Sandbox) -> None:
    location = named(sandbox, "locations", "Test Lab")
    (first,) = (await cloud.location_auth(location)).secrets
    both = (await cloud.create_location_secret(location)).secrets
    assert len(both) == 2
    assert first.id in {secret.id for secret in both}
    await cloud.delete_location_secret(first.id, location)
    (left,) = (await cloud.location_auth(location)).secrets
    assert left.id != first.id


@drives("new_robot", "get_robot", "list_robots", "update_robot", "delete_robot", "get_robot_parts")
async def test_a_machine_is_made_moved_and_deleted(cloud: Any, sandbox: Sandbox) -> None:
    lab, docks = named(sandbox, "locations", "Test Lab"), named(sandbox, "locations", "Loading Docks")
    robot_id = await cloud.new_robot("interop-1", lab)
    assert [part.name for part in await cloud.get_robot_parts(robot_id)] == ["interop-1-main"]
    assert robot_id in {robot.id for robot in await cloud.list_robots(lab)}

    await cloud.update_robot(robot_id, "interop-2", docks)
    moved = await cloud.get_robot(robot_id)
    assert (moved.name, moved.location) == ("interop-2", docks)
    await cloud.delete_robot(robot_id)
    assert robot_id not in {robot.id for robot in await cloud.list_robots(docks)}


@drives("get_rover_rental_robots", "get_robot_api_keys")
async def test_rentals_and_the_keys_of_a_machine_are_listed(cloud: Any, sandbox: Sandbox, tidewater: str) -> None:
    (rental,) = await cloud.get_rover_rental_robots(tidewater)
    assert (rental.robot_id, rental.robot_name) == (named(sandbox, "robots", "rental-rover"), "rental-rover")
    (key,) = await cloud.get_robot_api_keys(named(sandbox, "robots", "picker-01"))
    assert key.api_key.name == "picker-01-machine"
    assert key.api_key.key


@drives("new_robot_part", "mark_part_as_main", "mark_part_for_restart", "delete_robot_part", "get_robot_part")
async def test_a_part_is_added_made_main_restarted_and_deleted(cloud: Any, sandbox: Sandbox) -> None:
    robot_id, old_main = named(sandbox, "robots", "hauler-02"), named(sandbox, "parts", "hauler-02-main")
    part_id = await cloud.new_robot_part(robot_id, "hauler-02-extra")
    await cloud.mark_part_as_main(part_id)
    assert {part.id: part.main_part for part in await cloud.get_robot_parts(robot_id)} == {
        part_id: True,
        old_main: False,
    }

    await cloud.mark_part_for_restart(part_id)
    assert sandbox.store.value("SELECT restart_requested FROM parts WHERE id = ?", part_id)

    assert not (await cloud.get_robot_part(old_main)).main_part
    await cloud.delete_robot_part(old_main)
    assert [part.id for part in await cloud.get_robot_parts(robot_id)] == [part_id]


@drives("update_robot_part", "get_robot_part_history")
async def test_a_configuration_is_changed_and_the_change_is_in_the_history(cloud: Any, sandbox: Sandbox) -> None:
    part_id = named(sandbox, "parts", "rental-rover-main")
    before = await cloud.get_robot_part(part_id)
    after = await cloud.update_robot_part(part_id, before.name, CONFIG, last_known_update=before.last_updated)
    assert after.robot_config == CONFIG
    assert after.last_updated > before.last_updated
    assert (await cloud.get_robot_part_history(part_id))[0].old.robot_config == before.robot_config

    text = '{"modules": [], "components": []}'
    raw = await cloud.update_robot_part(part_id, before.name, robot_config_json=text)
    assert raw.robot_config_json == text
    with pytest.raises(GRPCError) as stale:
        await cloud.update_robot_part(part_id, before.name, CONFIG, last_known_update=before.last_updated)
    assert stale.value.status is Status.FAILED_PRECONDITION


@drives("create_robot_part_secret", "delete_robot_part_secret")
async def test_a_part_gets_a_second_secret_and_loses_the_first(cloud: Any, sandbox: Sandbox) -> None:
    part_id = named(sandbox, "parts", "picker-01-main")
    (first,) = (await cloud.get_robot_part(part_id)).secrets
    assert len((await cloud.create_robot_part_secret(part_id)).secrets) == 2
    await cloud.delete_robot_part_secret(part_id, first.id)
    (left,) = (await cloud.get_robot_part(part_id)).secrets
    assert left.id != first.id


@drives("get_robot_part_logs")
async def test_logs_are_paged_and_filtered(cloud: Any, sandbox: Sandbox) -> None:
    part_id = named(sandbox, "parts", fleet.NOISY_PART)
    newest = sandbox.store.one("SELECT message FROM logs WHERE part_id = ? ORDER BY time DESC, seq DESC", part_id)
    assert newest
    few = await cloud.get_robot_part_logs(part_id, num_log_entries=250, range="10d")
    assert len(few) == 250
    assert few[0].message == newest["message"]
    assert few == sorted(few, key=lambda entry: entry.time, reverse=True)

    (level,) = {entry.level for entry in await cloud.get_robot_part_logs(part_id, log_levels=["error"], range="10d")}
    assert level == "error"
    stored = sandbox.store.all("SELECT time FROM logs WHERE part_id = ? ORDER BY time", part_id)
    first = datetime.fromtimestamp(stored[0]["time"] // 10**9, UTC)
    everything = await cloud.get_robot_part_logs(part_id, num_log_entries=0, start=first, end=datetime.now(UTC))
    assert len(everything) == len(stored)


@drives("tail_robot_part_logs")
async def test_a_tail_brings_what_is_logged_after_it_began(cloud: Any, sandbox: Sandbox) -> None:
    part_id = named(sandbox, "parts", "picker-01-main")
    stream = await cloud.tail_robot_part_logs(part_id, errors_only=True, filter="interop")
    batch = asyncio.ensure_future(stream.next())
    await sandbox.hub.until(1)
    for level in ("info", "error"):
        sandbox.emit(part_id, LogEntry(level=level, message=f"interop: {level}"))
    assert [entry.message for entry in await batch] == ["interop: error"]
    await stream._stream.aclose()


@drives(
    "list_fragments", "get_fragment", "create_fragment", "update_fragment", "delete_fragment", "get_fragment_history"
)
async def test_a_fragment_is_made_changed_published_and_deleted(cloud: Any, kestrel: str) -> None:
    made = await cloud.create_fragment(kestrel, "interop", CONFIG)
    assert made.visibility is official.Fragment.Visibility.PRIVATE
    public = official.Fragment.Visibility.PUBLIC
    changed = await cloud.update_fragment(made.id, "interop-2", {"components": []}, visibility=public)
    assert (changed.name, changed.visibility, changed.fragment) == ("interop-2", public, {"components": []})
    (entry,) = await cloud.get_fragment_history(made.id)
    assert entry.old.fragment == CONFIG
    assert made.id in {fragment.id for fragment in await cloud.list_fragments(kestrel, visibilities=[public])}
    await cloud.delete_fragment(made.id)
    with pytest.raises(GRPCError) as gone:
        await cloud.get_fragment(made.id)
    assert gone.value.status is Status.NOT_FOUND


@drives("add_role", "remove_role", "change_role", "list_authorizations", "check_permissions")
async def test_roles_are_given_changed_taken_and_checked(cloud: Any, sandbox: Sandbox, kestrel: str) -> None:
    user = sandbox.store.value("SELECT id FROM users WHERE email = 'lena.fischer@kestrel.example'")
    bench = named(sandbox, "locations", "Bench A")

    async def held() -> set[str]:
        rows = await cloud.list_authorizations(kestrel, [bench])
        return {row.authorization_id for row in rows if row.identity_id == user}

    await cloud.add_role(kestrel, user, "operator", "location", bench)
    assert await held() == {"location_operator"}
    await cloud.change_role(kestrel, user, "operator", "location", bench, user, "owner", "location", bench)
    assert await held() == {"location_owner"}
    await cloud.remove_role(kestrel, user, "owner", "location", bench)
    assert await held() == set()

    asked = wire.AuthorizedPermissions(
        resource_type="location", resource_id=bench, permissions=["read_location", "no_such_permission"]
    )
    (answer,) = await cloud.check_permissions([asked])
    assert list(answer.permissions) == ["read_location"]


@drives(
    "create_registry_item",
    "get_registry_item",
    "update_registry_item",
    "list_registry_items",
    "delete_registry_item",
)
async def test_a_registry_item_is_made_published_found_and_deleted(cloud: Any, kestrel: str) -> None:
    kind = packages.PackageType.PACKAGE_TYPE_ML_MODEL
    await cloud.create_registry_item(kestrel, "interop-model", kind)
    item_id = "kestrel:interop-model"
    await cloud.update_registry_item(item_id, kind, "finds interoperability", wire.Visibility.VISIBILITY_PUBLIC)
    item = await cloud.get_registry_item(item_id)
    assert (item.description, item.visibility) == ("finds interoperability", wire.Visibility.VISIBILITY_PUBLIC)
    assert item.ml_model_metadata.model_type == mltraining.ModelType.MODEL_TYPE_UNSPECIFIED
    found = await cloud.list_registry_items(kestrel, [kind], [], [], [], search_term="interoperability")
    assert [item.item_id for item in found] == [item_id]
    await cloud.delete_registry_item(item_id)
    assert await cloud.list_registry_items(kestrel, [kind], [], [], [], search_term="interoperability") == []


@drives("create_module", "update_module", "upload_module_file", "get_module", "list_modules")
async def test_a_module_is_made_described_and_uploaded(cloud: Any, kestrel: str) -> None:
    module_id, url = await cloud.create_module(kestrel, "interop-module")
    assert "interop-module" in url
    model = wire.Model(api="rdk:component:arm", model="kestrel:interop-module:arm")
    await cloud.update_module(module_id, "https://code.example/interop", "An arm", [model], "run.sh", public=True)
    info = wire.ModuleFileInfo(module_id=module_id, version="1.2.3", platform="linux/amd64")
    assert await cloud.upload_module_file(info, b"\0\1" * 50_000)

    module = await cloud.get_module(module_id)
    assert (module.url, module.entrypoint, list(module.models)) == ("https://code.example/interop", "run.sh", [model])
    (version,) = module.versions
    assert (version.version, [file.platform for file in version.files]) == ("1.2.3", ["linux/amd64"])
    assert module_id in {module.module_id for module in await cloud.list_modules(kestrel)}


@drives("create_key", "list_keys", "rotate_key", "create_key_from_existing_key_authorizations", "delete_key")
async def test_a_key_is_made_copied_rotated_and_deleted(cloud: Any, sandbox: Sandbox, kestrel: str) -> None:
    granted = official.APIKeyAuthorization(role="operator", resource_type="organization", resource_id=kestrel)
    key, key_id = await cloud.create_key(kestrel, [granted], "interop")
    copy, copy_id = await cloud.create_key_from_existing_key_authorizations(key_id)
    assert {key_id, copy_id} <= {entry.api_key.id for entry in await cloud.list_keys(kestrel)}
    for owned_id, owned in ((key_id, key), (copy_id, copy)):
        with_key = await signed_in(sandbox, owned_id, owned)
        assert [org.id for org in await with_key.app_client.list_organizations()] == [kestrel]
        with_key.close()

    rotated, _ = await cloud.rotate_key(key_id)
    assert await is_refused(sandbox, key_id, key)
    assert not await is_refused(sandbox, key_id, rotated)
    await cloud.delete_key(key_id)
    assert key_id not in {entry.api_key.id for entry in await cloud.list_keys(kestrel)}


@drives("list_robots_for_locations", "add_favorite_machine", "list_favorite_machines", "remove_favorite_machine")
async def test_machines_are_listed_and_kept_at_hand(cloud: Any, sandbox: Sandbox) -> None:
    places = [named(sandbox, "locations", name) for name in ("Warehouse 2", "Test Lab")]
    robots = await cloud.list_robots_for_locations(places)
    assert [robot.name for robot in robots] == ["hauler-01", "hauler-02", "rental-rover"]
    await cloud.add_favorite_machine(robots[0].id)
    assert robots[0].id in {favorite.machine.id for favorite in await cloud.list_favorite_machines()}
    await cloud.remove_favorite_machine(robots[0].id)
    assert robots[0].id not in {favorite.machine.id for favorite in await cloud.list_favorite_machines()}


@drives("set_config_property")
async def test_single_properties_of_a_configuration_are_set(cloud: Any, sandbox: Sandbox) -> None:
    part_id = named(sandbox, "parts", "hauler-02-main")
    changes = {"components[2].attributes.p_gain": 0.75, "components[99].x": 1}
    done, failed = await cloud.set_config_property(part_id, changes)
    assert (done.success, failed.success, bool(failed.error)) == (True, False, True)
    part = await cloud.get_robot_part(part_id)
    assert part.robot_config["components"][2]["attributes"]["p_gain"] == 0.75


@drives(
    "deprecate_registry_item",
    "undeprecate_registry_item",
    "deprecate_registry_item_version",
    "undeprecate_registry_item_version",
)
async def test_a_registry_item_and_a_version_are_deprecated_and_not_any_more(cloud: Any) -> None:
    item_id = "tidewater:picking"
    await cloud.deprecate_registry_item(item_id, "use another one")
    await cloud.deprecate_registry_item_version(item_id, "3.0.0", "drops boxes")
    item = await cloud.get_registry_item(item_id)
    assert item.deprecated_status.message == "use another one"
    assert [version.deprecated_status.message for version in item.module_metadata.versions] == ["drops boxes", "", ""]
    await cloud.undeprecate_registry_item(item_id)
    await cloud.undeprecate_registry_item_version(item_id, "3.0.0")
    item = await cloud.get_registry_item(item_id)
    assert not item.HasField("deprecated_status")
    assert not any(version.HasField("deprecated_status") for version in item.module_metadata.versions)


@drives(*(f"{verb}_{kind}_metadata" for kind in ("organization", "location", "robot", "robot_part") for verb in VERBS))
async def test_metadata_are_replaced(cloud: Any, sandbox: Sandbox, tidewater: str) -> None:
    things = {
        "organization": tidewater,
        "location": named(sandbox, "locations", "Test Lab"),
        "robot": named(sandbox, "robots", "picker-01"),
        "robot_part": named(sandbox, "parts", "picker-01-main"),
    }
    data = {"aisle": 4.5, "gates": ["a", {"b": True}]}
    for kind, identifier in things.items():
        await getattr(cloud, f"update_{kind}_metadata")(identifier, data)
        assert await getattr(cloud, f"get_{kind}_metadata")(identifier) == data


@drives("create_oauth_app_user")
async def test_a_user_of_an_application_is_registered(cloud: Any, sandbox: Sandbox, tidewater: str) -> None:
    client_id = sandbox.store.value("SELECT client_id FROM oauth_apps")
    user = await cloud.create_oauth_app_user(tidewater, client_id, "a@b.example", "Ada", "Byron", "long enough")
    assert user.user_id == sandbox.store.value("SELECT id FROM oauth_users WHERE email = 'a@b.example'")


@drives(
    "set_firebase_config",
    "get_firebase_config",
    "delete_firebase_config",
    "upload_device_push_token",
    "get_device_push_tokens",
    "delete_device_push_token",
)
async def test_phones_are_registered_with_a_firebase_project(cloud: Any, kestrel: str) -> None:
    device = "12121212-0000-4000-8000-000000000001"
    await cloud.set_firebase_config(kestrel, "1:2:android:3", "{}")
    assert await cloud.get_firebase_config(kestrel) == "1:2:android:3"
    await cloud.upload_device_push_token("1:2:android:3", "token", device)
    assert await cloud.get_device_push_tokens("1:2:android:3") == ["token"]
    await cloud.delete_device_push_token("1:2:android:3", device)
    assert await cloud.get_device_push_tokens("1:2:android:3") == []
    await cloud.delete_firebase_config(kestrel, "1:2:android:3")
    with pytest.raises(GRPCError) as gone:
        await cloud.get_firebase_config(kestrel)
    assert gone.value.status is Status.NOT_FOUND
