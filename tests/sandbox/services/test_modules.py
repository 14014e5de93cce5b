"""Modules: made, described, uploaded by version and platform."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from tests.sandbox.client import Client, connected, refused, role
from viam_mcp.proto import app
from viam_mcp.proto.app import packages
from viam_mcp.sandbox.rules.platforms import PLATFORMS, overlap
from viam_mcp.sandbox.rules.semver import precedence

if TYPE_CHECKING:
    from viam_mcp.sandbox import Sandbox

WHEEL = "garage:wheel"
MODEL = app.Model(api="rdk:component:base", model="garage:wheel:round")


@pytest.fixture
async def org(client: Client) -> str:
    """The id of an organization with the namespace "garage" and a module named wheel."""
    org_id = (await client("CreateOrganization", name="Garage")).organization.id
    await client("UpdateOrganization", organization_id=org_id, public_namespace="garage")
    await client("CreateModule", organization_id=org_id, name="wheel")
    return str(org_id)


async def upload(
    client: Client, version: str = "1.0.0", platform: str = "linux/arm64", file: bytes = b"archive", module: str = WHEEL
) -> str:
    info = app.ModuleFileInfo(module_id=module, version=version, platform=platform)
    pieces = [app.UploadModuleFileRequest(module_file_info=info), app.UploadModuleFileRequest(file=file)]
    return str((await client.app.UploadModuleFile(pieces, metadata=client.metadata)).url)


async def update(client: Client, **fields: Any) -> str:
    return str((await client("UpdateModule", module_id=WHEEL, **fields)).url)


async def get(client: Client, module_id: str = WHEEL, **fields: Any) -> app.Module:
    module: app.Module = (await client("GetModule", module_id=module_id, **fields)).module
    return module


async def test_a_new_module_gets_an_id_and_a_page(client: Client, org: str) -> None:
    created = await client("CreateModule", organization_id=org, name="arm")
    assert (created.module_id, created.url) == ("garage:arm", "https://app.viam.com/module/garage/arm")
    module = await get(client, created.module_id)
    assert (module.module_id, module.name, module.organization_id) == ("garage:arm", "arm", org)
    assert (module.visibility, module.public_namespace) == (app.VISIBILITY_PRIVATE, "garage")


@pytest.mark.usefixtures("org")
async def test_a_module_is_a_registry_item(client: Client) -> None:
    await upload(client)
    item = (await client("GetRegistryItem", item_id=WHEEL)).item
    assert item.type == packages.PACKAGE_TYPE_MODULE
    (version,) = item.module_metadata.versions
    assert (version.version, [file.platform for file in version.files]) == ("1.0.0", ["linux/arm64"])


async def test_module_names_are_unique_among_all_registry_items(client: Client, org: str) -> None:
    await client("CreateRegistryItem", organization_id=org, name="eye", type=packages.PACKAGE_TYPE_ML_MODEL)
    for name in ("wheel", "eye"):
        with refused(Status.ALREADY_EXISTS, name, "Garage"):
            await client("CreateModule", organization_id=org, name=name)
    with refused(Status.INVALID_ARGUMENT, "registry item name"):
        await client("CreateModule", organization_id=org, name="")


async def test_another_registry_item_is_no_module(client: Client, org: str) -> None:
    await client("CreateRegistryItem", organization_id=org, name="eye", type=packages.PACKAGE_TYPE_ML_MODEL)
    with refused(Status.NOT_FOUND, "module", "garage:eye"):
        await get(client, "garage:eye")
    with refused(Status.NOT_FOUND, "module", "garage:eye"):
        await upload(client, module="garage:eye")


async def test_an_update_sets_what_a_module_says_about_itself(client: Client, org: str) -> None:
    page = await update(
        client,
        url="https://example.com/wheel",
        description="Rolls",
        models=[MODEL],
        entrypoint="bin/wheel",
        first_run="setup.sh",
        markdown_description="# Wheel",
        visibility=app.VISIBILITY_PUBLIC,
    )
    assert page == "https://app.viam.com/module/garage/wheel"
    module = await get(client, f"{org}:wheel", include_markdown_documentation=True)
    assert (module.url, module.description) == ("https://example.com/wheel", "Rolls")
    assert (list(module.models), module.entrypoint, module.first_run) == ([MODEL], "bin/wheel", "setup.sh")
    assert (module.markdown_description, module.visibility) == ("# Wheel", app.VISIBILITY_PUBLIC)
    assert not (await get(client)).HasField("markdown_description")


@pytest.mark.usefixtures("org")
async def test_apps_stay_when_an_update_sends_none(client: Client) -> None:
    await update(client, apps=[app.App(name="console", type="single", entrypoint="index.html")])
    await update(client, models=[MODEL])
    module = await get(client)
    assert ([one.name for one in module.apps], list(module.models)) == (["console"], [MODEL])
    await update(client)
    assert not (await get(client)).models


@pytest.mark.usefixtures("org")
@pytest.mark.parametrize("url", ["wheel", "ftp://example.com", "https://", "https://a b"])
async def test_a_modules_url_is_a_web_address(client: Client, url: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "url"):
        await update(client, url=url)


@pytest.mark.usefixtures("org")
@pytest.mark.parametrize(("api", "model"), [("base", "a:b:c"), ("rdk:component:base", "a:b"), ("a:b:c", "")])
async def test_models_are_named_by_three_words(client: Client, api: str, model: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "namespace:group:name"):
        await update(client, models=[app.Model(api=api, model=model)])


async def test_a_public_module_that_others_use_stays_public(client: Client, sandbox: Sandbox, org: str) -> None:
    await update(client, visibility=app.VISIBILITY_PUBLIC)
    sandbox.store.run("UPDATE registry_items SET external_org_usage = 1 WHERE org_id = ?", org)
    with refused(Status.FAILED_PRECONDITION, WHEEL, "private"):
        await update(client, visibility=app.VISIBILITY_PRIVATE)


@pytest.mark.usefixtures("org")
async def test_versions_are_listed_ascending_each_with_its_platforms(client: Client) -> None:
    for version in ("1.0.0", "0.10.0", "0.9.0", "1.0.0-rc.1"):
        await upload(client, version)
    await upload(client, "0.9.0", "any/amd64")
    versions = [(one.version, [file.platform for file in one.files]) for one in (await get(client)).versions]
    assert versions == [
        ("0.9.0", ["any/amd64", "linux/arm64"]),
        ("0.10.0", ["linux/arm64"]),
        ("1.0.0-rc.1", ["linux/arm64"]),
        ("1.0.0", ["linux/arm64"]),
    ]


@pytest.mark.usefixtures("org")
async def test_an_upload_answers_where_the_file_is(client: Client) -> None:
    url = await upload(client, "1.2.3", "any")
    assert url == "https://app.viam.com/module/garage/wheel/1.2.3/any"


async def test_the_same_version_and_platform_is_never_uploaded_twice(client: Client, org: str) -> None:
    await upload(client)
    await upload(client, platform="darwin/arm64")
    with refused(Status.ALREADY_EXISTS, "1.0.0", "linux/arm64"):
        await upload(client, file=b"other")
    await client("DeleteRegistryItem", item_id=WHEEL)
    await client("CreateModule", organization_id=org, name="wheel")
    assert not (await get(client)).versions
    with refused(Status.ALREADY_EXISTS, "not even deleted ones"):
        await upload(client)


@pytest.mark.usefixtures("org")
@pytest.mark.parametrize(
    "version", ["", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "latest", "1" * 5000 + ".0.0"]
)
async def test_a_version_is_semantic(client: Client, version: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "Semantic Versioning"):
        await upload(client, version)
    assert not (await get(client)).versions


@pytest.mark.usefixtures("org")
@pytest.mark.parametrize("platform", ["", "linux", "linux/arm", "Linux/arm64", "windows/any"])
async def test_a_platform_is_one_that_machines_have(client: Client, platform: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "platform", "linux/arm64"):
        await upload(client, platform=platform)


@pytest.mark.usefixtures("org")
async def test_every_platform_can_be_uploaded_for(client: Client) -> None:
    for platform in PLATFORMS:
        await upload(client, platform=platform)
    (version,) = (await get(client)).versions
    assert {file.platform for file in version.files} == set(PLATFORMS)


@pytest.mark.usefixtures("org")
async def test_an_empty_file_is_refused(client: Client) -> None:
    with refused(Status.INVALID_ARGUMENT, "empty"):
        await upload(client, file=b"")


async def test_only_owners_upload(client: Client, sandbox: Sandbox, org: str) -> None:
    key = await client("CreateKey", name="operator", authorizations=[role(org, "organization", org, "operator")])
    async with connected(sandbox, key.id, key.key) as operator:
        with refused(Status.PERMISSION_DENIED, "owners"):
            await upload(operator)
        assert (await get(operator)).name == "wheel"


async def test_modules_are_listed_by_organization_or_all_that_can_be_seen(
    client: Client, sandbox: Sandbox, org: str
) -> None:
    await client("CreateModule", organization_id=org, name="arm")
    await client("CreateRegistryItem", organization_id=org, name="eye", type=packages.PACKAGE_TYPE_ML_MODEL)
    mine = (await client("ListModules", organization_id=org)).modules
    assert [module.module_id for module in mine] == ["garage:arm", WHEEL]

    other = (await client("CreateOrganization", name="Other")).organization.id
    key = await client("CreateKey", name="stranger", authorizations=[role(other, "organization", other)])
    await update(client, visibility=app.VISIBILITY_PUBLIC)
    async with connected(sandbox, key.id, key.key) as stranger:
        seen = {module.module_id for module in (await stranger("ListModules")).modules}
        assert WHEEL in seen and "garage:arm" not in seen
        with refused(Status.NOT_FOUND, org):
            await stranger("ListModules", organization_id=org)


def test_versions_are_ordered_as_the_specification_orders_its_examples() -> None:
    examples = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1"
    for lower, higher in pairwise(examples.split()):
        below, above = precedence(lower), precedence(higher)
        assert below is not None and above is not None and below < above
    assert precedence("1.0.0+build.5") == precedence("1.0.0")


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("any", "windows/amd64", True),
        ("linux/any", "any/arm64", True),
        ("linux/any", "darwin/any", False),
        ("any/amd64", "linux/arm64", False),
        ("linux/arm32v6", "linux/arm32v6", True),
    ],
)
def test_platforms_overlap_where_a_machine_is_of_both(one: str, other: str, both: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is both
