"""Our client and messages against a server on the official SDK's generated base."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import viam_mcp.proto.app as our_wire
import viam_mcp.proto.app.packages as our_packages
from tests.interop import official
from tests.interop.official_service import RPCS, Service, filled, serving
from viam_mcp.app import APIKeyAuthorization, AppClient, Fragment, to_struct
from viam_mcp.proto import POOL
from viam_mcp.proto.app.v1.app_grpc import AppServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from grpclib.client import Channel

OUR_RPCS = {rpc.name: rpc for rpc in POOL.FindServiceByName("viam.app.v1.AppService").methods}
OURS = SimpleNamespace(wire=our_wire, packages=our_packages, Fragment=Fragment, Key=APIKeyAuthorization)
THEIRS = SimpleNamespace(
    wire=official.wire, packages=official.packages, Fragment=official.Fragment, Key=official.APIKeyAuthorization
)
METADATA = {"authorization": "Bearer of-no-worth"}
TIME = datetime(2026, 1, 31, 8, 0, 0, 250_000, UTC)
CONFIG = {"components": [{"name": "arm", "speed": 1.5, "on": True}], "empty": {}}
ROLE = {"role": "owner", "resource_type": "location", "resource_id": "r"}


def arguments(sdk: Any) -> dict[str, dict[str, Any]]:
    """Arguments for every method, in the classes of one SDK."""
    role = sdk.wire.Authorization(authorization_type="role", authorization_id="robot_owner", resource_id="r")
    permission = sdk.wire.AuthorizedPermissions(resource_type="robot", resource_id="r", permissions=["read_robot"])
    info = sdk.wire.ModuleFileInfo(module_id="o:m", version="1.0.0", platform="any")
    model = sdk.wire.Model(api="rdk:component:arm", model="o:m:arm")
    module, public = sdk.packages.PackageType.PACKAGE_TYPE_MODULE, sdk.wire.Visibility.VISIBILITY_PUBLIC
    imported = sdk.wire.FragmentImport(fragment_id="f", version="stable")
    org, location, robot, part = {"org_id": "o"}, {"location_id": "l"}, {"robot_id": "r"}, {"robot_part_id": "p"}
    email = {**org, "email": "a@example.com"}
    shared = {"organization_id": "o", **location}
    item = {"item_id": "o:i"}
    old, new = ({f"{when}_{name}": value for name, value in ROLE.items()} for when in ("old", "new"))
    return {
        "get_user_id_by_email": {"email": "a@example.com"},
        "create_organization": {"name": "n"},
        "list_organizations": {},
        "get_organizations_with_access_to_location": location,
        "list_organizations_by_user": {"user_id": "u"},
        "get_organization": org,
        "get_organization_namespace_availability": {"public_namespace": "n"},
        "update_organization": {**org, "name": "n", "region": "eu", "cid": "", "default_fragments": [imported]},
        "delete_organization": org,
        "list_organization_members": org,
        "create_organization_invite": {**email, "authorizations": [role], "send_email_invite": False},
        "update_organization_invite_authorizations": {
            **email,
            "add_authorizations": [role],
            "remove_authorizations": [role],
        },
        "delete_organization_member": {**org, "user_id": "u"},
        "delete_organization_invite": email,
        "resend_organization_invite": email,
        "create_location": {**org, "name": "n", "parent_location_id": "l"},
        "get_location": location,
        "update_location": {**location, "name": "n", "parent_location_id": ""},
        "delete_location": location,
        "list_locations": org,
        "share_location": shared,
        "unshare_location": shared,
        "location_auth": location,
        "create_location_secret": location,
        "delete_location_secret": {**location, "secret_id": "s"},
        "get_robot": robot,
        "get_rover_rental_robots": org,
        "get_robot_api_keys": robot,
        "list_robots": location,
        "new_robot": {**location, "name": "n"},
        "update_robot": {**robot, **location, "name": "n"},
        "delete_robot": robot,
        "get_robot_parts": robot,
        "get_robot_part": part,
        "get_robot_part_history": {**part, "start": TIME, "end": TIME, "page_limit": 7},
        "update_robot_part": {**part, "name": "n", "robot_config": CONFIG, "last_known_update": TIME},
        "new_robot_part": {**robot, "part_name": "n"},
        "delete_robot_part": part,
        "mark_part_as_main": part,
        "mark_part_for_restart": part,
        "create_robot_part_secret": part,
        "delete_robot_part_secret": {**part, "secret_id": "s"},
        "get_robot_part_logs": {
            **part,
            "filter": "f",
            "log_levels": ["error"],
            "num_log_entries": 0,
            "start": TIME,
            "order": sdk.wire.LogOrder.LOG_ORDER_ASCENDING,
            "range": "10m",
        },
        "tail_robot_part_logs": {**part, "errors_only": False, "filter": "f"},
        "list_fragments": {**org, "show_public": False, "visibilities": [sdk.Fragment.Visibility.PUBLIC_UNLISTED]},
        "get_fragment": {"fragment_id": "f", "version": "stable"},
        "create_fragment": {**org, "name": "n", "config": CONFIG},
        "update_fragment": {
            "fragment_id": "f",
            "name": "n",
            "config": CONFIG,
            "public": False,
            "visibility": sdk.Fragment.Visibility.PRIVATE,
            "last_known_update": TIME,
        },
        "delete_fragment": {"fragment_id": "f"},
        "get_fragment_history": {"id": "f", "page_token": "t", "page_limit": 7},
        "add_role": {**org, "identity_id": "i", **ROLE},
        "remove_role": {**org, "identity_id": "i", **ROLE},
        "change_role": {"organization_id": "o", "old_identity_id": "i", "new_identity_id": "j", **old, **new},
        "list_authorizations": {**org, "resource_ids": ["r"]},
        "check_permissions": {"permissions": [permission]},
        "get_registry_item": {**item, "include_markdown_documentation": True},
        "create_registry_item": {"organization_id": "o", "name": "n", "type": module},
        "update_registry_item": {**item, "type": module, "description": "d", "visibility": public},
        "list_registry_items": {
            "organization_id": "o",
            "types": [module],
            "visibilities": [public],
            "platforms": ["any"],
            "statuses": [sdk.wire.RegistryItemStatus.REGISTRY_ITEM_STATUS_PUBLISHED],
            "search_term": "s",
            "page_token": "t",
        },
        "delete_registry_item": item,
        "create_module": {**org, "name": "n"},
        "update_module": {
            "module_id": "o:m",
            "url": "u",
            "description": "d",
            "models": [model],
            "entrypoint": "e",
            "public": True,
        },
        "upload_module_file": {"module_file_info": info, "file": b"\0\1\2"},
        "get_module": {"module_id": "o:m"},
        "list_modules": org,
        "create_key": {**org, "authorizations": [sdk.Key(**ROLE)], "name": "n"},
        "delete_key": {"id": "k"},
        "create_key_from_existing_key_authorizations": {"id": "k"},
        "list_keys": org,
        "rotate_key": {"id": "k"},
        "list_robots_for_locations": {"location_ids": ["l", "m"]},
        "set_config_property": {**part, "property_changes": {"a.b": 1.5, "c": ["x", {"d": True}], "e": None}},
        "add_favorite_machine": {"machine_id": "r"},
        "remove_favorite_machine": {"machine_id": "r"},
        "list_favorite_machines": {},
        "deprecate_registry_item": {**item, "message": "m"},
        "undeprecate_registry_item": item,
        "deprecate_registry_item_version": {**item, "version": "1.0.0", "message": "m"},
        "undeprecate_registry_item_version": {**item, "version": "1.0.0"},
        "get_organization_metadata": org,
        "update_organization_metadata": {**org, "metadata": CONFIG},
        "get_location_metadata": location,
        "update_location_metadata": {**location, "metadata": CONFIG},
        "get_robot_metadata": robot,
        "update_robot_metadata": {**robot, "metadata": CONFIG},
        "get_robot_part_metadata": part,
        "update_robot_part_metadata": {**part, "metadata": CONFIG},
        "create_oauth_app_user": {
            **email,
            "application_id": "c",
            "first_name": "f",
            "last_name": "l",
            "password": "p",
        },
        "upload_device_push_token": {"app_id": "a", "device_token": "t", "device_uuid": "d"},
        "delete_device_push_token": {"app_id": "a", "device_uuid": "d"},
        "get_device_push_tokens": {"app_id": "a"},
        "set_firebase_config": {**org, "app_id": "a", "config_json": "{}"},
        "get_firebase_config": org,
        "delete_firebase_config": {**org, "app_id": "a"},
    }


METHODS = sorted(arguments(OURS))

# We ask for pages of a size, and name a page only where there is one.
ASKED_OTHERWISE = {"get_robot_part_logs": ["limit", "page_token"]}

# What methods do not give, as the page of the official client has it.
NOT_GIVEN = {
    "GetRobotPart": {"config_json"},
    "ListOrganizationMembers": {"organization_id"},
    "ListFragments": {"fragment_usages"},
    "GetFragment": {"fragment_usage", "revisions", "tags"},
}


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def channel(service: Service) -> AsyncIterator[Channel]:
    async with serving(service) as channel:
        yield channel


def test_every_method_that_both_clients_have_is_compared() -> None:
    assert set(METHODS) == official.SHARED


async def test_every_rpc_carries_messages_both_ways_byte_for_byte(service: Service, channel: Channel) -> None:
    stub = AppServiceStub(channel)
    for name, rpc in OUR_RPCS.items():
        request = filled(GetMessageClass(rpc.input_type))
        async with getattr(stub, name).open(metadata=METADATA) as stream:
            await stream.send_message(request, end=True)
            answer = await stream.recv_message()
        (asked,) = service.asked[name]
        assert as_sent(asked) == as_sent(request), name
        assert type(answer) is GetMessageClass(rpc.output_type)
        assert as_sent(answer) == as_sent(service.answers[name]), name
    assert service.asked.keys() == RPCS.keys()


@pytest.mark.parametrize("method", METHODS)
async def test_our_client_asks_what_the_official_one_asks_and_gives_what_was_answered(
    service: Service, channel: Channel, method: str
) -> None:
    ours, theirs = AppClient(channel, METADATA), official.AppClient(channel, METADATA)
    await drained(await getattr(theirs, method)(**arguments(THEIRS)[method]))
    ((rpc, expected),) = service.asked.items()
    service.asked.clear()

    result = await drained(await getattr(ours, method)(**arguments(OURS)[method]))
    ((also, asked),) = service.asked.items()
    assert also == rpc
    for request in (*asked, *expected):
        for name in ASKED_OTHERWISE.get(method, ()):
            request.ClearField(name)
    assert [as_sent(request) for request in asked] == [as_sent(request) for request in expected]

    answered = {field.name: list(pieces(value)) for field, value in service.answers[rpc].ListFields()}
    if isinstance(result, Message) and OUR_RPCS[rpc].output_type == result.DESCRIPTOR:
        result = [value for _, value in result.ListFields()]
    given = list(pieces(result))
    for name in NOT_GIVEN.get(rpc, ()):
        del answered[name]
    assert sorted(given, key=repr) == sorted((piece for part in answered.values() for piece in part), key=repr)


async def drained(result: Any) -> Any:
    """A stream of batches as one list; anything else as it is."""
    if not hasattr(result, "__anext__"):
        return result
    return [item async for batch in result for item in batch]


def pieces(value: Any) -> Any:
    """The messages, as they travel, and the plain values that something consists of."""
    if isinstance(value, Message):
        yield as_sent(value)
    elif hasattr(value, "proto"):
        yield as_sent(value.proto)
    elif isinstance(value, str | bool):
        yield value
    elif isinstance(value, dict):
        struct = to_struct(value, "metadata")
        assert struct is not None
        yield as_sent(struct)
    elif value is not None:
        for item in value:
            yield from pieces(item)


def as_sent(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
