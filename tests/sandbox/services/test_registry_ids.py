"""Registry items that get another id, and namespaces that change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.client import named, signed_in
from viam_mcp.app import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from viam_mcp.proto.app.packages import PACKAGE_TYPE_MODULE
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.proto import app as wire
    from viam_mcp.sandbox import Sandbox


async def test_a_renamed_item_keeps_everything_but_its_id(app: AppClient) -> None:
    before = await app.get_registry_item("tidewater:picking")
    after = await app.rename_registry_item("tidewater:picking", "grasping")
    assert (after.item_id, after.name) == ("tidewater:grasping", "grasping")
    assert after.module_metadata == before.module_metadata
    assert await app.get_registry_item("tidewater:grasping") == after
    with pytest.raises(NotFound):
        await app.get_registry_item("tidewater:picking")


async def test_a_name_is_taken_also_by_an_item_that_was_deleted(app: AppClient) -> None:
    with pytest.raises(AlreadyExists, match="'picking'"):
        await app.rename_registry_item("tidewater:barcode-reader", "picking")
    await app.delete_registry_item("tidewater:picking")
    with pytest.raises(AlreadyExists, match="had a registry item named 'picking'"):
        await app.rename_registry_item("tidewater:barcode-reader", "picking")
    with pytest.raises(InvalidArgument):
        await app.rename_registry_item("tidewater:barcode-reader", "no name")
    same = await app.rename_registry_item("tidewater:barcode-reader", "barcode-reader")
    assert same.item_id == "tidewater:barcode-reader"


async def test_an_item_that_others_use_keeps_its_id(app: AppClient) -> None:
    with pytest.raises(FailedPrecondition, match="cannot get another id"):
        await app.rename_registry_item("kestrel:safety-scanner", "scanner")
    with pytest.raises(FailedPrecondition, match="cannot get another id"):
        await app.transfer_registry_item("kestrel:safety-scanner", "tidewater")


async def test_an_item_is_transferred_with_what_was_uploaded(sandbox: Sandbox, app: AppClient) -> None:
    before = await app.get_registry_item("kestrel:label-printer")
    await app.deprecate_registry_item("kestrel:label-printer", "use another printer")
    await app.transfer_registry_item("kestrel:label-printer", "tidewater")
    after = await app.get_registry_item("tidewater:label-printer")
    assert after.organization_id == named(sandbox, "organizations", fleet.TIDEWATER)
    assert [version.version for version in after.module_metadata.versions] == ["0.1.0"]
    assert after.module_metadata == before.module_metadata
    assert after.deprecated_status.message == "use another printer"
    with pytest.raises(NotFound):
        await app.get_registry_item("kestrel:label-printer")


async def test_a_transfer_needs_a_receiver_that_has_no_such_item(sandbox: Sandbox, app: AppClient) -> None:
    with pytest.raises(NotFound, match="namespace 'nobody'"):
        await app.transfer_registry_item("kestrel:label-printer", "nobody")
    with pytest.raises(NotFound):
        await app.transfer_registry_item("kestrel:label-printer", "")
    with pytest.raises(FailedPrecondition, match="already"):
        await app.transfer_registry_item("kestrel:label-printer", "kestrel")
    await app.create_registry_item(
        named(sandbox, "organizations", fleet.TIDEWATER), "label-printer", PACKAGE_TYPE_MODULE
    )
    with pytest.raises(AlreadyExists):
        await app.transfer_registry_item("kestrel:label-printer", "tidewater")


async def test_a_transfer_takes_an_owner_of_both_organizations(sandbox: Sandbox) -> None:
    async with signed_in(sandbox, "module-ci") as owner_of_one:
        with pytest.raises((PermissionDenied, NotFound)):
            await owner_of_one.transfer_registry_item("kestrel:label-printer", "tidewater")
        assert (await owner_of_one.get_registry_item("kestrel:label-printer")).item_id == "kestrel:label-printer"


async def test_a_changed_namespace_changes_ids_and_the_old_ones_still_lead_there(
    sandbox: Sandbox, app: AppClient
) -> None:
    tidewater = named(sandbox, "organizations", fleet.TIDEWATER)
    changed = await app.update_organization_namespace(tidewater, "tidewater-robotics")
    assert changed.public_namespace == "tidewater-robotics"
    for item_id in ("tidewater-robotics:picking", "tidewater:picking", f"{tidewater}:picking"):
        assert (await app.get_registry_item(item_id)).item_id == "tidewater-robotics:picking"
    assert not await app.get_organization_namespace_availability("tidewater")
    kestrel = named(sandbox, "organizations", fleet.KESTREL)
    with pytest.raises(AlreadyExists):
        await app.update_organization_namespace(kestrel, "tidewater")
    back = await app.update_organization_namespace(tidewater, "tidewater")
    assert back.public_namespace == "tidewater"


async def test_only_a_namespace_that_is_there_is_changed(app: AppClient) -> None:
    org = (await app.create_organization("No namespace")).id
    with pytest.raises(FailedPrecondition, match="set one with update_organization first"):
        await app.update_organization_namespace(org, "ours")
    await app.update_organization(org, public_namespace="ours")
    with pytest.raises(InvalidArgument, match="public_namespace"):
        await app.update_organization_namespace(org, "Not One")
    with pytest.raises(FailedPrecondition):
        await app.update_organization(org, public_namespace="other")


async def test_an_item_is_deprecated_with_a_reason_and_not_any_more(app: AppClient) -> None:
    await app.deprecate_registry_item("tidewater:picking", "use picking-4")
    item = await app.get_registry_item("tidewater:picking")
    assert (item.deprecated_status.message, bool(item.deprecated_status.deprecated_at.seconds)) == (
        "use picking-4", True,
    )  # fmt: skip
    await app.deprecate_registry_item("tidewater:picking", "use picking-5")
    assert (await app.get_module("tidewater:picking")).deprecated_status.message == "use picking-5"
    await app.undeprecate_registry_item("tidewater:picking")
    assert not (await app.get_registry_item("tidewater:picking")).HasField("deprecated_status")
    with pytest.raises(FailedPrecondition, match="not deprecated"):
        await app.undeprecate_registry_item("tidewater:picking")
    with pytest.raises(InvalidArgument, match="message is empty"):
        await app.deprecate_registry_item("tidewater:picking", " ")


async def test_a_version_is_deprecated_alone(app: AppClient) -> None:
    def marked(versions: list[wire.ModuleVersion]) -> dict[str, str]:
        return {one.version: one.deprecated_status.message for one in versions if one.HasField("deprecated_status")}

    async def deprecated() -> dict[str, str]:
        return marked(list((await app.get_registry_item("tidewater:picking")).module_metadata.versions))

    await app.deprecate_registry_item_version("tidewater:picking", "3.1.0", "drops boxes")
    assert await deprecated() == {"3.1.0": "drops boxes"}
    (version,) = (
        one for one in (await app.get_module("tidewater:picking")).versions if one.HasField("deprecated_status")
    )
    assert version.version == "3.1.0"
    await app.undeprecate_registry_item_version("tidewater:picking", "3.1.0")
    assert await deprecated() == {}
    with pytest.raises(FailedPrecondition, match=r"version 3\.1\.0 of .* is not deprecated"):
        await app.undeprecate_registry_item_version("tidewater:picking", "3.1.0")
    with pytest.raises(NotFound, match=r"the version '9\.9\.9'"):
        await app.deprecate_registry_item_version("tidewater:picking", "9.9.9", "why")
    with pytest.raises(InvalidArgument, match="no module"):
        await app.deprecate_registry_item_version("tidewater:pallet-detector", "2.0.0", "why")


async def test_only_owners_deprecate(sandbox: Sandbox) -> None:
    async with signed_in(sandbox, "fleet-dashboard") as operator:
        for change in (
            operator.deprecate_registry_item("tidewater:picking", "why"),
            operator.deprecate_registry_item_version("tidewater:picking", "3.1.0", "why"),
            operator.rename_registry_item("tidewater:picking", "other"),
        ):
            with pytest.raises(PermissionDenied):
                await change
