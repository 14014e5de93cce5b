from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from grpclib.const import Status

from tests.sandbox.client import named, refused, signed_in
from viam_mcp.app import InvalidArgument
from viam_mcp.proto import app
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from tests.sandbox.client import Calls
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox


@pytest.fixture
def tidewater(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.TIDEWATER)


async def test_a_person_is_found_by_address_whatever_its_case(call: Calls) -> None:
    found = await call("GetUserIDByEmail", email="Ines.Okafor@tidewater.example")
    assert [org.org_name for org in (await call("ListOrganizationsByUser", user_id=found.user_id)).orgs] == [
        fleet.TIDEWATER
    ]


async def test_an_unknown_address_is_not_found_and_none_at_all_is_invalid(call: Calls) -> None:
    with refused(Status.NOT_FOUND, "nobody@example.com"):
        await call("GetUserIDByEmail", email="nobody@example.com")
    for email in ("", "nobody", "a b@example.com", "a@example", "x" * 300 + "@example.com"):
        with refused(Status.INVALID_ARGUMENT, "email"):
            await call("GetUserIDByEmail", email=email)


async def test_a_new_organization_has_a_first_location_and_belongs_to_who_made_it(call: Calls) -> None:
    made = (await call("CreateOrganization", name="Fresh")).organization

    locations = (await call("ListLocations", organization_id=made.id)).locations
    assert [location.name for location in locations] == ["First Location"]
    assert made.id in [org.id for org in (await call("ListOrganizations")).organizations]
    changed = await call("UpdateOrganization", organization_id=made.id, name="Renamed")
    assert changed.organization.name == "Renamed"
    assert changed.organization.created_on == made.created_on


@pytest.mark.parametrize("name", ["", "   ", "line\nbreak", "x" * 10_000])
async def test_an_organization_needs_a_readable_name(call: Calls, name: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "name"):
        await call("CreateOrganization", name=name)


async def test_organizations_with_access_to_a_location_come_owner_first(sandbox: Sandbox, call: Calls) -> None:
    shared = named(sandbox, "locations", fleet.SHARED_LOCATION)

    found = await call("GetOrganizationsWithAccessToLocation", location_id=shared)

    assert [identity.name for identity in found.organization_identities] == [fleet.TIDEWATER, fleet.KESTREL]


async def test_only_what_is_sent_is_updated(call: Calls, tidewater: str) -> None:
    before = (await call("GetOrganization", organization_id=tidewater)).organization

    await call("UpdateOrganization", organization_id=tidewater, region="europe-west", cid="crm-7")
    after = (await call("GetOrganization", organization_id=tidewater)).organization

    assert (after.default_region, after.cid) == ("europe-west", "crm-7")
    assert (after.name, after.public_namespace) == (before.name, before.public_namespace)


async def test_default_fragments_must_exist_and_are_kept(sandbox: Sandbox, call: Calls, tidewater: str) -> None:
    fragment = sandbox.store.value("SELECT id FROM fragments WHERE org_id = ?", tidewater)
    chosen = app.FragmentImportList(fragments=[app.FragmentImport(fragment_id=fragment, version="stable")])

    await call("UpdateOrganization", organization_id=tidewater, default_fragments=chosen)
    assert (await call("GetOrganization", organization_id=tidewater)).organization.default_fragments == chosen

    chosen.fragments[0].fragment_id = "00000000-0000-4000-8000-000000000000"
    with refused(Status.NOT_FOUND, "fragment"):
        await call("UpdateOrganization", organization_id=tidewater, default_fragments=chosen)


async def test_a_namespace_is_set_once(call: Calls) -> None:
    org_id = (await call("CreateOrganization", name="Fresh")).organization.id
    assert (await call("GetOrganizationNamespaceAvailability", public_namespace="fresh")).available

    await call("UpdateOrganization", organization_id=org_id, public_namespace="fresh")

    assert not (await call("GetOrganizationNamespaceAvailability", public_namespace="fresh")).available
    with refused(Status.FAILED_PRECONDITION, "'fresh'", "cannot be changed"):
        await call("UpdateOrganization", organization_id=org_id, public_namespace="other", name="Renamed")
    unchanged = (await call("UpdateOrganization", organization_id=org_id, public_namespace="fresh")).organization
    assert (unchanged.name, unchanged.public_namespace) == ("Fresh", "fresh")


async def test_a_namespace_stays_taken_when_its_organization_is_gone(call: Calls) -> None:
    first, second = [(await call("CreateOrganization", name=name)).organization.id for name in ("One", "Two")]
    await call("UpdateOrganization", organization_id=first, public_namespace="wanted")
    for location in (await call("ListLocations", organization_id=first)).locations:
        await call("DeleteLocation", location_id=location.id)
    await call("DeleteOrganization", organization_id=first)

    with refused(Status.NOT_FOUND):
        await call("GetOrganization", organization_id=first)
    with refused(Status.ALREADY_EXISTS, "'wanted'"):
        await call("UpdateOrganization", organization_id=second, public_namespace="wanted")


@pytest.mark.parametrize("namespace", ["", "Upper", "with space", "under_score", "-dash", "x" * 64])
async def test_a_malformed_namespace_is_refused(call: Calls, tidewater: str, namespace: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "public_namespace"):
        await call("GetOrganizationNamespaceAvailability", public_namespace=namespace)
    with refused(Status.INVALID_ARGUMENT, "public_namespace"):
        await call("UpdateOrganization", organization_id=tidewater, public_namespace=namespace)


async def test_an_organization_with_anything_in_it_is_not_deleted(
    sandbox: Sandbox, call: Calls, tidewater: str
) -> None:
    with refused(Status.FAILED_PRECONDITION, "7 locations", "fragments", "registry items", "delete them first"):
        await call("DeleteOrganization", organization_id=tidewater)
    assert sandbox.store.one("SELECT 1 FROM organizations WHERE id = ?", tidewater)


async def test_organizations_are_found_by_all_that_is_given(sandbox: Sandbox, app: AppClient) -> None:
    tidewater = named(sandbox, "organizations", fleet.TIDEWATER)
    assert [org.org_id for org in await app.search_organizations(org_name="TIDEWATER rob")] == [tidewater]
    assert [org.org_name for org in await app.search_organizations(public_namespace="kestrel")] == [fleet.KESTREL]
    assert [org.public_namespace for org in await app.search_organizations(org_id=tidewater)] == ["tidewater"]
    await app.update_organization(tidewater, cid="cid-7")
    assert [org.org_cid for org in await app.search_organizations(cid="cid-7", org_name="e")] == ["cid-7"]
    assert await app.search_organizations(org_id=tidewater, public_namespace="kestrel") == []
    with pytest.raises(InvalidArgument, match="nothing to search for"):
        await app.search_organizations()


async def test_organizations_that_a_caller_cannot_see_are_not_found(sandbox: Sandbox) -> None:
    async with signed_in(sandbox, "module-ci") as outsider:
        assert await outsider.search_organizations(org_name="tidewater") == []


async def test_login_methods_are_allowed_and_all_of_them_again(sandbox: Sandbox, call: Calls) -> None:
    org_id = named(sandbox, "organizations", fleet.KESTREL)

    async def allowed() -> list[int] | None:
        organization = (await call("GetOrganization", organization_id=org_id)).organization
        methods = organization.allowed_login_methods.methods
        return list(methods) if organization.HasField("allowed_login_methods") else None

    methods = [app.LOGIN_METHOD_PASSWORD, app.LOGIN_METHOD_GOOGLE]
    await call("UpdateOrganization", organization_id=org_id, allowed_login_methods={"methods": methods})
    assert await allowed() == methods
    await call("UpdateOrganization", organization_id=org_id, allowed_login_methods={})
    assert await allowed() is None
    with refused(Status.INVALID_ARGUMENT, "LOGIN_METHOD_PASSWORD"):
        await call("UpdateOrganization", organization_id=org_id, allowed_login_methods={"methods": [0]})
