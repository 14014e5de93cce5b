"""Organizations, their members and invites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.sandbox.demo.fleet import KESTREL, SHARED_LOCATION, TIDEWATER

if TYPE_CHECKING:
    from tests.fleet import Fleet

MEMBER = "priya.raman@tidewater.example"
INVITED = "field.tech@tidewater.example"


def _org(fleet: Fleet, name: str = TIDEWATER) -> str:
    return fleet.id("organizations", name)


def _user(fleet: Fleet, email: str = MEMBER) -> str:
    return str(fleet.value("SELECT id FROM users WHERE email = ?", email))


async def get_user_id_by_email(fleet: Fleet) -> None:
    assert (await fleet.call("get_user_id_by_email", email=MEMBER)) == {"user_id": _user(fleet)}


async def create_organization(fleet: Fleet) -> None:
    made = (await fleet.call("create_organization", name="Harbour"))["organization"]
    assert made["name"] == "Harbour"
    assert fleet.value("SELECT name FROM locations WHERE org_id = ?", made["id"]) == "First Location"


async def list_organizations(fleet: Fleet) -> None:
    listed = (await fleet.call("list_organizations"))["organizations"]
    assert [item["name"] for item in listed] == sorted([KESTREL, TIDEWATER])


async def get_organizations_with_access_to_location(fleet: Fleet) -> None:
    location_id = fleet.id("locations", SHARED_LOCATION)
    answer = await fleet.call("get_organizations_with_access_to_location", location_id=location_id)
    assert {item["name"] for item in answer["organizations"]} == {TIDEWATER, KESTREL}


async def list_organizations_by_user(fleet: Fleet) -> None:
    (listed,) = (await fleet.call("list_organizations_by_user", user_id=_user(fleet)))["organizations"]
    assert (listed["org_id"], listed["org_name"]) == (_org(fleet), TIDEWATER)


async def get_organization(fleet: Fleet) -> None:
    answer = (await fleet.call("get_organization", org_id=_org(fleet)))["organization"]
    assert (answer["name"], answer["public_namespace"]) == (TIDEWATER, "tidewater")


async def get_organization_namespace_availability(fleet: Fleet) -> None:
    for namespace, available in (("tidewater", False), ("low-tide", True)):
        answer = await fleet.call("get_organization_namespace_availability", public_namespace=namespace)
        assert answer == {"available": available}


async def update_organization(fleet: Fleet) -> None:
    fragment = {"fragment_id": fleet.id("fragments", "picker-base"), "prefix": "left", "fragment_variables": {"n": 1}}
    changed = await fleet.call(
        "update_organization", org_id=_org(fleet), region="us-central", cid="C-7", default_fragments=[fragment]
    )
    assert changed["organization"]["default_fragments"]["fragments"] == [fragment]
    read = fleet.sandbox.store.one("SELECT * FROM organizations WHERE id = ?", _org(fleet))
    assert read
    assert (read["name"], read["default_region"], read["cid"]) == (TIDEWATER, "us-central", "C-7")


async def delete_organization(fleet: Fleet) -> None:
    org_id = (await fleet.call("create_organization", name="Harbour"))["organization"]["id"]
    location_id = fleet.value("SELECT id FROM locations WHERE org_id = ?", org_id)
    assert "FAILED_PRECONDITION" in await fleet.call.error("delete_organization", org_id=org_id)
    await fleet.call("delete_location", location_id=location_id)
    answer = await fleet.call("delete_organization", org_id=org_id)
    assert answer == {"done": f"Deleted organization 'Harbour' ({org_id})."}
    assert not fleet.value("SELECT COUNT(*) FROM organizations WHERE id = ?", org_id)


async def list_organization_members(fleet: Fleet) -> None:
    answer = await fleet.call("list_organization_members", org_id=_org(fleet))
    assert MEMBER in [email for member in answer["members"] for email in member["emails"]]
    assert INVITED in [invite["email"] for invite in answer["invites"]]
    assert len(answer["members"]) == fleet.value("SELECT COUNT(*) FROM members WHERE org_id = ?", _org(fleet))


async def create_organization_invite(fleet: Fleet) -> None:
    role = {"role": "operator", "resource_type": "location", "resource_id": fleet.id("locations", "Test Lab")}
    invite = (
        await fleet.call("create_organization_invite", org_id=_org(fleet), email="a@b.example", authorizations=[role])
    )["invite"]
    assert invite["email"] == "a@b.example"
    row = fleet.sandbox.store.one("SELECT * FROM authorizations WHERE identity_id = 'a@b.example'")
    assert row
    assert {key: row[key] for key in role} == role


async def update_organization_invite_authorizations(fleet: Fleet) -> None:
    more = {"role": "owner", "resource_type": "location", "resource_id": fleet.id("locations", "Test Lab")}
    less = {"role": "operator", "resource_type": "location", "resource_id": fleet.id("locations", "Loading Docks")}
    answer = await fleet.call(
        "update_organization_invite_authorizations",
        org_id=_org(fleet),
        email=INVITED,
        add_authorizations=[more],
        remove_authorizations=[less],
    )
    assert [item["resource_id"] for item in answer["invite"]["authorizations"]] == [more["resource_id"]]
    row = fleet.sandbox.store.one("SELECT * FROM authorizations WHERE identity_id = ?", INVITED)
    assert row
    assert {key: row[key] for key in more} == more


async def delete_organization_member(fleet: Fleet) -> None:
    user_id = _user(fleet)
    answer = await fleet.call("delete_organization_member", org_id=_org(fleet), user_id=user_id)
    assert MEMBER in answer["done"]
    assert not fleet.value("SELECT COUNT(*) FROM members WHERE user_id = ?", user_id)


async def delete_organization_invite(fleet: Fleet) -> None:
    answer = await fleet.call("delete_organization_invite", org_id=_org(fleet), email=INVITED)
    assert INVITED in answer["done"]
    assert not fleet.value("SELECT COUNT(*) FROM invites WHERE email = ?", INVITED)


async def resend_organization_invite(fleet: Fleet) -> None:
    invite = (await fleet.call("resend_organization_invite", org_id=_org(fleet), email=INVITED))["invite"]
    assert invite["email"] == INVITED


async def search_organizations(fleet: Fleet) -> None:
    answer = await fleet.call("search_organizations", org_name=TIDEWATER[:6].upper(), public_namespace="tidewater")
    assert [(item["org_id"], item["org_name"]) for item in answer["organizations"]] == [(_org(fleet), TIDEWATER)]
    assert "nothing to search for" in await fleet.call.error("search_organizations")


async def update_organization_namespace(fleet: Fleet) -> None:
    changed = {"organization_id": _org(fleet), "new_public_namespace": "tidewater-2"}
    answer = await fleet.call("update_organization_namespace", **changed)
    assert answer["organization"]["public_namespace"] == "tidewater-2"
    (item,) = (await fleet.call("get_registry_item", item_id="tidewater-2:drive-control")).values()
    assert item["item_id"] == "tidewater-2:drive-control"
