"""Our wire contract says what the official SDK's says, name by name and number by number."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor, ServiceDescriptor

import viam_mcp.proto
from tests.interop import official  # noqa: F401 - fills the default pool
from viam_mcp.proto import POOL

THEIRS = descriptor_pool.Default()
OURS: dict[str, FileDescriptor] = {
    module.DESCRIPTOR.name: module.DESCRIPTOR
    for module in (
        import_module(found.name)
        for found in pkgutil.walk_packages(viam_mcp.proto.__path__, "viam_mcp.proto.")
        if found.name.endswith("_pb2")
    )
}
SERVICES = ("viam.app.v1.AppService", "proto.rpc.v1.AuthService")


def field(descriptor: FieldDescriptor) -> dict[str, Any]:
    oneof, kind = descriptor.containing_oneof, descriptor.message_type or descriptor.enum_type
    return {
        "number": descriptor.number,
        "type": descriptor.type,
        "of": kind and kind.full_name,
        "repeated": descriptor.is_repeated,
        "presence": descriptor.has_presence,
        "oneof": oneof and oneof.name,
        "packed": descriptor.is_packed,
        "deprecated": descriptor.GetOptions().deprecated,
        "json": descriptor.json_name,
        "default": descriptor.default_value if descriptor.type != FieldDescriptor.TYPE_MESSAGE else None,
    }


def enum(descriptor: EnumDescriptor) -> dict[str, Any]:
    return {value.name: (value.number, value.GetOptions().deprecated) for value in descriptor.values}


def message(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "fields": {each.name: field(each) for each in descriptor.fields},
        "oneofs": {each.name: [member.name for member in each.fields] for each in descriptor.oneofs},
        "enums": {each.name: enum(each) for each in descriptor.enum_types},
        "messages": {each.name: message(each) for each in descriptor.nested_types},
        "map": descriptor.GetOptions().map_entry,
        "deprecated": descriptor.GetOptions().deprecated,
    }


def service(descriptor: ServiceDescriptor) -> dict[str, Any]:
    return {
        rpc.name: {
            "request": rpc.input_type.full_name,
            "response": rpc.output_type.full_name,
            "client_streaming": rpc.client_streaming,
            "server_streaming": rpc.server_streaming,
            "deprecated": rpc.GetOptions().deprecated,
        }
        for rpc in descriptor.methods
    }


def messages(file: FileDescriptor) -> dict[str, Any]:
    return {name: message(descriptor) for name, descriptor in file.message_types_by_name.items()}


def enums(file: FileDescriptor) -> dict[str, Any]:
    return {name: enum(descriptor) for name, descriptor in file.enum_types_by_name.items()}


def test_the_contract_covers_the_fleet_api_and_signing_in() -> None:
    assert {"app/v1/app.proto", "proto/rpc/v1/auth.proto", "common/v1/common.proto"} <= OURS.keys()
    assert len(POOL.FindServiceByName("viam.app.v1.AppService").methods) == 124


@pytest.mark.parametrize("name", sorted(OURS))
def test_whatever_we_define_is_defined_alike_by_the_official_sdk(name: str) -> None:
    ours, theirs = OURS[name], THEIRS.FindFileByName(name)
    assert ours.pool is not theirs.pool
    assert ours.package == theirs.package
    their_messages, their_enums = messages(theirs), enums(theirs)
    for kind, shape in messages(ours).items():
        assert shape == their_messages[kind], kind
    for kind, values in enums(ours).items():
        assert values == their_enums[kind], kind


@pytest.mark.parametrize("name", ["app/v1/app.proto", "proto/rpc/v1/auth.proto"])
def test_whatever_the_official_sdk_defines_for_the_app_is_defined_here(name: str) -> None:
    ours, theirs = OURS[name], THEIRS.FindFileByName(name)
    assert messages(ours).keys() == messages(theirs).keys()
    assert enums(ours).keys() == enums(theirs).keys()


@pytest.mark.parametrize("name", SERVICES)
def test_every_rpc_has_the_name_types_and_streams_of_the_official_sdk(name: str) -> None:
    assert service(POOL.FindServiceByName(name)) == service(THEIRS.FindServiceByName(name))
