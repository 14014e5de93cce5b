"""The registry: ids, names, types, visibility, filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from tests.sandbox.client import Calls, Client, connected, refused, role
from viam_mcp.proto import app
from viam_mcp.proto.app import mltraining, packages

if TYPE_CHECKING:
    from viam_mcp.sandbox import Sandbox

MODULE = packages.PACKAGE_TYPE_MODULE
MODEL = packages.PACKAGE_TYPE_ML_MODEL
TRAINING = packages.PACKAGE_TYPE_ML_TRAINING
PRIVATE, PUBLIC, UNLISTED = app.VISIBILITY_PRIVATE, app.VISIBILITY_PUBLIC, app.VISIBILITY_PUBLIC_UNLISTED


@pytest.fixture
async def org(call: Calls) -> str:
    """The id of an organization with the namespace "timber"."""
    org_id = (await call("CreateOrganization", name="Timber")).organization.id
    await call("UpdateOrganization", organization_id=org_id, public_namespace="timber")
    return str(org_id)


@pytest.fixture
async def nameless(call: Calls) -> str:
    """The id of an organization without a namespace."""
    return str((await call("CreateOrganization", name="Nameless")).organization.id)


async def create(call: Calls, org: str, name: str, type: int = MODULE, visibility: int = PRIVATE) -> None:
    await call("CreateRegistryItem", organization_id=org, name=name, type=type)
    if visibility != PRIVATE:
        await call("UpdateRegistryItem", item_id=f"timber:{name}", type=type, visibility=visibility)


async def get(call: Calls, item_id: str, **fields: Any) -> app.RegistryItem:
    found: app.RegistryItem = (await call("GetRegistryItem", item_id=item_id, **fields)).item
    return found


async def listed(call: Calls, **fields: Any) -> list[str]:
    return [item.item_id for item in (await call("ListRegistryItems", **fields)).items]


async def upload(client: Client, module_id: str, version: str, platform: str) -> None:
    info = app.ModuleFileInfo(module_id=module_id, version=version, platform=platform)
    pieces = [app.UploadModuleFileRequest(module_file_info=info), app.UploadModuleFileRequest(file=b"archive")]
    await client.app.UploadModuleFile(pieces, metadata=client.metadata)


async def test_a_new_item_is_private_and_has_two_ids(call: Calls, org: str) -> None:
    await create(call, org, "wheel", MODEL)
    item = await get(call, "timber:wheel")
    assert item == await get(call, f"{org}:wheel")
    assert (item.item_id, item.organization_id, item.public_namespace) == ("timber:wheel", org, "timber")
    assert (item.name, item.type, item.visibility) == ("wheel", MODEL, PRIVATE)
    assert item.created_at == item.updated_at


async def test_without_a_namespace_an_item_goes_by_its_organizations_id(call: Calls, nameless: str) -> None:
    await create(call, nameless, "wheel")
    assert (await get(call, f"{nameless}:wheel")).item_id == f"{nameless}:wheel"


@pytest.mark.parametrize("item_id", ["", "wheel", ":wheel", "timber:", "a:b:c"])
async def test_what_is_no_item_id_is_refused(call: Calls, item_id: str) -> None:
    for rpc in ("GetRegistryItem", "UpdateRegistryItem", "DeleteRegistryItem"):
        with refused(Status.INVALID_ARGUMENT, "namespace:name"):
            await call(rpc, item_id=item_id)


async def test_an_unknown_item_is_not_found(call: Calls) -> None:
    for rpc in ("GetRegistryItem", "UpdateRegistryItem", "DeleteRegistryItem"):
        with refused(Status.NOT_FOUND, "timber:nothing"):
            await call(rpc, item_id="timber:nothing")


@pytest.mark.parametrize("name", ["", "-x", "a b", "a:b", "é", "x" * 201])
async def test_an_items_name_has_a_form(call: Calls, org: str, name: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "registry item name"):
        await create(call, org, name)


async def test_item_names_are_unique_within_an_organization_whatever_the_type(
    call: Calls, org: str, nameless: str
) -> None:
    await create(call, org, "wheel", MODEL)
    await create(call, nameless, "wheel", MODEL)
    with refused(Status.ALREADY_EXISTS, "wheel", "Timber"):
        await create(call, org, "wheel", MODULE)


@pytest.mark.parametrize("type", [packages.PACKAGE_TYPE_UNSPECIFIED, 99])
async def test_an_item_has_a_type(call: Calls, org: str, type: int) -> None:
    with refused(Status.INVALID_ARGUMENT, "PACKAGE_TYPE_MODULE"):
        await create(call, org, "wheel", type)


async def test_an_update_sets_description_and_visibility(call: Calls, org: str) -> None:
    await create(call, org, "wheel", MODEL)
    await call("UpdateRegistryItem", item_id="timber:wheel", type=MODEL, description="Round", visibility=PUBLIC)
    item = await get(call, "timber:wheel")
    assert (item.description, item.visibility) == ("Round", PUBLIC)
    assert item.updated_at != item.created_at


async def test_an_unspecified_visibility_leaves_the_present_one(call: Calls, org: str) -> None:
    await create(call, org, "wheel", MODEL, PUBLIC)
    await call("UpdateRegistryItem", item_id="timber:wheel", type=MODEL, description="Round")
    assert (await get(call, "timber:wheel")).visibility == PUBLIC


async def test_a_long_description_is_sent_only_when_asked_for(call: Calls, org: str) -> None:
    await create(call, org, "wheel")
    await call("UpdateRegistryItem", item_id="timber:wheel", type=MODULE, markdown_description="# Wheel")
    assert not (await get(call, "timber:wheel")).module_metadata.HasField("markdown_description")
    item = await get(call, "timber:wheel", include_markdown_documentation=True)
    assert item.module_metadata.markdown_description == "# Wheel"


async def test_metadata_is_kept_by_type(call: Calls, org: str) -> None:
    shape: dict[str, Any] = {
        "model_type": mltraining.MODEL_TYPE_OBJECT_DETECTION,
        "model_framework": mltraining.MODEL_FRAMEWORK_ONNX,
    }
    await create(call, org, "wheel")
    await create(call, org, "eye", MODEL)
    await create(call, org, "school", TRAINING)
    model = app.Model(api="rdk:component:base", model="timber:wheel:round")
    changes: list[tuple[str, int, dict[str, Any]]] = [
        ("wheel", MODULE, {"update_module_metadata": app.UpdateModuleMetadata(models=[model], entrypoint="run")}),
        ("eye", MODEL, {"update_ml_model_metadata": app.UpdateMLModelMetadata(**shape)}),
        ("school", TRAINING, {"update_ml_training_metadata": app.UpdateMLTrainingMetadata(**shape, draft=True)}),
    ]
    for name, kind, metadata in changes:
        await call("UpdateRegistryItem", item_id=f"timber:{name}", type=kind, **metadata)
    wheel = (await get(call, "timber:wheel")).module_metadata
    assert (list(wheel.models), wheel.entrypoint) == ([model], "run")
    eye = (await get(call, "timber:eye")).ml_model_metadata
    assert (eye.model_type, eye.model_framework) == tuple(shape.values())
    school = (await get(call, "timber:school")).ml_training_metadata
    assert (school.model_type, school.model_framework, school.draft) == (*shape.values(), True)


async def test_an_items_type_does_not_change(call: Calls, org: str) -> None:
    await create(call, org, "wheel", MODEL)
    with refused(Status.INVALID_ARGUMENT, "PACKAGE_TYPE_ML_MODEL", "PACKAGE_TYPE_MODULE"):
        await call("UpdateRegistryItem", item_id="timber:wheel", type=MODULE)
    with refused(Status.INVALID_ARGUMENT, "update_module_metadata"):
        metadata = app.UpdateModuleMetadata(entrypoint="run")
        await call("UpdateRegistryItem", item_id="timber:wheel", type=MODEL, update_module_metadata=metadata)


async def test_what_is_not_kept_is_refused_rather_than_dropped(call: Calls, org: str) -> None:
    await create(call, org, "wheel")
    metadata = app.UpdateModuleMetadata(language=app.MODULE_LANGUAGE_PYTHON)
    with refused(Status.UNIMPLEMENTED, "language"):
        await call("UpdateRegistryItem", item_id="timber:wheel", type=MODULE, update_module_metadata=metadata)
    with refused(Status.UNIMPLEMENTED, "billing"):
        await call("UpdateRegistryItem", item_id="timber:wheel", type=MODULE, billing=app.RegistryItemBilling())
    with refused(Status.UNIMPLEMENTED, "module_languages"):
        await listed(call, module_languages=[app.MODULE_LANGUAGE_PYTHON])


async def test_a_public_item_needs_a_namespace(call: Calls, nameless: str) -> None:
    await create(call, nameless, "wheel")
    for visibility in (PUBLIC, UNLISTED):
        with refused(Status.FAILED_PRECONDITION, "namespace"):
            await call("UpdateRegistryItem", item_id=f"{nameless}:wheel", type=MODULE, visibility=visibility)


async def test_an_item_that_others_use_stays_public_and_is_not_deleted(call: Calls, sandbox: Sandbox, org: str) -> None:
    await create(call, org, "wheel", visibility=PUBLIC)
    sandbox.store.run(
        "UPDATE registry_items SET external_robot_usage = 3, external_org_usage = 2 WHERE org_id = ?", org
    )
    with refused(Status.FAILED_PRECONDITION, "3 machines of 2 other organizations"):
        await call("UpdateRegistryItem", item_id="timber:wheel", type=MODULE, visibility=PRIVATE)
    with refused(Status.FAILED_PRECONDITION, "3 machines of 2 other organizations"):
        await call("DeleteRegistryItem", item_id="timber:wheel")
    assert (await get(call, "timber:wheel")).visibility == PUBLIC


async def test_an_item_that_nobody_else_uses_is_made_private_and_deleted(call: Calls, org: str) -> None:
    await create(call, org, "wheel", visibility=PUBLIC)
    await call("UpdateRegistryItem", item_id="timber:wheel", type=MODULE, visibility=PRIVATE)
    await call("DeleteRegistryItem", item_id="timber:wheel")
    with refused(Status.NOT_FOUND, "timber:wheel"):
        await get(call, "timber:wheel")


async def test_strangers_see_public_items_list_no_unlisted_ones_and_change_nothing(
    call: Calls, sandbox: Sandbox, org: str, nameless: str
) -> None:
    for name, visibility in (("private", PRIVATE), ("public", PUBLIC), ("unlisted", UNLISTED)):
        await create(call, org, name, visibility=visibility)
    key = await call("CreateKey", name="stranger", authorizations=[role(nameless, "organization", nameless)])
    async with connected(sandbox, key.id, key.key) as stranger:
        assert (await get(stranger, "timber:unlisted")).name == "unlisted"
        with refused(Status.NOT_FOUND, "timber:private"):
            await get(stranger, "timber:private")
        assert await listed(stranger, public_namespaces=["timber"]) == ["timber:public"]
        with refused(Status.PERMISSION_DENIED, "owners"):
            await stranger("DeleteRegistryItem", item_id="timber:public")


async def test_lists_are_filtered_by_type_visibility_and_term(call: Calls, org: str) -> None:
    await create(call, org, "wheel", MODULE, PUBLIC)
    await create(call, org, "eye", MODEL)
    await call("UpdateRegistryItem", item_id="timber:eye", type=MODEL, description="Sees WHEELS")
    assert await listed(call, organization_id=org) == ["timber:eye", "timber:wheel"]
    assert await listed(call, organization_id=org, types=[MODEL, TRAINING]) == ["timber:eye"]
    assert await listed(call, organization_id=org, visibilities=[PUBLIC]) == ["timber:wheel"]
    assert await listed(call, organization_id=org, search_term="Wheel") == ["timber:eye", "timber:wheel"]
    assert await listed(call, organization_id=org, search_term="sees") == ["timber:eye"]


async def test_lists_are_filtered_by_platform_where_any_matches_every(client: Client, org: str) -> None:
    for name, platform in (("anywhere", "any"), ("mac", "darwin/arm64"), ("pi", "linux/arm64")):
        await create(client, org, name)
        await upload(client, f"timber:{name}", "1.0.0", platform)
    await create(client, org, "nothing")
    assert await listed(client, organization_id=org, platforms=["linux/any"]) == ["timber:anywhere", "timber:pi"]
    assert await listed(client, organization_id=org, platforms=["any/arm64"]) == [
        "timber:anywhere",
        "timber:mac",
        "timber:pi",
    ]
    assert await listed(client, organization_id=org, platforms=["windows/amd64"]) == ["timber:anywhere"]
    assert len(await listed(client, organization_id=org, platforms=[""])) == 4


async def test_an_item_is_published_once_it_has_a_version(client: Client, org: str) -> None:
    published, developed = [app.REGISTRY_ITEM_STATUS_PUBLISHED], [app.REGISTRY_ITEM_STATUS_IN_DEVELOPMENT]
    await create(client, org, "wheel")
    assert await listed(client, organization_id=org, statuses=published) == []
    assert await listed(client, organization_id=org, statuses=developed) == ["timber:wheel"]
    await upload(client, "timber:wheel", "1.0.0", "any")
    assert await listed(client, organization_id=org, statuses=published) == ["timber:wheel"]
    assert await listed(client, organization_id=org, statuses=developed) == []


async def test_a_page_token_is_the_id_of_the_last_item_seen(call: Calls, org: str) -> None:
    for name in ("a", "b", "c"):
        await create(call, org, name)
    assert await listed(call, organization_id=org, page_token="timber:a") == ["timber:b", "timber:c"]
    assert await listed(call, organization_id=org, page_token="timber:c") == []
    with refused(Status.INVALID_ARGUMENT, "page_token"):
        await listed(call, organization_id=org, page_token="2")


async def test_a_model_has_its_versions_with_their_times(call: Calls, sandbox: Sandbox, org: str) -> None:
    await create(call, org, "eye", MODEL)
    created = (await get(call, "timber:eye")).created_at
    second = (created.seconds + 1) * 10**9
    for version, time in (("0.10.0", second), ("0.9.0", second + 10**9)):
        sandbox.store.insert(
            "registry_uploads",
            org_id=org,
            name="eye",
            version=version,
            platform="any",
            uploaded_at=time,
            size=1,
            sha256="",
        )
    metadata = (await get(call, "timber:eye")).ml_model_metadata
    assert list(metadata.versions) == ["0.9.0", "0.10.0"]
    assert [version.created_on.seconds - created.seconds for version in metadata.detailed_versions] == [2, 1]
