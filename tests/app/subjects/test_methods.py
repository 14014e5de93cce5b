"""Every method: its signature, the request that it sends, and what it returns."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import viam_mcp.app
from tests.app.service import Service, hang, reply
from tests.app.subjects.requests import CALLS
from viam_mcp.app import (
    APIKeyAuthorization,
    AppClient,
    DeadlineExceeded,
    InvalidArgument,
)
from viam_mcp.proto import POOL

if TYPE_CHECKING:
    from google.protobuf.message import Message

# What the API's documentation has, and after the bar what it has gained since. `share_location` and
# `unshare_location` are among them.
SIGNATURES = """
get_user_id_by_email(email)
create_organization(name)
list_organizations()
get_organizations_with_access_to_location(location_id)
list_organizations_by_user(user_id)
get_organization(org_id)
get_organization_namespace_availability(public_namespace)
update_organization(org_id, name=None, public_namespace=None, region=None, cid=None | default_fragments=None)
delete_organization(org_id)
list_organization_members(org_id)
create_organization_invite(org_id, email, authorizations=None, send_email_invite=True)
update_organization_invite_authorizations(org_id, email, add_authorizations=None, remove_authorizations=None)
delete_organization_member(org_id, user_id)
delete_organization_invite(org_id, email)
resend_organization_invite(org_id, email)
create_location(org_id, name, parent_location_id=None)
get_location(location_id=None)
update_location(location_id, name=None, parent_location_id=None)
delete_location(location_id)
list_locations(org_id)
share_location(organization_id, location_id)
unshare_location(organization_id, location_id)
location_auth(location_id=None)
create_location_secret(location_id=None)
delete_location_secret(secret_id, location_id=None)
get_robot(robot_id)
get_rover_rental_robots(org_id)
get_robot_parts(robot_id)
get_robot_part(robot_part_id, dest=None, indent=4)
get_robot_part_logs(robot_part_id, filter=None, dest=None, log_levels=(), num_log_entries=100 | start=None, end=None, order=None, range=None)
tail_robot_part_logs(robot_part_id, errors_only=True, filter=None)
get_robot_part_history(robot_part_id | start=None, end=None, page_limit=None)
update_robot_part(robot_part_id, name, robot_config=None | last_known_update=None, robot_config_json=None)
new_robot_part(robot_id, part_name)
delete_robot_part(robot_part_id)
get_robot_api_keys(robot_id)
mark_part_as_main(robot_part_id)
mark_part_for_restart(robot_part_id)
create_robot_part_secret(robot_part_id)
delete_robot_part_secret(robot_part_id, secret_id)
list_robots(location_id=None)
new_robot(name, location_id=None)
update_robot(robot_id, name, location_id=None)
delete_robot(robot_id)
list_fragments(org_id, show_public=True, visibilities=None)
get_fragment(fragment_id | version=None)
create_fragment(org_id, name, config=None)
update_fragment(fragment_id, name, config=None, public=None, visibility=None | last_known_update=None)
delete_fragment(fragment_id)
get_fragment_history(id, page_token='', page_limit=10)
add_role(org_id, identity_id, role, resource_type, resource_id)
remove_role(org_id, identity_id, role, resource_type, resource_id)
change_role(organization_id, old_identity_id, old_role, old_resource_type, old_resource_id, new_identity_id, new_role, new_resource_type, new_resource_id)
list_authorizations(org_id, resource_ids=None)
check_permissions(permissions)
get_registry_item(item_id | include_markdown_documentation=False)
create_registry_item(organization_id, name, type)
update_registry_item(item_id, type, description, visibility)
list_registry_items(organization_id, types, visibilities, platforms, statuses, search_term=None, page_token=None)
delete_registry_item(item_id)
create_module(org_id, name)
update_module(module_id, url, description, models, entrypoint, public=False)
upload_module_file(module_file_info, file)
get_module(module_id)
list_modules(org_id)
create_key(org_id, authorizations, name=None)
delete_key(id)
create_key_from_existing_key_authorizations(id)
list_keys(org_id)
rotate_key(id)
create_oauth_app_user(org_id, application_id, email, first_name, last_name, password, timeout=None)
set_config_property(robot_part_id, property_changes, timeout=None)
list_robots_for_locations(location_ids)
add_favorite_machine(machine_id, timeout=None)
remove_favorite_machine(machine_id, timeout=None)
list_favorite_machines(timeout=None)
deprecate_registry_item(item_id, message)
undeprecate_registry_item(item_id)
deprecate_registry_item_version(item_id, version, message)
undeprecate_registry_item_version(item_id, version)
get_organization_metadata(org_id)
update_organization_metadata(org_id, metadata)
get_location_metadata(location_id)
update_location_metadata(location_id, metadata)
get_robot_metadata(robot_id)
update_robot_metadata(robot_id, metadata)
get_robot_part_metadata(robot_part_id)
update_robot_part_metadata(robot_part_id, metadata)
upload_device_push_token(app_id, device_token, device_uuid, timeout=None)
delete_device_push_token(app_id, device_uuid, timeout=None)
get_device_push_tokens(app_id, timeout=None)
set_firebase_config(org_id, app_id, config_json, timeout=None)
get_firebase_config(org_id, timeout=None)
delete_firebase_config(org_id, app_id, timeout=None)
"""  # noqa: E501
METHODS = SIGNATURES.split("\n")[1:-1]
RPCS = {rpc.name: rpc for rpc in POOL.FindServiceByName("viam.app.v1.AppService").methods}
# Methods that give more of an answer than the documented ones do.
EXTRA = {"fragment_details", "robot_part_history_page", "robot_part_logs_page"}
# Streams, which tests of their own call.
STREAMS = {"tail_robot_part_logs": "TailRobotPartLogs"}


@pytest.mark.parametrize(
    ("method", "args", "kwargs", "request_", "response", "gives"),
    CALLS,
    ids=[f"{number}-{call[0]}" for number, call in enumerate(CALLS)],
)
async def test_a_method_sends_its_request_and_returns_what_the_answer_holds(
    service: Service,
    client: AppClient,
    method: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    request_: Message,
    response: Message,
    gives: Any,
) -> None:
    rpc = type(request_).__name__.removesuffix("Request")
    service.on(rpc, reply(response))
    assert await getattr(client, method)(*args, **kwargs) == gives
    (call,) = service.received(rpc)
    assert call.requests == [request_]


@pytest.mark.parametrize("line", METHODS, ids=[line.partition("(")[0] for line in METHODS])
def test_a_method_has_the_parameters_of_the_api(line: str) -> None:
    name, _, parameters = line.partition("(")
    documented = parameters.removesuffix(")").replace(" | ", ", ").strip(" |,")
    signature = inspect.signature(getattr(AppClient, name))
    ours = [
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"
        for parameter in list(signature.parameters.values())[1:]
        if parameter.kind is not parameter.KEYWORD_ONLY
    ]
    assert ", ".join(ours) == documented.replace("robot_part_id | ", "robot_part_id, ")


def public_methods() -> set[str]:
    members = inspect.getmembers(AppClient, inspect.iscoroutinefunction)
    return {name for name, _ in members if not name.startswith("_")}


def test_every_rpc_of_the_contract_has_a_method_that_is_called_above() -> None:
    called = {type(request).__name__.removesuffix("Request") for _, _, _, request, _, _ in CALLS}
    assert called | set(STREAMS.values()) == RPCS.keys()
    assert {call[0] for call in CALLS} | STREAMS.keys() == public_methods()


def test_a_method_is_named_like_its_rpc() -> None:
    rpcs = {name.lower() for name in RPCS}
    assert {name for name in public_methods() if name.replace("_", "") not in rpcs} == EXTRA


def test_every_method_and_every_documented_one_is_there_and_says_what_it_does() -> None:
    assert {line.partition("(")[0] for line in METHODS} <= public_methods()
    assert [name for name in public_methods() if not inspect.getdoc(getattr(AppClient, name))] == []


async def test_a_timeout_of_a_call_holds_instead_of_the_clients(service: Service, client: AppClient) -> None:
    service.on("ListFavoriteMachines", hang)
    with pytest.raises(DeadlineExceeded, match=r"within 0\.05 s"):
        await client.list_favorite_machines(timeout=0.05)


def test_the_package_exports_what_the_documentation_does_and_all_of_it_exists() -> None:
    exported = set(viam_mcp.app.__all__)
    assert exported >= {
        "APIKeyAuthorization", "AppClient", "Fragment", "FragmentHistoryEntry", "LOGGER", "LogEntry", "RobotPart",
        "RobotPartHistoryEntry", "connect",
    }  # fmt: skip
    assert all(hasattr(viam_mcp.app, name) for name in exported)
    assert viam_mcp.app.__all__ == sorted(viam_mcp.app.__all__, key=lambda name: (not name.isupper(), name))


@pytest.mark.parametrize(
    "call",
    [
        ("get_location",),
        ("location_auth",),
        ("create_location_secret",),
        ("delete_location_secret", "s"),
        ("list_robots",),
        ("new_robot", "rover"),
        ("update_robot", "r", "rover"),
    ],
)
async def test_a_location_falls_back_to_the_default_and_is_asked_for_without_one(
    service: Service, client: AppClient, call: tuple[str, ...]
) -> None:
    method, *args = call
    with pytest.raises(InvalidArgument, match="no location was named"):
        await getattr(client, method)(*args)
    assert len(service.calls) == 1
    await getattr(AppClient(client._session, {}, "default"), method)(*args)
    request = service.calls[-1].request
    assert getattr(request, "location_id", None) or request.location == "default"


@pytest.mark.parametrize(
    ("role", "kind", "complaint"),
    [
        ("admin", "robot", "role is 'admin'.*owner, operator"),
        ("owner", "machine", "resource_type is 'machine'.*organization, location, robot"),
    ],
)
async def test_a_role_that_does_not_exist_is_refused_before_any_call(
    service: Service, client: AppClient, role: Any, kind: Any, complaint: str
) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        await client.add_role("o", "u", role, kind, "r")
    with pytest.raises(InvalidArgument, match=complaint):
        APIKeyAuthorization(role, kind, "r")
    assert not service.received("AddRole")


async def test_a_key_without_a_name_is_named_by_the_time(service: Service, client: AppClient) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    await client.create_key("o", [APIKeyAuthorization("owner", "organization", "o")])
    name = service.received("CreateKey")[0].request.name
    assert before <= datetime.fromisoformat(name) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"a": [{"b": {1, 2}}]}, r"robot_config\.a\[0\]\.b is of type set"),
        ({"a": float("nan")}, r"robot_config\.a is nan"),
    ],
)
async def test_a_configuration_that_cannot_be_sent_is_refused_before_any_call(
    service: Service, client: AppClient, config: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        await client.update_robot_part("p", "arm", config)
    assert not service.received("UpdateRobotPart")
