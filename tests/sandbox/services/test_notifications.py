"""Push tokens and Firebase configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.client import key_of, named, signed_in
from viam_mcp.app import InvalidArgument, NotFound, PermissionDenied
from viam_mcp.sandbox.demo import fleet
from viam_mcp.sandbox.demo.extras import PHONE

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

DEVICE = "12121212-0000-4000-8000-000000000001"


@pytest.fixture
def tidewater(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.TIDEWATER)


@pytest.fixture
async def firebase(app: AppClient, tidewater: str) -> str:
    """The application that the demo fleet has."""
    return await app.get_firebase_config(tidewater)


async def test_a_device_has_one_token_and_another_replaces_it(app: AppClient, firebase: str) -> None:
    (present,) = await app.get_device_push_tokens(firebase)
    await app.upload_device_push_token(firebase, "first", DEVICE)
    assert await app.get_device_push_tokens(firebase) == ["first", present]
    await app.upload_device_push_token(firebase, "second", DEVICE)
    assert await app.get_device_push_tokens(firebase) == ["second", present]
    await app.delete_device_push_token(firebase, DEVICE)
    assert await app.get_device_push_tokens(firebase) == [present]
    with pytest.raises(NotFound, match="push token of device"):
        await app.delete_device_push_token(firebase, DEVICE)


async def test_tokens_are_the_callers_own_and_go_with_its_key(sandbox: Sandbox, app: AppClient, firebase: str) -> None:
    key_id, _ = key_of(sandbox, "fleet-dashboard")
    async with signed_in(sandbox, "fleet-dashboard") as other:
        assert await other.get_device_push_tokens(firebase) == []
        await other.upload_device_push_token(firebase, "theirs", PHONE)
        assert await other.get_device_push_tokens(firebase) == ["theirs"]
    await app.delete_key(key_id)
    assert sandbox.store.value("SELECT count(*) FROM push_tokens WHERE token = 'theirs'") == 0


async def test_a_token_needs_an_application_a_device_and_a_value(app: AppClient, firebase: str) -> None:
    with pytest.raises(NotFound, match="Firebase configuration for application"):
        await app.upload_device_push_token("unknown", "token", DEVICE)
    with pytest.raises(NotFound):
        await app.get_device_push_tokens("unknown")
    with pytest.raises(InvalidArgument, match="device_uuid: expected a UUID"):
        await app.upload_device_push_token(firebase, "token", "phone")
    with pytest.raises(InvalidArgument, match="device_token is empty"):
        await app.upload_device_push_token(firebase, "", DEVICE)


async def test_a_firebase_configuration_is_set_replaced_and_deleted(sandbox: Sandbox, app: AppClient) -> None:
    kestrel = named(sandbox, "organizations", fleet.KESTREL)
    with pytest.raises(NotFound, match="Firebase configuration"):
        await app.get_firebase_config(kestrel)
    await app.set_firebase_config(kestrel, "one", '{"project_id": "k"}')
    assert await app.get_firebase_config(kestrel) == "one"
    await app.upload_device_push_token("one", "token", DEVICE)
    await app.set_firebase_config(kestrel, "one", '{"project_id": "l"}')
    assert await app.get_device_push_tokens("one") == ["token"]
    await app.set_firebase_config(kestrel, "two", "{}")
    assert await app.get_firebase_config(kestrel) == "two"
    with pytest.raises(NotFound, match="'one'"):
        await app.delete_firebase_config(kestrel, "one")
    await app.delete_firebase_config(kestrel, "two")
    with pytest.raises(NotFound):
        await app.get_firebase_config(kestrel)


async def test_tokens_end_with_the_application_that_they_belong_to(
    sandbox: Sandbox, app: AppClient, tidewater: str, firebase: str
) -> None:
    kestrel = named(sandbox, "organizations", fleet.KESTREL)
    count = "SELECT count(*) FROM push_tokens"
    await app.set_firebase_config(kestrel, firebase, "{}")
    await app.delete_firebase_config(tidewater, firebase)
    assert sandbox.store.value(count) == 1
    await app.set_firebase_config(kestrel, "another", "{}")
    assert sandbox.store.value(count) == 0


@pytest.mark.parametrize("config", ["", "[]", "{"])
async def test_a_configuration_that_is_no_json_object_is_refused(app: AppClient, tidewater: str, config: str) -> None:
    with pytest.raises(InvalidArgument, match="config_json"):
        await app.set_firebase_config(tidewater, "one", config)


async def test_only_owners_set_a_configuration(sandbox: Sandbox, tidewater: str, firebase: str) -> None:
    async with signed_in(sandbox, "fleet-dashboard") as operator:
        assert await operator.get_firebase_config(tidewater) == firebase
        with pytest.raises(PermissionDenied):
            await operator.set_firebase_config(tidewater, "one", "{}")
        with pytest.raises(PermissionDenied):
            await operator.delete_firebase_config(tidewater, firebase)
