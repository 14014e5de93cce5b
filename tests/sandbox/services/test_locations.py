"""Locations: the tree, its limits, who sees it, and its secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from grpclib.const import Status

from tests.sandbox.client import Calls, connected, refused, role
from viam_mcp.proto import app

if TYPE_CHECKING:
    from viam_mcp.sandbox import Sandbox

NOWHERE = "0123456789"


@pytest.fixture
async def org(call: Calls) -> str:
    """The id of an organization with its first location and nothing else."""
    created = await call("CreateOrganization", name="Locations")
    return str(created.organization.id)


@pytest.fixture
async def other(call: Calls) -> str:
    created = await call("CreateOrganization", name="Other")
    return str(created.organization.id)


async def create(call: Calls, org: str, name: str, parent: str = "") -> app.Location:
    created = await call("CreateLocation", organization_id=org, name=name, parent_location_id=parent)
    location: app.Location = created.location
    return location


async def test_a_new_location_has_an_id_of_ten_characters_and_belongs_to_its_organization(
    call: Calls, org: str
) -> None:
    location = await create(call, org, "Yard")
    read = (await call("GetLocation", location_id=location.id)).location
    assert read == location
    assert len(read.id) == 10 and read.id.isalnum() and read.id == read.id.lower()
    assert [(one.organization_id, one.primary) for one in read.organizations] == [(org, True)]
    assert (read.primary_org_identity.id, read.primary_org_identity.name) == (org, "Locations")
    assert read.config.region == "us-central"
    assert read.created_on.seconds > 0


async def test_reading_a_location_does_not_show_its_secrets(call: Calls, org: str) -> None:
    location = await create(call, org, "Yard")
    assert not (await call("GetLocation", location_id=location.id)).location.HasField("auth")


async def test_a_location_counts_its_machines(call: Calls, org: str) -> None:
    location = await create(call, org, "Yard")
    for name in ("a", "b"):
        await call("NewRobot", name=name, location=location.id)
    assert (await call("GetLocation", location_id=location.id)).location.robot_count == 2


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "bell\a"])
async def test_a_location_needs_a_name_that_people_can_read(call: Calls, org: str, name: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "location's name"):
        await create(call, org, name)


async def test_a_parent_must_exist(call: Calls, org: str) -> None:
    with refused(Status.NOT_FOUND, NOWHERE):
        await create(call, org, "Yard", NOWHERE)


async def test_a_parent_must_be_of_the_same_organization(call: Calls, org: str, other: str) -> None:
    parent = await create(call, other, "Elsewhere")
    with refused(Status.INVALID_ARGUMENT, "Elsewhere", org):
        await create(call, org, "Yard", parent.id)


async def test_there_are_at_most_three_levels(call: Calls, org: str) -> None:
    site = await create(call, org, "Site")
    hall = await create(call, org, "Hall", site.id)
    row = await create(call, org, "Row", hall.id)
    with refused(Status.FAILED_PRECONDITION, "at most 3 levels", "Row"):
        await create(call, org, "Timber", row.id)


async def test_an_organization_has_at_most_100_locations(call: Calls, sandbox: Sandbox, org: str) -> None:
    columns = ("id", "org_id", "name", "created_on")
    sandbox.store.insert_many("locations", columns, ((f"filler{number:04}", org, "x", 0) for number in range(98)))
    await create(call, org, "The hundredth")
    with refused(Status.RESOURCE_EXHAUSTED, "100 locations"):
        await create(call, org, "One too many")


async def test_an_update_changes_only_what_it_names(call: Calls, org: str) -> None:
    site = await create(call, org, "Site")
    hall = await create(call, org, "Hall", site.id)
    renamed = (await call("UpdateLocation", location_id=hall.id, name="Great Hall")).location
    assert (renamed.name, renamed.parent_location_id) == ("Great Hall", site.id)
    moved = (await call("UpdateLocation", location_id=hall.id, region="eu-west")).location
    assert (moved.name, moved.parent_location_id, moved.config.region) == ("Great Hall", site.id, "eu-west")


async def test_an_empty_name_in_an_update_means_unchanged(call: Calls, org: str) -> None:
    hall = await create(call, org, "Hall")
    assert (await call("UpdateLocation", location_id=hall.id, name="")).location.name == "Hall"


async def test_an_empty_parent_in_an_update_means_the_top(call: Calls, org: str) -> None:
    site = await create(call, org, "Site")
    hall = await create(call, org, "Hall", site.id)
    top = (await call("UpdateLocation", location_id=hall.id, name="", parent_location_id="")).location
    assert (top.name, top.parent_location_id) == ("Hall", "")


@pytest.mark.parametrize("region", ["", "US central"])
async def test_a_region_has_the_form_of_one(call: Calls, org: str, region: str) -> None:
    hall = await create(call, org, "Hall")
    with refused(Status.INVALID_ARGUMENT, "region"):
        await call("UpdateLocation", location_id=hall.id, region=region)


async def test_a_location_cannot_lie_in_itself(call: Calls, org: str) -> None:
    site = await create(call, org, "Site")
    hall = await create(call, org, "Hall", site.id)
    for parent in (site.id, hall.id):
        with refused(Status.FAILED_PRECONDITION, "Site", parent):
            await call("UpdateLocation", location_id=site.id, parent_location_id=parent)


async def test_a_move_counts_the_levels_below(call: Calls, org: str) -> None:
    site = await create(call, org, "Site")
    await create(call, org, "Hall", site.id)
    top = await create(call, org, "Top")
    middle = await create(call, org, "Middle", top.id)
    with refused(Status.FAILED_PRECONDITION, "at most 3 levels"):
        await call("UpdateLocation", location_id=site.id, parent_location_id=middle.id)
    moved = await call("UpdateLocation", location_id=site.id, parent_location_id=top.id)
    assert moved.location.parent_location_id == top.id


async def test_a_refused_update_changes_nothing(call: Calls, org: str) -> None:
    hall = await create(call, org, "Hall")
    with refused(Status.INVALID_ARGUMENT):
        await call("UpdateLocation", location_id=hall.id, name="New", region="!")
    assert (await call("GetLocation", location_id=hall.id)).location.name == "Hall"


async def test_a_location_with_machines_or_children_is_not_deleted(call: Calls, org: str) -> None:
    site = await create(call, org, "Site")
    hall = await create(call, org, "Hall", site.id)
    await call("NewRobot", name="a", location=site.id)
    with refused(Status.FAILED_PRECONDITION, "1 machine and 1 child location:"):
        await call("DeleteLocation", location_id=site.id)
    await call("DeleteLocation", location_id=hall.id)
    with refused(Status.NOT_FOUND, hall.id):
        await call("GetLocation", location_id=hall.id)


async def test_deleting_a_location_takes_the_roles_on_it_away(call: Calls, org: str) -> None:
    hall = await create(call, org, "Hall")
    await call("CreateKey", name="hall", authorizations=[role(org, "location", hall.id)])
    await call("DeleteLocation", location_id=hall.id)
    left = await call("ListAuthorizations", organization_id=org, resource_ids=[hall.id])
    assert not left.authorizations


async def test_a_list_has_an_organizations_own_locations_by_name(call: Calls, org: str) -> None:
    await create(call, org, "Attic")
    listed = (await call("ListLocations", organization_id=org)).locations
    assert [location.name for location in listed] == ["Attic", "First Location"]


async def test_a_shared_location_is_listed_with_all_below_it_and_keeps_its_parent(
    call: Calls, org: str, other: str
) -> None:
    site = await create(call, org, "Site")
    hall = await create(call, org, "Hall", site.id)
    await create(call, org, "Row", hall.id)
    await call("ShareLocation", location_id=hall.id, organization_id=other)
    listed = {location.name: location for location in (await call("ListLocations", organization_id=other)).locations}
    assert set(listed) == {"First Location", "Hall", "Row"}
    assert listed["Hall"].parent_location_id == site.id
    assert [(one.organization_id, one.primary) for one in listed["Hall"].organizations] == [(org, True), (other, False)]


async def test_members_of_the_other_organization_may_use_but_not_change_a_shared_location(
    call: Calls, sandbox: Sandbox, org: str, other: str
) -> None:
    hall = await create(call, org, "Hall")
    key = await call("CreateKey", name="guest", authorizations=[role(other, "organization", other)])
    async with connected(sandbox, key.id, key.key) as guest:
        with refused(Status.NOT_FOUND, hall.id):
            await guest("GetLocation", location_id=hall.id)
        await call("ShareLocation", location_id=hall.id, organization_id=other)
        assert (await guest("GetLocation", location_id=hall.id)).location.name == "Hall"
        with refused(Status.PERMISSION_DENIED, "owner"):
            await guest("UpdateLocation", location_id=hall.id, name="Mine")
        with refused(Status.PERMISSION_DENIED, "owner"):
            await guest("LocationAuth", location_id=hall.id)
        await call("UnshareLocation", location_id=hall.id, organization_id=other)
        with refused(Status.NOT_FOUND, hall.id):
            await guest("GetLocation", location_id=hall.id)


async def test_sharing_twice_is_refused(call: Calls, org: str, other: str) -> None:
    hall = await create(call, org, "Hall")
    await call("ShareLocation", location_id=hall.id, organization_id=other)
    with refused(Status.ALREADY_EXISTS, "Hall", "Other"):
        await call("ShareLocation", location_id=hall.id, organization_id=other)


async def test_sharing_with_the_owner_or_with_nobody_is_refused(call: Calls, org: str) -> None:
    hall = await create(call, org, "Hall")
    with refused(Status.FAILED_PRECONDITION, "owns"):
        await call("ShareLocation", location_id=hall.id, organization_id=org)
    nobody = "00000000-0000-4000-8000-000000000000"
    with refused(Status.NOT_FOUND, nobody):
        await call("ShareLocation", location_id=hall.id, organization_id=nobody)


async def test_the_primary_owner_cannot_be_removed(call: Calls, org: str) -> None:
    hall = await create(call, org, "Hall")
    with refused(Status.FAILED_PRECONDITION, "primary owner"):
        await call("UnshareLocation", location_id=hall.id, organization_id=org)


async def test_unsharing_what_is_not_shared_is_refused(call: Calls, org: str, other: str) -> None:
    hall = await create(call, org, "Hall")
    with refused(Status.NOT_FOUND, "Hall", other):
        await call("UnshareLocation", location_id=hall.id, organization_id=other)


async def test_a_location_has_at_most_two_secrets_the_newest_first(call: Calls, org: str) -> None:
    hall = await create(call, org, "Hall")
    (first,) = (await call("LocationAuth", location_id=hall.id)).auth.secrets
    auth = (await call("CreateLocationSecret", location_id=hall.id)).auth
    newest, oldest = auth.secrets
    assert oldest == first != newest
    assert auth.location_id == hall.id
    assert auth.secret == newest.secret
    assert {secret.state for secret in auth.secrets} == {app.SharedSecret.STATE_ENABLED}
    with refused(Status.FAILED_PRECONDITION, "2 secrets", first.id):
        await call("CreateLocationSecret", location_id=hall.id)


async def test_a_secret_makes_room_for_the_next_when_it_is_deleted(call: Calls, org: str) -> None:
    hall = await create(call, org, "Hall")
    (first,) = (await call("LocationAuth", location_id=hall.id)).auth.secrets
    (second, _) = (await call("CreateLocationSecret", location_id=hall.id)).auth.secrets
    await call("DeleteLocationSecret", location_id=hall.id, secret_id=first.id)
    auth = (await call("CreateLocationSecret", location_id=hall.id)).auth
    assert auth.secrets[1] == second
    assert first.id not in {secret.id for secret in auth.secrets}


async def test_the_last_secret_is_not_deleted(call: Calls, org: str) -> None:
    hall = await create(call, org, "Hall")
    (only,) = (await call("LocationAuth", location_id=hall.id)).auth.secrets
    with refused(Status.FAILED_PRECONDITION, "only secret", only.id):
        await call("DeleteLocationSecret", location_id=hall.id, secret_id=only.id)


async def test_a_secret_of_another_location_is_not_found(call: Calls, org: str) -> None:
    hall, yard = await create(call, org, "Hall"), await create(call, org, "Yard")
    (only,) = (await call("LocationAuth", location_id=yard.id)).auth.secrets
    with refused(Status.NOT_FOUND, only.id):
        await call("DeleteLocationSecret", location_id=hall.id, secret_id=only.id)


async def test_the_owner_of_a_location_may_add_below_but_not_beside_it(call: Calls, sandbox: Sandbox, org: str) -> None:
    hall = await create(call, org, "Hall")
    key = await call("CreateKey", name="hall", authorizations=[role(org, "location", hall.id)])
    async with connected(sandbox, key.id, key.key) as keeper:
        row = await create(keeper, org, "Row", hall.id)
        assert row.parent_location_id == hall.id
        with refused(Status.PERMISSION_DENIED, "owner"):
            await create(keeper, org, "Beside")
        with refused(Status.PERMISSION_DENIED, "owner"):
            await keeper("UpdateLocation", location_id=row.id, parent_location_id="")
